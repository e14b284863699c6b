"""From the outbox to the broker: at least once, in order. A message too many changes nothing."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from django.db import connection, transaction
from django.db.models.functions import Now

from modelyard.control.jobs.models import Job, Outbox, State
from modelyard.control.jobs.tasks import work

BATCH = 100

Send = Callable[[str], Any]


def send(job_id: str) -> None:
    """Tell the broker that there is work on the job."""
    work.apply_async(args=[job_id])


def relay(send: Send = send) -> int:
    """Send what the outbox holds, oldest first; return how many were sent. Raises what the broker does.

    Rows are deleted after they were sent, so that a crash between the two sends again rather than never. Several
    relays share the rows where the database can skip locked ones; SQLite is not locked while the broker is talked to.
    """
    if not Outbox.objects.exists():  # the usual case: no transaction for it
        return 0
    with _batch():
        rows = Outbox.objects.order_by("id")
        if connection.features.has_select_for_update_skip_locked:
            rows = rows.select_for_update(skip_locked=True)
        sent, fault = _send_all(list(rows[:BATCH]), send)
        _forget(sent)
    if fault:
        raise fault
    return len(sent)


def _send_all(batch: list[Outbox], send: Send) -> tuple[list[Outbox], Exception | None]:
    """Send until one cannot be sent; return what was, and why not more."""
    for index, row in enumerate(batch):
        try:
            send(str(row.job_id))
        except Exception as fault:
            return batch[:index], fault
    return batch, None


def _batch() -> AbstractContextManager[Any]:
    return transaction.atomic() if connection.features.has_select_for_update_skip_locked else nullcontext()


def _forget(batch: list[Outbox]) -> None:
    if batch:
        with transaction.atomic():
            Job.objects.filter(pk__in=[row.job_id for row in batch], state=State.QUEUED).update(sent_at=Now())
            Outbox.objects.filter(pk__in=[row.pk for row in batch]).delete()
