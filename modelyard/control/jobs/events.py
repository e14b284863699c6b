"""A job as it goes on, as server-sent events (HTML standard, section 9.2).

Under ASGI a stream looks at the database once a second, in a thread of its own request, and waits on the event loop
in between: it holds up nobody. Under WSGI, where it would hold a worker, it ends after one look, and the client comes
back after a second, as the standard has it.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from weakref import WeakSet

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.db import DatabaseError, connection
from django.http import StreamingHttpResponse
from rest_framework.request import Request
from rest_framework.utils.encoders import JSONEncoder

from modelyard.control.jobs.models import Job, JobLine
from modelyard.control.jobs.serializers import JobSerializer, LineSerializer
from modelyard.control.rest.authentication import actor_again
from modelyard.control.tenancy.models import Scope
from modelyard.control.tenancy.services import require
from modelyard.core.errors import ModelyardError, Unavailable

MOST_STREAMS = 100
"""Open at once in one process."""
LONGEST_SECONDS = 600.0
LOOK_SECONDS = 1.0
QUIET_SECONDS = 15.0
"""After so long without news a comment is sent, so that nobody between us takes the connection for dead."""
RETRY = b"retry: 1000\n\n"
PROGRESS = ("progress", "message", "rows_done", "rows_total", "rows_per_second", "eta_seconds", "metrics")

_open: "WeakSet[EventStream]" = WeakSet()
_closing = [False]


def close_all() -> None:
    """Let every stream of this process end within a second: the server stops. May be called by a signal handler."""
    _closing[0] = True


class Follower:
    """What is new of a job since the last look."""

    def __init__(self, job: Job, after: int) -> None:
        self._job, self._after = job, after
        self._state: Any = None
        self._progress: Any = None
        self.ended = False

    def news(self) -> list[bytes]:
        """Return the events since the last look; the last of a job is `end`."""
        rows = Job.objects.of(self._job.tenant).with_parts_progress().select_related("parent")
        job = rows.filter(pk=self._job.pk).first()
        if job is None:
            self.ended = True
            return [event("end", {"id": str(self._job.pk), "state": "deleted"})]
        found = []
        for line in JobLine.objects.filter(job=job, number__gt=self._after):
            self._after = line.number
            found.append(event("line", LineSerializer(line).data, line.number))
        said = JobSerializer(job).data
        state = {name: value for name, value in said.items() if name not in (*PROGRESS, "last_line")}
        progress = {name: said[name] for name in PROGRESS}
        if state != self._state:
            found.append(event("state", state))
        if progress != self._progress:
            found.append(event("progress", progress))
        self._state, self._progress = state, progress
        if not job.is_open:
            self.ended = True
            found.append(event("end", said))
        return found


def event(name: str, data: Any, number: int | None = None) -> bytes:
    """Return one event; its data are one line of JSON."""
    text = json.dumps(data, cls=JSONEncoder, ensure_ascii=False)
    return (f"id: {number}\n" * (number is not None) + f"event: {name}\ndata: {text}\n\n").encode()


def after_of(request: Request) -> int:
    """Return the number of the last line that the client has: `Last-Event-ID`, or `?after=`."""
    told = request.headers.get("Last-Event-ID") or request.query_params.get("after") or ""
    return int(told) if told.isascii() and told.isdigit() and len(told) < 10 else 0


def stream(request: Request, job: Job) -> StreamingHttpResponse:
    """Answer with the job's events.

    Raises:
        Unavailable: when too many streams are open in this process.
    """
    follower = Follower(job, after_of(request))
    if not isinstance(request._request, ASGIRequest):
        return EventStream(iter([RETRY, *follower.news()]))
    if len(_open) >= MOST_STREAMS or _closing[0]:
        raise Unavailable(
            "too many clients follow jobs just now: ask again in some seconds, or ask for `lines` instead",
            retry_after_seconds=5,
        )

    def look() -> list[bytes]:
        try:
            # A key may be revoked, and a member removed, while the stream is open.
            require(actor_again(request), Scope.READ)
            return follower.news()
        finally:
            if not connection.in_atomic_block:
                connection.close()

    response = EventStream(_events(look, follower))
    _open.add(response)
    return response


async def _events(look: Callable[[], list[bytes]], follower: Follower) -> AsyncIterator[bytes]:
    yield RETRY
    end, told = time.monotonic() + LONGEST_SECONDS, time.monotonic()
    while not _closing[0] and time.monotonic() < end:
        try:
            found = await sync_to_async(look)()
        except (ModelyardError, DatabaseError):
            return  # the client comes back, and is told why in full
        if found:
            told = time.monotonic()
            yield b"".join(found)
        elif time.monotonic() - told > QUIET_SECONDS:
            told = time.monotonic()
            yield b": it goes on\n\n"
        if follower.ended:
            return
        await asyncio.sleep(LOOK_SECONDS)


class EventStream(StreamingHttpResponse):
    """The answer; it counts as open until it is closed."""

    def __init__(self, events: Iterator[bytes] | AsyncIterator[bytes]) -> None:
        super().__init__(events, content_type="text/event-stream; charset=utf-8")
        self["Cache-Control"] = "no-store"
        self["X-Accel-Buffering"] = "no"

    def close(self) -> None:
        _open.discard(self)
        super().close()
