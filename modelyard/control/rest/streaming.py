"""A long body that is never whole in memory, under ASGI as under WSGI."""

from collections.abc import AsyncIterator, Iterable
from typing import Any

from asgiref.sync import sync_to_async
from django.http import StreamingHttpResponse


class ChunksResponse(StreamingHttpResponse):
    """Sends the chunks of a synchronous iterator; under ASGI each is fetched in a thread, one at a time.

    Django itself would read them all into a list first. Artifacts go out as attachments that no browser interprets.
    """

    def __init__(self, chunks: Iterable[bytes], *, filename: str, size_bytes: int | None = None, **kwargs: Any) -> None:
        kwargs.setdefault("content_type", "application/octet-stream")
        self._chunks = iter(chunks)
        super().__init__(self._chunks, **kwargs)
        safe = "".join(
            letter if letter.isascii() and (letter.isalnum() or letter in "._-") else "_" for letter in filename
        )
        self["Content-Disposition"] = f'attachment; filename="{safe or "artifact"}"'
        self["X-Content-Type-Options"] = "nosniff"
        if size_bytes is not None:
            self["Content-Length"] = str(size_bytes)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        chunks = iter(self)
        following = sync_to_async(lambda: next(chunks, None))
        while (chunk := await following()) is not None:
            yield chunk
