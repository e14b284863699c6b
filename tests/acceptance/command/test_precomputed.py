"""Penguins scored and stored by command, and each asked for as it was weighed."""

import json
import os
from pathlib import Path

import pytest
from palmerpenguins import load_penguins

from tests.acceptance.command.conftest import Run, Yard


def test_a_scorings_answers_are_told_as_predict_tells_them(run: Run, yard: Yard, tmp_path: Path) -> None:
    name = f"penguins-{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"  # the workers share one server
    frame = load_penguins().dropna().reset_index(drop=True)
    features = frame[["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]]
    labelled = features.assign(
        species=frame["species"], tag=[f"{row.island}/{row.Index}" for row in frame.itertuples()]
    )
    labelled.to_csv(tmp_path / "penguins.csv", index=False)
    run("datasets", "push", tmp_path / "penguins.csv", "--name", name)
    chosen = ("--set", "target=species", "--set", "estimator=LogisticRegression", "--set", 'exclude=["tag"]')
    run("train", name, "--dataset", name, *chosen)
    run("promote", f"{name}:1")
    scored = run("score", name, "--dataset", name, "--entity", "tag", "--precompute", "--json").json
    run("jobs", "watch", scored["result"]["outcome"]["precomputing"])
    row = {column: float(value) for column, value in features.iloc[7].items()}
    said = run("predict", name, "--rows", json.dumps([row]), "--json").json
    told = run("precomputed", "get", name, labelled["tag"][7], "--json").json
    assert (told["model"], told["version"], told["predictions"]) == (name, 1, said["predictions"])
    assert told["probabilities"][0] == pytest.approx(said["probabilities"][0], rel=1e-9)
    assert len(told["prediction_ids"]) == 1
    (line,) = run("precomputed", "list", name, "--json").json
    assert (line["current"], line["rows"], line["scoring"]) == (True, 333, scored["result"]["id"])
    again = run("precomputed", "publish", name, line["scoring"])
    assert f"modelyard precomputed activate {name} 1" in again.out
    run("precomputed", "activate", name, "1")
    run("consumers", "add", name, "checkout", "--contact", "a@example.com")
    assert f"{name} has declared consumers: checkout (a@example.com)" in run("precomputed", "withdraw", name).err
    done = run("precomputed", "withdraw", name, "--despite-consumers")
    assert f"modelyard precomputed activate {name} 1" in done.out
    assert "precomputed/?despite_consumers=true" in done.out
