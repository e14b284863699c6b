"""What is told of a job at the terminal."""

from typing import Any, cast

import pytest

from modelyard.cli import jobs
from modelyard.client.records import Job

KEY = "0a21a1a9-0000-0000-0000-000000000000"


class Yard:
    """A server that has one job."""

    client: Any

    def __init__(self, job: Job) -> None:
        self.client, self.kept = self, job

    def __enter__(self) -> "Yard":
        return self

    def __exit__(self, *_: object) -> None: ...

    def console(self) -> str:
        return "http://yard/t/demo/"

    def job(self, key: str) -> Job:
        return self.kept


def shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], job: Job) -> str:
    monkeypatch.setattr(jobs, "connected", lambda url: cast(Any, Yard(job)))
    jobs.show(KEY)
    return capsys.readouterr().out


def test_a_scoring_tells_the_rows_that_failed_and_where_they_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {"result": {"size_bytes": 9317, "pieces": []}, "failed": {"size_bytes": 470, "pieces": []}}
    outcome: dict[str, Any] = {"rows": 9000, "failed_rows": 2500, "files": files}
    told = shown(monkeypatch, capsys, Job(id=KEY, kind="scoring", state="succeeded", outcome=outcome))
    assert "failed   2,500 rows without a prediction" in told
    assert f"jobs result {KEY} --failed --to failed.jsonl" in told
    gone = shown(monkeypatch, capsys, Job(id=KEY, kind="scoring", state="succeeded", outcome={**outcome, "files": {}}))
    assert "2,500 rows without a prediction\n" in gone
    assert "files    deleted: " in gone
    assert f"jobs again {KEY}" in gone


def test_a_training_tells_metrics_as_the_other_verbs_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    job = Job(id=KEY, kind="training", state="succeeded", metrics={"accuracy": 0.8970166666666667, "trees": 100})
    told = shown(monkeypatch, capsys, job)
    assert "metrics  accuracy 0.897017, trees 100" in told
    assert "failed" not in told
    assert "files" not in told
