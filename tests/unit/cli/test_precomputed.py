"""What is told of stored answers at the terminal."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from modelyard.cli import precomputed
from modelyard.client.records import Job


class Yard:
    """A server that has some jobs, and no stored answers yet."""

    client: Any

    def __init__(self, *jobs: Job) -> None:
        self.client, self.kept = self, jobs

    def precomputations(self, model: str) -> list[Any]:
        return []

    def jobs(self, *, kind: str, state: str) -> Iterator[Job]:
        return (job for job in self.kept if (job.kind, job.state) == (kind, state))


def listed(*jobs: Job, monkeypatch: pytest.MonkeyPatch, json: bool = False) -> None:
    @contextmanager
    def connected(_: object) -> Iterator[Yard]:
        yield Yard(*jobs)

    monkeypatch.setattr(precomputed, "connected", connected)
    precomputed.list_precomputations("late", json=json)


def job(key: str, state: str, about: str = "late:1 on small:1", kind: str = "precomputing") -> Job:
    return Job(id=key, kind=kind, state=state, about=about)


@pytest.mark.parametrize("state", ["queued", "running"])
def test_answers_that_are_being_stored_are_told(
    state: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    others = (job("b", state, "later:1 on small:1"), job("c", "succeeded"), job("d", state, kind="scoring"))
    listed(job("a", state), *others, monkeypatch=monkeypatch)
    shown = capsys.readouterr().out
    assert "none yet" in shown
    assert "publish" not in shown
    assert [line.strip() for line in shown.splitlines() if "storing" in line] == [
        "storing  late:1 on small:1: modelyard jobs watch a"
    ]


def test_where_none_are_stored_or_asked_for_it_is_told_how(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    listed(job("c", "failed"), monkeypatch=monkeypatch)
    assert "modelyard precomputed publish" in capsys.readouterr().out
    listed(job("a", "running"), monkeypatch=monkeypatch, json=True)
    assert capsys.readouterr().out.strip() == "[]"
