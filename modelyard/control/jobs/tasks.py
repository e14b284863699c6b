"""The one message that the queue carries: there is work on this job."""

import time
from uuid import UUID

import structlog
from celery import shared_task

from modelyard.control.jobs.work import perform_next

WHILE_SECONDS = 60.0
"""RabbitMQ takes a message back that is not acknowledged for half an hour."""

log = structlog.get_logger(__name__)


@shared_task(name="modelyard.work", ignore_result=True)
def work(job_id: str) -> None:
    """Do jobs, that of the tenant that has had least first, until none waits, the worker stops, or a while has passed:
    between two of them nobody waits for a message. Those that come later find nothing to do.

    Never raises and never returns anything: Celery would pickle it.
    """
    try:
        UUID(job_id)
    except (ValueError, AttributeError, TypeError):
        log.error("message_not_understood")
        return
    end = time.monotonic() + WHILE_SECONDS
    while perform_next() and time.monotonic() < end and not _stopping():
        pass


def _stopping() -> bool:
    # Loaded in a worker alone: it brings all that a worker is.
    from celery.worker import state

    return state.should_stop is not None or state.should_terminate is not None
