"""Brings serving artifacts to where the data plane takes them from, where that is not the store itself.

They are there before a document names them, and are mended when they were lost: the data plane asks no database.
"""

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter

import structlog
from django.db.models import Exists, OuterRef

from modelyard.artifacts.filesystem import FilesystemStore
from modelyard.control.deployments.documents import MOST_VERSIONS
from modelyard.control.deployments.models import Arm
from modelyard.control.precomputed.models import Precomputation
from modelyard.control.registry.models import Alias, Artifact, Version
from modelyard.control.registry.storage import serving_store, store
from modelyard.core.errors import ArtifactCorrupt, NotFound, TooLarge
from modelyard.exchange.snapshot import ModelDocument

log = structlog.get_logger(__name__)

UNUSED_SECONDS = 24 * 3600.0


def bring(tenant: str, document: ModelDocument) -> None:
    """Put there what the document's versions are served from, and its stored answers.

    A version whose bytes are rotten or gone keeps none of the others from being published: the data plane refuses that
    one by its digest, stays with what it serves, and says why.
    """
    place = serving_store()
    if place is None:
        return
    for version in document.versions.values():
        _copy(place, tenant, version.digest, version.size_bytes)
    if document.precomputed is not None:
        _copy(place, tenant, document.precomputed.digest, document.precomputed.size_bytes)


def restore() -> int:
    """Put back what may be asked for and is not there (any more); return how many were brought.

    So a place that was emptied is mended, and one that is used for the first time is filled.
    """
    place = serving_store()
    if place is None:
        return 0
    return sum(_copy(place, *artifact) for artifact in _named())


def _named() -> Iterator[tuple[str, str, int]]:
    """Give tenant, digest and size of what documents name.

    These are the plans' versions, the aliases', the newest, and the stored answers.
    """
    arms, aliases = (table.objects.filter(version=OuterRef("pk")) for table in (Arm, Alias))
    versions = Version.objects.ready().filter(serving__isnull=False).order_by("model_id", "-number")
    rows = versions.annotate(needed=Exists(arms) | Exists(aliases)).values_list(
        "model_id", "needed", "tenant_id", "serving__digest", "serving__size_bytes"
    )
    for _, of_model in groupby(rows.iterator(chunk_size=500), key=itemgetter(0)):
        for place, (_, needed, tenant, digest, size_bytes) in enumerate(of_model):
            if needed or place < MOST_VERSIONS:
                yield str(tenant), digest, size_bytes
    stored = Precomputation.objects.current().filter(artifact__isnull=False)
    for tenant, digest, size_bytes in stored.order_by("pk").values_list("tenant_id", "digest", "size_bytes"):
        yield str(tenant), digest, size_bytes


def sweep(older_than_seconds: float = UNUSED_SECONDS) -> int:
    """Delete what no version is served from any more, nor stored answers are told from; return how many.

    What was brought lately stays: a version that is being published may need it.
    """
    place = serving_store()
    if place is None:
        return 0
    served = Version.objects.filter(serving=OuterRef("pk"))
    stored = Precomputation.objects.current().filter(artifact=OuterRef("pk"))
    used = Artifact.objects.filter(Exists(served) | Exists(stored))
    deleted = 0
    for tenant, digest in place.untouched(older_than_seconds):
        if not used.filter(tenant_id=int(tenant), digest=digest).exists():
            place.delete(tenant, digest)
            deleted += 1
    return deleted


def _copy(place: FilesystemStore, tenant: str, digest: str, size_bytes: int) -> bool:
    """Copy one artifact, unless it is there; its age begins anew either way, so that `sweep` leaves it."""
    if place.touch(tenant, digest, size_bytes):
        return False
    try:
        place.put(tenant, store().open(tenant, digest), size_bytes)
    except (ArtifactCorrupt, NotFound, TooLarge) as error:
        log.error("artifact_not_served", tenant_id=tenant, digest=digest, code=error.code)
        return False
    return True
