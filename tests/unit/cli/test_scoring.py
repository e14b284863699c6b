"""What is told of a scoring at the terminal."""

from pathlib import Path
from typing import Any, cast

import pytest

from modelyard.cli.connection import Connection
from modelyard.cli.scoring import _done, _format
from modelyard.cli.usage import NotUnderstood
from modelyard.client.records import Job
from modelyard.core.errors import Unavailable

SAID = {"version": "late:1", "dataset": "small:1", "rows": 9000, "rows_per_second": 10, "format": "parquet"}


class Yard:
    """A server that goes away once the scoring has ended."""

    client: Any

    def __init__(self) -> None:
        self.client = self

    def console(self) -> str:
        return "http://yard/t/demo/"

    def download_result(self, job: Job, **_: Any) -> Path:
        raise Unavailable("the server does not answer")


def scored(**said: int) -> Job:
    return Job(id="0a21a1a9", kind="scoring", state="succeeded", outcome={**SAID, "failed_rows": 0, **said})


def test_it_is_told_how_many_rows_without_a_prediction_are_kept() -> None:
    yard = cast(Connection, Yard())
    some = _done(yard, scored(failed_rows=2500, failed_kept=1000), "curl", None, True)
    assert "2,500 of them without a prediction (1,000 of these are kept" in some.text
    assert some.more["failed"].startswith("modelyard jobs result 0a21a1a9 --failed")
    assert "kept" not in _done(yard, scored(failed_rows=25, failed_kept=25), "curl", None, True).text


def test_a_result_that_was_not_fetched_is_fetched_by_a_command_that_is_told() -> None:
    with pytest.raises(Unavailable) as raised:
        _done(cast(Connection, Yard()), scored(), "curl", Path("the flights.csv"), True)
    assert raised.value.message.startswith("the scoring 0a21a1a9 has succeeded")
    assert raised.value.details["notes"]["next"] == "modelyard jobs result 0a21a1a9 --to 'the flights.csv'"


def test_a_result_is_of_the_format_that_its_name_promises(tmp_path: Path) -> None:
    assert [_format("", Path(name)) for name in ("a.csv", "a.parquet")] == ["csv", "parquet"]
    assert [_format("csv", out) for out in (None, Path("a.csv"), Path("a.txt"), tmp_path)] == ["csv"] * 4
    with pytest.raises(NotUnderstood, match=r"'a\.csv' would hold parquet: name it 'a\.parquet'"):
        _format("parquet", Path("a.csv"))
