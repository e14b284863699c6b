"""How the files of a scoring and of its parts come into the store, and become theirs."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import transaction

from modelyard.artifacts.store import Stored
from modelyard.control.jobs.models import Job
from modelyard.control.jobs.services import completing
from modelyard.control.registry.storage import store
from modelyard.control.registry.uploads import lock, release
from modelyard.control.scoring.models import Role, ScoredFile
from modelyard.core.errors import TooLarge
from modelyard.core.metrics import bytes_amount


def put(job: Job, chunks: Iterable[bytes]) -> Stored:
    """Put what a job leaves into the store.

    Raises:
        TooLarge: when it is more than the job may leave: another try would come to the same.
    """
    most = job.limits.output_bytes
    try:
        return store().put(str(job.tenant_id), chunks, most)
    except TooLarge:
        raise _too_large(most) from None


def check_size(job: Job, size_bytes: int) -> None:
    """Check what a job leaves in all. Raises `TooLarge` when it is more than it may leave."""
    if size_bytes > job.limits.output_bytes:
        raise _too_large(job.limits.output_bytes)


@contextmanager
def completed_with(
    job: Job, outcome: dict[str, Any], files: dict[Role, Stored], *, place: int = 0, tail: bytes = b""
) -> Iterator[None]:
    """Make the pieces the job's, what the block writes, and the job's success one transaction; else the pieces go.

    Raises:
        LeaseLost, Cancelled: see `jobs.services.completing`.
    """
    wanted = list(files.values())
    try:
        with transaction.atomic():
            lock(job.tenant, wanted, make=True)
        with completing(job, outcome):
            artifacts = lock(job.tenant, wanted)
            ScoredFile.objects.bulk_create(
                ScoredFile(
                    tenant_id=job.tenant_id,
                    job=job,
                    role=role,
                    place=place,
                    tail=tail if role == Role.RESULT else b"",
                    artifact=artifacts[stored.digest],
                )
                for role, stored in files.items()
            )
            yield
    except BaseException:
        release(job.tenant, [stored.digest for stored in wanted])
        raise


def _too_large(most: int) -> TooLarge:
    return TooLarge(
        f"the result has more than the {bytes_amount(most)} that a job may leave: keep fewer columns, score to "
        "Parquet, or have the operator raise MODELYARD_JOB_OUTPUT_BYTES",
        max_bytes=most,
    )
