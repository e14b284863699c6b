"""Summaries, beside what pandas and numpy say of the same values."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from modelyard.tables import describing, sketches
from modelyard.tables.examining import PART, csv_part, examine, rows
from modelyard.tables.facts import Examined


def summary(folder: Path, table: pa.Table) -> dict[str, Any]:
    path = folder / "given.parquet"
    parquet.write_table(table, path)
    found = examine(str(path), "parquet", {}, str(folder))
    msgspec.convert(found, Examined, strict=True)
    return {one["name"]: one for one in found["summary"]}


def test_numbers(tmp_path: Path) -> None:
    values = pd.Series(np.random.default_rng(1).normal(size=100_000))
    values[::10] = None
    told = summary(tmp_path, pa.table({"x": pa.array(values, from_pandas=True)}))["x"]
    assert (told["count"], told["missing"], told["exact"], told["method"]) == (90_000, 10_000, True, "")
    assert [told["mean"], told["std"]] == pytest.approx([values.mean(), values.std()])
    assert [told["min"], told["max"]] == [values.min(), values.max()]
    assert list(told["quantiles"].values()) == pytest.approx(list(values.quantile(list(describing.QUANTILES))))
    counts, edges = np.histogram(values.dropna(), bins=20)
    assert told["histogram"]["counts"] == counts.tolist()
    assert told["histogram"]["edges"] == pytest.approx(edges.tolist())


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([2**63 - 1, 2**63 - 3], {"min": 2**63 - 3, "max": 2**63 - 1, "histogram": None}),
        ([5, 5], {"min": 5, "max": 5, "std": 0.0, "mean": 5.0}),
        ([5.0], {"std": None, "mean": 5.0}),
        ([float("inf"), 1.0, float("-inf")], {"infinite": 2, "min": 1.0, "max": 1.0, "mean": 1.0, "count": 3}),
        ([1.7e308, -1.7e308], {"min": -1.7e308, "max": 1.7e308, "histogram": None, "std": None}),
        (
            [float("nan"), None],
            {"count": 0, "missing": 2, "min": None, "mean": None, "histogram": None, "quantiles": {}},
        ),
    ],
)
def test_odd_numbers(tmp_path: Path, values: list[Any], expected: dict[str, Any]) -> None:
    kind = pa.int64() if all(isinstance(value, int) for value in values) else pa.float64()
    told = summary(tmp_path, pa.table({"x": pa.array(values, kind)}))["x"]
    assert {name: told[name] for name in expected} == expected


def test_texts_truth_values_and_times(tmp_path: Path) -> None:
    table = pa.table(
        {
            "t": ["b", "a", "b", None],
            "o": [True, None, False, True],
            "w": pa.array([3, 1, None, 2], pa.timestamp("s")),
            "z": ["\0", "é" * 2000, "", "x"],
        }
    )
    told = summary(tmp_path, table)
    assert told["t"]["top"] == [{"value": "b", "count": 2}, {"value": "a", "count": 1}]
    assert (told["t"]["distinct"], told["t"]["missing"]) == (2, 1)
    assert told["o"]["top"] == [{"value": True, "count": 2}, {"value": False, "count": 1}]
    assert (told["w"]["min"], told["w"]["max"]) == ("1970-01-01T00:00:01Z", "1970-01-01T00:00:03Z")
    assert all("\0" not in one["value"] and len(one["value"]) <= 1000 for one in told["z"]["top"])


def test_few_values_are_categories(tmp_path: Path) -> None:
    parquet.write_table(
        pa.table({"t": ["b", "a"] * 20, "m": [f"t{n}" for n in range(40)], "o": [True] * 40}), tmp_path / "a.parquet"
    )
    found = examine(str(tmp_path / "a.parquet"), "parquet", {}, str(tmp_path))
    assert [column["categories"] for column in found["columns"]] == [["a", "b"], None, [True]]


def test_what_is_estimated_says_so_and_is_near(tmp_path: Path) -> None:
    n = 400_000
    numbers = np.random.default_rng(2).exponential(size=n)
    texts = [f"id-{place}" if place % 4 else "often" for place in range(n)]
    told = summary(tmp_path, pa.table({"x": numbers, "t": texts}))
    assert told["x"]["exact"] is told["t"]["exact"] is False
    assert "Vitter" in told["x"]["method"]
    assert "Misra" in told["t"]["method"]
    ranks = [float((numbers < value).mean()) for value in told["x"]["quantiles"].values()]
    assert ranks == pytest.approx(list(describing.QUANTILES), abs=0.006)
    assert told["x"]["min"] == numbers.min()
    assert sum(told["x"]["histogram"]["counts"]) == n
    assert told["t"]["distinct"] == pytest.approx(300_001, rel=0.06)
    often = told["t"]["top"][0]
    assert often["value"] == "often"
    assert 0.9 * n / 4 <= often["count"] <= n / 4


def test_the_sample_is_the_same_each_time_and_bounded() -> None:
    values = np.random.default_rng(3).normal(size=3 * sketches.MOST_VALUES)
    found = []
    for _ in range(2):
        sample = sketches.ValueSample()
        for part in np.array_split(values, 7):
            sample.add(part)
        found.append(sample.values)
    assert len(found[0]) == sketches.MOST_VALUES
    assert (found[0] == found[1]).all()
    assert set(found[0]) <= set(values)


def test_counts_keep_long_texts_apart_and_short() -> None:
    counts = sketches.ValueCounts()
    counts.add({"x" * 1000 + "a": 2, "x" * 1000 + "b": 1})
    assert counts.distinct == 2
    assert all(len(str(value)) <= 200 for value, _ in counts.most_common(5))


def test_rows_are_read_from_anywhere(tmp_path: Path) -> None:
    parquet.write_table(pa.table({"n": range(150_000), "t": ["x"] * 150_000}), tmp_path / "a.parquet")
    examine(str(tmp_path / "a.parquet"), "parquet", {}, str(tmp_path))
    table = str(tmp_path / "table.parquet")
    assert rows(table, 65_535, 3) == {"rows": [[65_535, "x"], [65_536, "x"], [65_537, "x"]]}
    assert rows(table, 149_999, 3) == {"rows": [[149_999, "x"]]}
    assert rows(table, 150_000, 3) == {"rows": []}


def test_a_table_is_given_as_csv_in_parts(tmp_path: Path) -> None:
    given = b'n,t,w\n1,"x, ""y""",2013-01-01T10:00:00Z\n2,,\n' + b"3,z,2013-01-01T10:00:00Z\n" * 150_000
    (tmp_path / "a.csv").write_bytes(given)
    before = examine(str(tmp_path / "a.csv"), "csv", {}, str(tmp_path))
    table, parts = str(tmp_path / "table.parquet"), []
    for first in range(3):
        (tmp_path / str(first)).mkdir()
        assert csv_part(table, first, 1, str(tmp_path / str(first))) == {"groups": 3}
        parts.append((tmp_path / str(first) / PART).read_bytes())
    (tmp_path / "b.csv").write_bytes(b"".join(parts))
    assert examine(str(tmp_path / "b.csv"), "csv", {}, str(tmp_path)) == before
