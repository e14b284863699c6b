"""The same dataset and parameters give the same bytes, in another process too."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from modelyard.trainers.tabular.estimators import Task
from modelyard.trainers.tabular.listed import TABLE
from tests.integration.trainers.conftest import real, write

SCRIPT = """
import hashlib, json, sys
from pathlib import Path
from modelyard.trainers.parameters import read
from modelyard.trainers.tabular.trainer import TabularTrainer

dataset, out, jobs = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
trainer = TabularTrainer()
found = {}
for name, (data, given) in jobs.items():
    folder = out / name
    folder.mkdir(parents=True)
    trainer.fit(dataset / data, read(trainer.Parameters, given), lambda *said, **metrics: None, folder)
    found[name] = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
print(json.dumps(found))
"""
SMALL = {
    "MLP": {"max_iter": 20, "hidden_layer_sizes": [8]},
    "Hist": {"max_iter": 8},
    **{start: {"n_estimators": 8} for start in ("Random", "Extra", "Gradient", "XGB", "LGBM")},
}


def given(name: str) -> tuple[str, dict[str, Any]]:
    small = next((value for start, value in SMALL.items() if name.startswith(start)), {})
    if TABLE[name].task is Task.REGRESSION:
        return "diabetes", {"target": "target", "estimator": name, "parameters": small}
    return "penguins", {"target": "species", "estimator": name, "parameters": small}


def trained(folder: Path, jobs: dict[str, Any], hash_seed: str) -> dict[str, dict[str, str]]:
    """Train in a process of its own, with another order of sets and four threads to be had."""
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "OMP_NUM_THREADS": "4"}
    command = [sys.executable, "-c", SCRIPT, str(folder), str(folder / f"out-{hash_seed}"), json.dumps(jobs)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, str]] = json.loads(done.stdout)
    return found


SPACE = {"max_depth": {"low": 2, "high": 9}, "min_samples_leaf": [1, 2, 5]}
SEARCH = {
    "target": "species",
    "estimator": "DecisionTreeClassifier",
    "search": {"method": "random", "count": 5, "folds": 3, "space": SPACE},
}
JOBS = {name: given(name) for name in TABLE} | {
    "search": ("penguins", SEARCH),
    "search by another seed": ("penguins", {**SEARCH, "seed": 1}),
}


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any]]:
    folder = tmp_path_factory.mktemp("trainings")
    for name in ("penguins", "diabetes"):
        write(real(name), folder / name)
    return trained(folder, JOBS, "1"), trained(folder, JOBS, "2")


@pytest.mark.parametrize("name", JOBS)
def test_a_training_gives_the_same_bytes_in_two_processes(twice: tuple[dict[str, Any], ...], name: str) -> None:
    first, second = twice
    assert first[name] == second[name]
    assert sorted(first[name]) == ["pipeline.pkl", "report.json", "sample.parquet"]


def test_another_seed_gives_other_bytes(twice: tuple[dict[str, Any], ...]) -> None:
    assert twice[0]["search"]["pipeline.pkl"] != twice[0]["search by another seed"]["pipeline.pkl"]
