"""Copying artifacts from one store to another, so that another setting can be chosen."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from modelyard.artifacts.checking import is_whole
from modelyard.artifacts.store import ArtifactStore
from modelyard.control.registry.models import Artifact
from modelyard.core.errors import ArtifactCorrupt, ModelyardError

PAGE = 500

Report = Callable[[float, str], None]
"""Takes the part that is done, 0 to 1, and what was done last."""


@dataclass
class Moved:
    """What came of a move. `failed` holds tenant, digest and reason of what could not be copied."""

    copied: int = 0
    were_there: int = 0
    copied_bytes: int = 0
    forgotten: int = 0
    failed: list[tuple[str, str, str]] = field(default_factory=list)


def copy_artifacts(*, source: ArtifactStore, target: ArtifactStore, report: Report) -> Moved:
    """Copy every artifact that `target` does not have whole. Interrupted, it goes on where it was when called again.

    Digests are checked on both sides: what leaves `source`, and what `target` has afterwards, or had already. What
    cannot be copied is told in the answer, and keeps none of the others.
    """
    moved = Moved()
    total = Artifact.objects.count() or 1
    for count, (tenant, digest, size_bytes) in enumerate(_artifacts(), 1):
        try:
            if is_whole(target, tenant, digest):
                moved.were_there += 1
            else:
                _copy(source, target, tenant, digest, size_bytes)
                moved.copied += 1
                moved.copied_bytes += size_bytes
        except ModelyardError as error:
            if _is_known(tenant, digest):
                moved.failed.append((tenant, digest, error.message))
        report(min(count / total, 1.0), digest[:12])
    return moved


def forget_artifacts(*, source: ArtifactStore, target: ArtifactStore, report: Report) -> Moved:
    """Delete from `source` every artifact that `target` has whole; the others stay and are told."""
    moved = Moved()
    total = Artifact.objects.count() or 1
    for count, (tenant, digest, _) in enumerate(_artifacts(), 1):
        if is_whole(target, tenant, digest):
            source.delete(tenant, digest)
            moved.forgotten += 1
        elif _is_known(tenant, digest):
            moved.failed.append((tenant, digest, "it is not whole in the store that it was to be copied to"))
        report(min(count / total, 1.0), digest[:12])
    return moved


def _copy(source: ArtifactStore, target: ArtifactStore, tenant: str, digest: str, size_bytes: int) -> None:
    target.put(tenant, source.open(tenant, digest), size_bytes)
    if not is_whole(target, tenant, digest):
        raise ArtifactCorrupt("what was read back after copying has another digest", digest=digest)


def _is_known(tenant: str, digest: str) -> bool:
    """Tell whether the artifact was not deleted meanwhile."""
    return Artifact.objects.filter(tenant_id=int(tenant), digest=digest).exists()


def _artifacts() -> Iterator[tuple[str, str, int]]:
    """Give tenant, digest and size of all, a page at a time: a copy may take hours, and holds nothing open."""
    rows = Artifact.objects.order_by("pk").values_list("pk", "tenant_id", "digest", "size_bytes")
    page = list(rows[:PAGE])
    while page:
        for _, tenant, digest, size_bytes in page:
            yield str(tenant), digest, size_bytes
        page = list(rows.filter(pk__gt=page[-1][0])[:PAGE])
