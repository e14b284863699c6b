"""What makes up for all that can get lost: workers, and messages."""

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from modelyard.control.jobs import services
from modelyard.control.jobs.models import OPEN, Job, Outbox, State
from modelyard.control.jobs.outbox import announce
from modelyard.control.jobs.transitions import ago, cancel_parts, lock_above, resume

log = structlog.get_logger(__name__)

BATCH = 100
PARTS = 500
"""Parts of one job that are cancelled in one turn."""


def sweep() -> int:
    """Bring back jobs whose worker is lost, and announce again those that nobody took; return how many."""
    return sweep_leases() + sweep_parts() + sweep_messages()


def sweep_leases() -> int:
    """Queue again each job whose lease ran out."""
    overdue = Job.objects.filter(state=State.RUNNING, lease_expires_at__lt=Now()).order_by("lease_expires_at")
    count = 0
    for job in overdue[:BATCH]:
        if services.lose(job):
            log.warning("job_lease_expired", job=str(job.pk), worker=job.worker, losses=job.losses + 1)
            count += 1
    return count


def sweep_parts() -> int:
    """Queue again each job whose parts have all ended, and cancel the parts that nobody wants any more."""
    going = Exists(Job.objects.filter(parent=OuterRef("pk"), state__in=OPEN))
    count = 0
    for job in Job.objects.waiting().filter(~going).order_by("created_at")[:BATCH]:
        with transaction.atomic():
            lock_above(job)
            Job.objects.waiting().filter(~going, pk=job.pk).update(parts_open=0)
            count += resume(job.pk)
    unasked = Exists(Job.objects.filter(parent=OuterRef("pk"), state__in=OPEN, cancel_asked_at=None))
    missing = Exists(Job.objects.filter(parent=OuterRef("pk"), state__in=(State.FAILED, State.CANCELLED)))
    unwanted = Q(cancel_asked_at__isnull=False) | (Q(fail_fast=True) & missing)
    for job in Job.objects.waiting().filter(unwanted, unasked).order_by("created_at")[:BATCH]:
        count += cancel_parts(job, job.cancelled_by or services.SYSTEM, PARTS)
    return count


def sweep_messages() -> int:
    """Announce the oldest queued jobs whose message must be lost, or whose pause is over; of a long queue only the
    head, or the broker would fill with copies."""
    head = Job.objects.due().order_by("created_at").values("pk")[:BATCH]
    late = Q(sent_at__lt=ago(settings.MODELYARD.job_resend_seconds))
    late |= Q(sent_at=None, created_at__lt=ago(settings.MODELYARD.job_resend_seconds))
    late |= Q(sent_at=None, retry_at__isnull=False)
    waiting = Exists(Outbox.objects.filter(job=OuterRef("pk")))
    lost = list(Job.objects.filter(late, ~waiting, pk__in=list(head.values_list("pk", flat=True))))
    announce(job.pk for job in lost)
    if lost:
        log.info("jobs_announced_again", jobs=len(lost))  # of a long queue, most only wait
    return len(lost)
