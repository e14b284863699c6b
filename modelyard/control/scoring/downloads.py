"""What a scoring left, as attachments: over REST and in the console."""

from itertools import chain

from modelyard.control.jobs.models import Job, State
from modelyard.control.registry.storage import store
from modelyard.control.rest import ChunksResponse
from modelyard.control.scoring import services
from modelyard.control.scoring.models import Role, ScoredFile
from modelyard.core.errors import Conflict, NotFound

_LOST = "a piece of it is not in the store any more: run the job again to have it"


def download(job: Job, role: Role) -> ChunksResponse:
    """Return a file of the job's.

    Raises:
        Conflict: while the job is open.
        NotFound: when it has no such file, or a piece of it is not in the store.
    """
    if job.kind != services.KIND:
        raise NotFound("the job is no scoring: it has no such file", what="result")
    if job.is_open:
        raise Conflict(f"the job is {job.state}: its result is there once it has succeeded", state=job.state)
    pieces = [piece.artifact for piece in ScoredFile.objects.filter(job=job, role=role).select_related("artifact")]
    said = job.outcome or {}
    if not pieces:
        raise NotFound(_why_none(job, role), what="result")
    ending = str(said.get("format")) if role == Role.RESULT else "failed.jsonl"
    name = f"{said['dataset']}-{said['version']}.{ending}".replace(":", "-")
    try:
        opened = [store().open(str(job.tenant_id), piece.digest) for piece in pieces]
    except NotFound as lost:
        raise NotFound(f"{_LOST} ({lost.message})", what="result") from None
    size = sum(piece.size_bytes for piece in pieces)
    return ChunksResponse(chain.from_iterable(opened), filename=name, size_bytes=size)


def _why_none(job: Job, role: Role) -> str:
    if job.state != State.SUCCEEDED:
        return f"the job {'was cancelled' if job.state == State.CANCELLED else 'failed'}: it left nothing"
    if role == Role.FAILED and not (job.outcome or {}).get("failed_rows"):
        return "no row failed"
    return "it was deleted: run the job again to have it"
