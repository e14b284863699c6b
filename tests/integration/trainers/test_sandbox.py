"""A training in the real sandbox: no network, no fork, no home; and the model it leaves is taken as an upload is."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from modelyard.core.errors import InvalidInput
from modelyard.core.settings import MIB
from modelyard.core.tensors import Batch
from modelyard.sandbox.examination import examine
from modelyard.sandbox.isolated import IsolatedRuntime
from modelyard.sandbox.limits import Limits
from modelyard.sandbox.run import run
from modelyard.trainers.running import PRELOAD, PROGRESS, SCORES
from tests.integration.trainers.conftest import real, write

LIMITS = Limits(seconds=120, memory_bytes=1024 * MIB, scratch_bytes=64 * MIB)


def sandboxed(target: str, folder: Path, data: str, **arguments: Any) -> dict[str, Any]:
    scratch = folder / "scratch"
    scratch.mkdir()
    dataset = write(real(data), folder / "data.parquet")
    given = {"dataset": str(dataset), "scratch": str(scratch), **arguments}
    return run(
        f"modelyard.trainers.running:{target}", given, read=[dataset], scratch=scratch, limits=LIMITS, preload=PRELOAD
    )


def test_a_training_needs_nothing_but_its_folder(tmp_path: Path) -> None:
    parameters = {
        "target": "species",
        "estimator": "RandomForestClassifier",
        "parameters": {"n_estimators": 10},
        "folds": 2,
        "search": {"space": {"max_depth": [2, 4]}, "folds": 2},
    }
    found = sandboxed("train", tmp_path, "penguins", trainer="tabular", parameters=parameters)
    assert found["files"] == ["pipeline.pkl"]
    assert found["metrics"]["balanced_accuracy"] > 0.9
    lines = [json.loads(line) for line in (tmp_path / "scratch" / PROGRESS).read_text().splitlines()]
    assert (lines[0]["fraction"], lines[-1]["fraction"]) == (0.0, 1.0)
    assert lines[-1]["metrics"] == found["metrics"]


def test_what_a_training_leaves_is_taken_as_an_upload(tmp_path: Path) -> None:
    parameters = {"target": "target", "estimator": "LogisticRegression"}
    found = sandboxed("train", tmp_path, "iris", trainer="tabular", parameters=parameters)
    out, examined = tmp_path / "scratch" / "out", tmp_path / "examined"
    examined.mkdir()
    taken = examine(
        [(found["files"][0], out / found["files"][0])],
        sample=(found["sample"], out / found["sample"]),
        scratch=examined,
        limits=LIMITS,
    )
    assert taken.runtime == "onnx", taken.report


def test_a_part_of_a_search_is_measured_in_the_sandbox(tmp_path: Path) -> None:
    search = {"space": {"n_neighbors": [1, 3, 5, 7]}, "folds": 3}
    parameters = {"target": "target", "estimator": "KNeighborsClassifier", "search": search}
    found = sandboxed("evaluate", tmp_path, "iris", parameters=parameters, first=1, last=3)
    assert found == {"measured": 2}
    lines = (tmp_path / "scratch" / SCORES).read_text().splitlines()
    assert [json.loads(line)["parameters"] for line in lines] == [{"n_neighbors": 3}, {"n_neighbors": 5}]


def test_what_is_wrong_with_the_rows_comes_out_as_such(tmp_path: Path) -> None:
    parameters = {"target": "target", "task": "classification"}
    with pytest.raises(InvalidInput, match=r"parameters\.target: .* 214 classes|rows"):
        sandboxed("train", tmp_path, "diabetes", trainer="tabular", parameters=parameters)


@pytest.mark.parametrize(("data", "estimator"), [("iris", "XGBClassifier"), ("diabetes", "LGBMRegressor")])
def test_what_a_booster_leaves_is_served_from_a_child_as_it_was_fitted(
    tmp_path: Path, data: str, estimator: str
) -> None:
    parameters = {"target": "target", "estimator": estimator, "parameters": {"n_estimators": 5}}
    found = sandboxed("train", tmp_path, data, trainer="tabular", parameters=parameters)
    out, examined = tmp_path / "scratch" / "out", tmp_path / "examined"
    examined.mkdir()
    taken = examine(
        [(found["files"][0], out / found["files"][0])],
        sample=(found["sample"], out / found["sample"]),
        scratch=examined,
        limits=LIMITS,
    )
    assert (taken.runtime, taken.isolated) == ("sklearn", True), taken.report
    assert {"xgboost-cpu", "lightgbm"} <= set(taken.packages)
    rows = pd.read_parquet(out / found["sample"])
    matrix = rows[[column.name for column in taken.signature.columns]].to_numpy(np.float64)
    served = IsolatedRuntime.load(taken.serving, taken.signature, limits=LIMITS)
    try:
        answer = served.predict(Batch(len(rows), matrix=np.ascontiguousarray(matrix)))
    finally:
        served.unload()
    pipeline = pd.read_pickle(out / found["files"][0])  # our own file, of a moment ago
    assert answer[taken.signature.outputs[0].name].tolist() == pipeline.predict(rows).tolist()
