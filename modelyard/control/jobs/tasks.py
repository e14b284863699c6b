"""The one message that the queue carries: there is work on this job."""

from uuid import UUID

import structlog
from celery import shared_task

from modelyard.control.jobs.work import perform_next

log = structlog.get_logger(__name__)


@shared_task(name="modelyard.work", ignore_result=True)
def work(job_id: str) -> None:
    """Do a job: this one, or one whose tenant has had less. Then the other's own message does this one.

    Never raises and never returns anything: Celery would pickle it.
    """
    try:
        UUID(job_id)
    except (ValueError, AttributeError, TypeError):
        log.error("message_not_understood")
        return
    perform_next()
