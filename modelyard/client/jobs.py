"""The part of the client that speaks of background work: listed, followed, cancelled, run again."""

import time
from collections.abc import Iterator
from typing import Any

from modelyard.client.connected import Connected
from modelyard.client.records import Job, JobEvent
from modelyard.client.transport import API, Transport
from modelyard.core.errors import InvalidInput, NotAcceptable, NotFound, Unavailable

POLL_SECONDS = 1.0
PATIENCE_SECONDS = 60.0
"""How long a server that answers nothing is asked again."""


class Jobs(Connected):
    """What `Client` inherits."""

    def jobs(self, **filters: str) -> Iterator[Job]:
        """Give the tenant's jobs, the newest first; `filters` are the API's, as `state="failed"`.

        Example:
            >>> [job.id for job in yard.jobs(kind="registration", state="failed")]
        """
        return self._list(f"{API}/jobs/", Job, filters)

    def job(self, job: Job | str) -> Job:
        """Return a job as it is now."""
        return self._get(job_path(job), Job)

    def cancel(self, job: Job | str) -> Job:
        """End a job that is not wanted any more; one that runs ends within a second or two.

        Raises:
            Conflict: when it has ended.
        """
        return self._send("POST", f"{job_path(job)}cancel", Job, None)

    def again(self, job: Job | str) -> Job:
        """Run an ended job again, as a new one, and return that.

        Raises:
            Conflict: when it has not ended, or is of a kind that cannot be repeated.
        """
        return self._send("POST", f"{job_path(job)}again", Job, None)

    def watch(self, job: Job | str) -> Iterator[JobEvent]:
        """Follow a job to its end: `state`, `progress`, `line`, and at last `end`, whose data are the whole job.

        A connection that breaks is made again, without a line twice or missing (but for those that the server had to
        drop). Where no stream can be had, the server is asked each second.

        Raises:
            Unavailable: when the server answers nothing for a minute.

        Example:
            >>> for event in yard.watch(job):
            ...     print(event.kind, event.data)
        """
        follower = _Follower(self._control, job_path(job))
        silent_since: float | None = None
        while True:
            try:
                for event in follower.events():
                    silent_since = None
                    yield event
                    if event.kind == "end":
                        return
            except Unavailable:
                silent_since = silent_since or time.monotonic()
                if time.monotonic() - silent_since > PATIENCE_SECONDS:
                    raise
            time.sleep(POLL_SECONDS)


class _Follower:
    """Tells what is new of a job, whichever way it can be had, over several connections."""

    def __init__(self, control: Transport, path: str) -> None:
        self._control, self._path = control, path
        self._after = 0
        self._told: dict[str, Any] = {}
        self._streams = True

    def events(self) -> Iterator[JobEvent]:
        """Give what is new, until the connection ends."""
        for kind, data in self._streamed() if self._streams else self._asked():
            if kind == "line":
                if data["number"] <= self._after:
                    continue
                self._after = data["number"]
            elif kind in ("state", "progress") and self._told.get(kind) == data:
                continue
            self._told[kind] = data
            yield JobEvent(kind, data)

    def _streamed(self) -> Iterator[tuple[str, Any]]:
        headers = {"last-event-id": str(self._after)} if self._after else {}
        try:
            yield from self._control.events(f"{self._path}events", headers)
        except (NotFound, NotAcceptable):
            self._control.get(self._path)  # without such a job this says so; else it is an older server
            self._streams = False
        except Unavailable:
            yield from self._asked()

    def _asked(self) -> Iterator[tuple[str, Any]]:
        row = self._control.get(self._path)
        for line in self._control.get(f"{self._path}lines", {"after": str(self._after)})["results"]:
            yield "line", line
        progress = ("progress", "message", "rows_done", "rows_total", "rows_per_second", "eta_seconds", "metrics")
        yield (
            "state",
            {name: row.get(name) for name in ("id", "kind", "about", "state", "error", "outcome", "cancel_asked_at")},
        )
        yield "progress", {name: row.get(name) for name in progress}
        if row["state"] not in ("queued", "running"):
            yield "end", row


def job_path(job: Job | str) -> str:
    """Return where a job is asked for."""
    name = job.id if isinstance(job, Job) else job
    if not name or not all(letter.isalnum() or letter == "-" for letter in name):
        raise InvalidInput(f"{name[:60]!r} is no job's id: `modelyard jobs list` shows them")
    return f"{API}/jobs/{name}/"
