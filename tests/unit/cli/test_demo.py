"""What the demo learns from, and what it is where nothing is trained."""

import csv
import os
from pathlib import Path
from typing import Any

import pytest
from sklearn.datasets import load_iris

from modelyard.cli import demo
from modelyard.core.errors import ModelRefused, Unavailable
from modelyard.runtimes.uploaded import open_graph


def test_the_table_is_iris(tmp_path: Path) -> None:
    with demo.write_table(tmp_path).open(newline="") as file:
        header, *rows = csv.reader(file)
    iris = load_iris()
    assert header == [*demo.COLUMNS, demo.TARGET]
    assert [[float(value) for value in row[:-1]] for row in rows] == iris.data.tolist()
    assert [row[-1] for row in rows] == iris.target_names[iris.target].tolist()


def test_without_scikit_learn_it_is_said_what_brings_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "find_spec", lambda name: None)
    with pytest.raises(Unavailable, match=r"modelyard\[sklearn\]"):
        demo.write_table(tmp_path)


def test_where_code_is_not_opened_it_is_a_graph(tmp_path: Path) -> None:
    fitting = demo.Fitting(tmp_path, dict(os.environ))
    facts = fitting.facts()
    (name,) = facts["files"]
    found = open_graph([name, str(tmp_path / name)], [facts["sample"], str(tmp_path / facts["sample"])], None)
    assert found["audit"]["refused"] == []
    assert [column["name"] for column in found["signature"]["columns"]] == list(demo.COLUMNS)
    assert found["signature"]["outputs"][0]["type"] == "string"


class Halfway:
    """A client of a server on which a first start was cut off while its training ran."""

    def __init__(self, state: str) -> None:
        self.asked: list[str] = []
        self._state = state

    def __getattr__(self, name: str) -> Any:
        def call(*_: Any, **more: Any) -> Any:
            self.asked.append(name)
            return self

        return call

    def versions(self, name: str) -> list[Any]:
        return []

    def jobs(self, **_: str) -> Any:
        from modelyard.client.records import Job

        return iter([Job(id="a", kind="training", state="running")])

    def watch(self, job: Any) -> Any:
        from modelyard.client.records import JobEvent

        yield JobEvent("end", {"state": self._state, "outcome": {"number": 1}, "error": {"message": "no room"}})


def test_what_was_begun_before_is_waited_for_and_a_failure_is_told(tmp_path: Path) -> None:
    client: Any = Halfway("succeeded")
    demo.train(client, tmp_path)
    assert client.asked == ["create_model", "version", "wait", "check", "promote", "predict"]
    with pytest.raises(ModelRefused, match="the job is failed: no room"):
        demo.train(Halfway("failed"), tmp_path)  # type: ignore[arg-type]
