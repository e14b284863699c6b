"""The model repository extension of the Open Inference Protocol: its index, which says what is loaded.

https://github.com/triton-inference-server/server, `docs/protocol/extension_model_repository.md`, section "Index".
"""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from modelyard.core.errors import InvalidInput
from modelyard.core.precomputed import PROTOCOL
from modelyard.serving.protocols.decoder import read_json
from modelyard.serving.protocols.mistakes import misfit, no_json
from modelyard.serving.residency import NEVER_ASKED, VersionKey
from modelyard.serving.served import StoredSlot, TenantView

READY = "READY"
_FORMS = '{} or {"ready": true}'
State = Callable[[VersionKey], tuple[str, str]]
"""From a version to its state, and why it is not ready."""


class IndexRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body; `ready`: only those that are."""

    ready: bool = False


def read_request(body: bytes) -> IndexRequest:
    """Read the body, which may be empty.

    Raises:
        InvalidInput: when it is no such request.
    """
    if not body.strip():
        return IndexRequest()
    try:
        return msgspec.json.decode(body, type=IndexRequest)
    except msgspec.ValidationError as error:
        read_json(body, _FORMS)
        raise InvalidInput(f"the body is no index request: {misfit(error)}; expected {_FORMS}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise no_json(error, body, _FORMS) from error


def index(tenant: TenantView, state: State, *, ready_only: bool) -> list[dict[str, str]]:
    """Return the body of the answer: each version that may be asked for, and whether it is loaded.

    Of a model that nobody has asked for yet only the name is known here: its document is read at its first use.
    Precomputed answers count as a version called `precomputed`.
    """
    return [entry for entry in _entries(tenant, state) if not ready_only or entry["state"] == READY]


def _entries(tenant: TenantView, state: State) -> Iterator[dict[str, Any]]:
    for name, slot in sorted(tenant.slots.items()):
        served = slot.served
        if served is None:
            yield {"name": name, "state": "UNAVAILABLE", "reason": NEVER_ASKED}
            continue
        for number, view in served.views.items():
            now, reason = state(view.key)
            yield {"name": name, "version": str(number), "state": now, "reason": reason}
        if slot.stored.told is not None:
            now, reason = stored_state(slot.stored)
            yield {"name": name, "version": PROTOCOL, "state": now, "reason": reason}


def stored_state(place: StoredSlot) -> tuple[str, str]:
    """Return the state of a model's precomputed answers, and why they are not those of its newest document."""
    reason = place.failure.message if place.failure is not None else ""
    if place.served is not None:
        return READY, reason
    return ("UNAVAILABLE", reason) if reason else ("LOADING", "")
