"""How parts of a job are made, and what each may use."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from modelyard.control.jobs.handlers import handler_for
from modelyard.control.jobs.models import Job, JobLimits
from modelyard.control.jobs.outbox import announce
from modelyard.control.tenancy.models import Tenant
from modelyard.core.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Part:
    """A job to be made as a part of another; `limits` as in `submit`. Without a `tenant` it is the other's."""

    kind: str
    payload: dict[str, Any] = field(default_factory=dict)
    limits: JobLimits | None = None
    tenant: Tenant | None = None


def check_parts(parts: Sequence[Part]) -> None:
    """Let pass parts that somebody does.

    Raises:
        Misconfigured: when nobody does jobs of a part's kind.
    """
    if not parts:
        raise ValueError("a job is split into one part at least")
    for part in parts:
        handler_for(part.kind)


def make_parts(job: Job, parts: Sequence[Part], before: int) -> list[Job]:
    """Make parts of a job that has had `before`, each with its message."""
    made = Job.objects.bulk_create(
        Job(
            tenant_id=part.tenant.pk if part.tenant else job.tenant_id,
            kind=part.kind,
            payload=part.payload,
            created_by=job.created_by,
            parent_id=job.pk,
            part=before + number,
            **columns_of(part.limits),
        )
        for number, part in enumerate(parts, 1)
    )
    announce(part.pk for part in made)
    return made


def columns_of(limits: JobLimits | None) -> dict[str, Any]:
    """Return the columns of a job's own limits.

    Raises:
        InvalidInput: when one is more than the operator's.
    """
    if limits is None:
        return {}
    own = settings.MODELYARD
    most = JobLimits(own.job_timeout_seconds, own.job_memory_bytes, own.job_output_bytes)
    found = {}
    for name in ("seconds", "memory_bytes", "output_bytes"):
        wanted, allowed = getattr(limits, name), getattr(most, name)
        if not 0 < wanted <= allowed:
            raise InvalidInput.at(f"limits.{name}", f"got {wanted:g}, expected more than 0 and at most {allowed:g}")
        found[f"max_{name}"] = wanted
    return found
