"""Artifacts come and go: kept when bytes arrive, released when no version needs them any more.

Bytes and rows live in two systems, so the order decides. Bytes are there before their row, and whoever makes or uses a
row holds it locked and has looked that the bytes are there. Who deletes locks the row, looks that nobody uses it,
deletes bytes and row, and commits. So a row that a version uses always has its bytes; what a crash can leave is an
artifact that nobody uses, which `sweep` finds, or bytes without a row, to which `adopt` gives one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice

import structlog
from django.db import transaction
from django.utils import timezone

from modelyard.artifacts.store import Stored
from modelyard.control.registry.facts import check_filename
from modelyard.control.registry.models import Artifact
from modelyard.control.registry.storage import store
from modelyard.control.rest.limits import UPLOAD, most_bytes, upload_too_large
from modelyard.control.tenancy.models import Scope, Tenant
from modelyard.control.tenancy.services import Actor, require
from modelyard.core.errors import InvalidInput, NotFound, TooLarge, Unavailable

log = structlog.get_logger(__name__)

ABANDONED_SECONDS = 24 * 3600
SWEEP_BATCH = 500


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that arrived and is in the store; `filename` is what the client calls it."""

    filename: str
    stored: Stored


def keep_upload(*, actor: Actor, filename: str, chunks: Iterable[bytes], setting: str = UPLOAD) -> Upload:
    """Put arriving bytes, bounded by the setting, into the store. A version or a dataset is made of them next; else
    they are gone a day later.

    Raises:
        TooLarge: once more came than an upload may have; nothing stays behind.
        InvalidInput: when the name is no plain name, or the file is empty.
    """
    require(actor, Scope.WRITE)
    check_filename(filename)
    try:
        stored = store().put(str(actor.tenant.pk), chunks, most_bytes(setting))
    except TooLarge:
        raise upload_too_large(setting) from None
    keep_stored(actor, stored)
    if stored.size_bytes == 0:
        release(actor.tenant, [stored.digest])
        raise InvalidInput.at("file", f"{filename} is empty")
    return Upload(filename, stored)


def keep_stored(actor: Actor, stored: Stored) -> None:
    """Make the row of bytes that were just put into the store, if there is none yet."""
    require(actor, Scope.WRITE)
    with transaction.atomic():
        lock(actor.tenant, [stored], make=True)


def lock(tenant: Tenant, wanted: Sequence[Stored], *, make: bool = False) -> dict[str, Artifact]:
    """Return the artifacts by digest, locked until the caller's transaction ends; with `make`, missing rows are made.

    Raises:
        Unavailable: when bytes were deleted in this very moment, because the last version made of them was.
    """
    sizes = {stored.digest: stored.size_bytes for stored in wanted}
    if make:
        rows = [Artifact(tenant=tenant, digest=digest, size_bytes=size) for digest, size in sorted(sizes.items())]
        Artifact.objects.bulk_create(rows, ignore_conflicts=True)
    locked = Artifact.objects.of(tenant).filter(digest__in=sizes).order_by("digest").select_for_update(no_key=True)
    found = {artifact.digest: artifact for artifact in locked}
    for digest in sizes:
        if digest not in found or not has_bytes(tenant, digest):
            raise Unavailable("the same file was being deleted at this moment: send it again")
    return found


def release(tenant: Tenant, digests: Iterable[str]) -> int:
    """Delete those of the artifacts that no version is made of or served from, and no dataset; return how many."""
    deleted = 0
    for digest in sorted(set(digests)):
        with transaction.atomic():
            locked = Artifact.objects.of(tenant).filter(digest=digest).select_for_update().first()
            if locked is not None and Artifact.objects.unused().filter(pk=locked.pk).exists():
                store().delete(str(tenant.pk), digest)
                locked.delete()
                deleted += 1
    return deleted


def release_later(tenant: Tenant, digests: Sequence[str]) -> None:
    """Release the artifacts once the caller's transaction is committed.

    What was committed stays so where that fails: the failure is logged, and `sweep` finds what is left.
    """

    def release_now() -> None:
        release(tenant, digests)

    transaction.on_commit(release_now, robust=True)


def sweep(older_than_seconds: float = ABANDONED_SECONDS) -> int:
    """Delete artifacts that were uploaded so long ago and never used, or that a crash left; return how many.

    Raises:
        Exception: the last that one of them met, after all were tried.
    """
    before = timezone.now() - timedelta(seconds=older_than_seconds)
    left = Artifact.objects.unused().filter(created_at__lt=before).select_related("tenant")[:SWEEP_BATCH]
    deleted, failure = 0, None
    for artifact in left:
        try:
            deleted += release(artifact.tenant, [artifact.digest])
        except Exception as error:
            log.warning("artifact_not_deleted", digest=artifact.digest, error=type(error).__name__)
            failure = error
    if failure is not None:
        raise failure
    return deleted


def adopt() -> int:
    """Give bytes that a crash left without a row one, so that `sweep` finds them; return how many there were.

    Those of an upload that is under way may be among them: it takes the row as its own.
    """
    count = 0
    for tenant in Tenant.objects.order_by("pk"):
        there = store().list(str(tenant.pk))
        while page := {stored.digest: stored.size_bytes for stored in islice(there, SWEEP_BATCH)}:
            known = set(Artifact.objects.of(tenant).filter(digest__in=page).values_list("digest", flat=True))
            rows = [Artifact(tenant=tenant, digest=name, size_bytes=page[name]) for name in page if name not in known]
            Artifact.objects.bulk_create(rows, ignore_conflicts=True)
            count += len(rows)
    return count


def forget(number: int) -> None:
    """Delete all bytes of the tenant that had this primary key, and is gone."""
    for stored in list(store().list(str(number))):
        store().delete(str(number), stored.digest)


def has_bytes(tenant: Tenant, digest: str) -> bool:
    """Tell whether the store has the artifact."""
    try:
        chunks = store().open(str(tenant.pk), digest)
    except NotFound:
        return False
    close = getattr(chunks, "close", None)
    if close is not None:
        close()
    return True
