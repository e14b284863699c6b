"""Appends what was answered to the spool, before the answer leaves."""

import logging
import time
from collections.abc import Sequence

from modelyard.exchange.records import Event, Record, encode
from modelyard.exchange.spool import Spool

log = logging.getLogger(__name__)


class Recorder:
    """The spool's only writer. Safe in threads."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._told = 0

    def record(self, records: Sequence[Record]) -> bool:
        """Append records in one write; False, and counted, when the disk does not take them.

        A record that cannot be written is counted too: answers wait for this, so that it may not raise.
        """
        payloads = [payload for record in records if (payload := self._payload(record)) is not None]
        return self._spool.append(payloads) and len(payloads) == len(records)

    def _payload(self, record: Record) -> bytes | None:
        try:
            return encode(record)
        except Exception:
            log.exception("record_broken", extra={"action": "record_broken"})
            self._spool.count_dropped(1)
            return None

    def event(self, action: str, *, tenant: str | None = None, model: str | None = None, message: str = "") -> None:
        """Note what happened to the data plane itself, in the log and for the control plane."""
        log.warning(action, extra={"action": action, "tenant": tenant, "model": model, "reason": message})
        number = None if tenant is None else int(tenant)
        self.record([Event(at=time.time(), action=action, tenant=number, model=model, message=message)])

    def tell_drops(self) -> None:
        """Note how many records were lost since this was last asked, when there is room to say so."""
        dropped = self._spool.dropped
        lost = dropped - self._told
        if lost and self._spool.append([encode(Event(at=time.time(), action="dropped", count=lost))]):
            self._told = dropped
