"""The part of the client that speaks of schedules: what is started again and again."""

from collections.abc import Iterator, Mapping
from typing import Any

from modelyard.client.connected import Connected
from modelyard.client.records import Run, Schedule
from modelyard.client.transport import API
from modelyard.core.reference import check_name


class Schedules(Connected):
    """What `Client` inherits."""

    def schedules(self, **filters: str) -> Iterator[Schedule]:
        """Give the tenant's schedules, by name; `filters` are the API's, as `state="paused"`."""
        return self._list(f"{API}/schedules/", Schedule, filters)

    def schedule(self, schedule: Schedule | str) -> Schedule:
        """Return a schedule as it is now, with its next five times and its last run."""
        return self._get(_path(schedule), Schedule)

    def create_schedule(self, name: str, body: Mapping[str, Any], *, kind: str = "training", **said: Any) -> Schedule:
        """Make a schedule, which acts for the key's holder.

        Args:
            body: the request that each run makes: of a training `model`, `dataset`, `parameters`, and `trainer`; of a
                scoring `model`, `dataset`, and what `score` takes.
            said: when, as `cron` with `time_zone`, `interval_seconds` or `on_dataset`; `overlap`; `max_failures`.

        Raises:
            InvalidInput: also where the request itself would be refused now.

        Example:
            >>> body = {"model": "delays", "dataset": "flights", "parameters": {"target": "late"}}
            >>> yard.create_schedule("nightly", body, cron="30 2 * * *", time_zone="Europe/Berlin")
        """
        given = {"name": name, "kind": kind, "body": dict(body), **said}
        return self._send("POST", f"{API}/schedules/", Schedule, given)

    def change_schedule(self, schedule: Schedule | str, **changes: Any) -> Schedule:
        """Change what is given of a schedule: `body`, when, `overlap`, `max_failures`."""
        return self._send("PATCH", _path(schedule), Schedule, changes)

    def pause_schedule(self, schedule: Schedule | str, reason: str = "") -> Schedule:
        """Have it start nothing more until it is resumed; what goes on goes on."""
        return self._send("POST", f"{_path(schedule)}pause", Schedule, {"reason": reason})

    def resume_schedule(self, schedule: Schedule | str) -> Schedule:
        """Have it go on, for the key's holder from now on."""
        return self._send("POST", f"{_path(schedule)}resume", Schedule, None)

    def run_schedule(self, schedule: Schedule | str) -> Run:
        """Start a run now, paused or not.

        Raises:
            Conflict: when the former run still goes on, and none may wait for it.
        """
        return self._send("POST", f"{_path(schedule)}run", Run, None)

    def runs(self, schedule: Schedule | str, **filters: str) -> Iterator[Run]:
        """Give a schedule's runs, the newest first; `filters` are the API's, as `state="failed"`."""
        return self._list(f"{_path(schedule)}runs/", Run, filters)

    def delete_schedule(self, schedule: Schedule | str) -> None:
        """Delete a schedule and its runs; the jobs that it started stay."""
        self._control.send("DELETE", _path(schedule))


def _path(schedule: Schedule | str) -> str:
    return f"{API}/schedules/{check_name(str(schedule), 'a schedule')}/"
