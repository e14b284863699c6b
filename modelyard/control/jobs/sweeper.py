"""What makes up for all that can get lost: workers, and messages."""

import structlog
from django.conf import settings
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from modelyard.control.jobs import services
from modelyard.control.jobs.models import Job, Outbox, State

log = structlog.get_logger(__name__)

BATCH = 100


def sweep() -> int:
    """Bring back jobs whose worker is lost, and announce again those that nobody took; return how many."""
    return sweep_leases() + sweep_messages()


def sweep_leases() -> int:
    """Queue again each job whose lease ran out."""
    overdue = Job.objects.filter(state=State.RUNNING, lease_expires_at__lt=Now()).order_by("lease_expires_at")
    count = 0
    for job in overdue[:BATCH]:
        if services.lose(job):
            log.warning("job_lease_expired", job=str(job.pk), worker=job.worker, losses=job.losses + 1)
            count += 1
    return count


def sweep_messages() -> int:
    """Announce again the oldest queued jobs whose message must be lost; of a long queue only the head, or the broker
    would fill with copies."""
    head = Job.objects.filter(state=State.QUEUED).order_by("created_at").values("pk")[:BATCH]
    late = Q(sent_at__lt=services.ago(settings.MODELYARD.job_resend_seconds))
    late |= Q(sent_at=None, created_at__lt=services.ago(settings.MODELYARD.job_resend_seconds))
    waiting = Exists(Outbox.objects.filter(job=OuterRef("pk")))
    lost = list(Job.objects.filter(late, ~waiting, pk__in=list(head.values_list("pk", flat=True))))
    Outbox.objects.bulk_create([Outbox(job=job) for job in lost])
    if lost:
        log.warning("jobs_announced_again", jobs=len(lost))
    return len(lost)
