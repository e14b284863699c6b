"""The table that `artifacts.database.DatabaseStore` is handed: payloads and their chunks, over Django's models."""

from collections.abc import Iterator
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from modelyard.artifacts.store import Stored
from modelyard.control.registry.models import Payload, PayloadChunk


class PayloadTable:
    """See `artifacts.database.Table`. Each call is a statement of its own, so an upload keeps no other writer waiting.

    Called within a transaction of the caller's, its changes stand or fall with that.
    """

    def begin(self, tenant: int) -> int:
        return int(Payload.objects.create(tenant_id=tenant).pk)

    def add(self, tenant: int, payload: int, position: int, chunk: bytes) -> None:
        PayloadChunk.objects.create(tenant_id=tenant, payload_id=payload, position=position, data=chunk)

    def finish(self, payload: int, stored: Stored) -> bool:
        draft = Payload.objects.filter(pk=payload, digest=None)
        try:
            with transaction.atomic():
                return draft.update(digest=stored.digest, size_bytes=stored.size_bytes) == 1
        except IntegrityError:
            return False

    def find(self, tenant: int, digest: str) -> int | None:
        found = Payload.objects.filter(tenant_id=tenant, digest=digest).values_list("pk", flat=True).first()
        return None if found is None else int(found)

    def chunk(self, payload: int, position: int) -> bytes | None:
        chunks = PayloadChunk.objects.filter(payload_id=payload, position=position)
        data = chunks.values_list("data", flat=True).first()
        return None if data is None else bytes(data)

    def drop(self, payload: int, *, draft: bool) -> None:
        with transaction.atomic():
            found = Payload.objects.filter(pk=payload, digest__isnull=draft).select_for_update().first()
            if found is not None:
                _forget([payload])

    def finished(self, tenant: int) -> Iterator[Stored]:
        rows = Payload.objects.filter(tenant_id=tenant, digest__isnull=False).values_list("digest", "size_bytes")
        for digest, size_bytes in rows.iterator(chunk_size=500):
            yield Stored(str(digest), size_bytes)

    def sweep(self, older_than_seconds: float) -> int:
        before = timezone.now() - timedelta(seconds=older_than_seconds)
        with transaction.atomic():
            left = Payload.objects.filter(digest=None, begun_at__lte=before).select_for_update()
            found = list(left.values_list("pk", flat=True))
            _forget(found)
        return len(found)


def _forget(payloads: list[int]) -> None:
    """Delete by statements: the ORM's own cascade would read the chunks' bytes first."""
    chunks = PayloadChunk.objects.filter(payload_id__in=payloads)
    chunks._raw_delete(chunks.db)
    rows = Payload.objects.filter(pk__in=payloads)
    rows._raw_delete(rows.db)
