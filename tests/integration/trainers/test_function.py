"""The trainer of one's own functions: only those that are allowed, called with a table, parameters and a report."""

import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pyarrow import parquet
from sklearn.linear_model import LogisticRegression

from modelyard.core.errors import InvalidInput, Misconfigured
from modelyard.trainers.function import FunctionTrainer
from modelyard.trainers.parameters import read
from modelyard.trainers.schema import Schema
from modelyard.trainers.trainer import Fitted
from tests.integration.trainers.conftest import known, real, write

HERE = "tests.integration.trainers.test_function"


def returns(table: Any, parameters: dict[str, Any], report: Any) -> Any:
    report(0.5, "half way", accuracy=0.1)
    model = LogisticRegression(C=parameters["C"], max_iter=1000).fit(table.drop(columns="target"), table["target"])
    report(2.0, "done", accuracy=0.9, loss=float("nan"))
    return model


def leaves(table: Any, parameters: dict[str, Any], report: Any, out: Path) -> None:
    for name in ("2-predictor.pkl", "1-scaler.pkl"):
        (out / name).write_bytes(pickle.dumps(name))
    (out / "notes.txt").write_text(f"{len(table)} rows")


def leaves_nothing(table: Any, parameters: dict[str, Any], report: Any, out: Path) -> None:
    (out / "notes.txt").write_text("no model")


def returns_nothing(table: Any, parameters: dict[str, Any], report: Any) -> None: ...


def returns_a_number(table: Any, parameters: dict[str, Any], report: Any) -> Any:
    return 42


def fails(table: Any, parameters: dict[str, Any], report: Any) -> Any:
    return table["colour"]


FUNCTIONS = (returns, leaves, leaves_nothing, returns_nothing, returns_a_number, fails)
ALLOWED = [f"{HERE}:{one.__name__}" for one in FUNCTIONS]
TRAINER = FunctionTrainer([*ALLOWED, f"{HERE}:absent", "no.such.module:fit"])
Call = Callable[..., tuple[Fitted, Path]]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    monkeypatch.setitem(sys.modules, HERE, sys.modules[__name__])

    def run(name: str, frame: Any = None, said: list[Any] | None = None, **given: Any) -> tuple[Fitted, Path]:
        (tmp_path / "out").mkdir()
        dataset = write(real("iris") if frame is None else frame, tmp_path / "data.parquet")
        parameters = read(TRAINER.Parameters, {"function": name, **given})
        TRAINER.check(parameters, known(dataset))
        told = [] if said is None else said
        fitted = TRAINER.fit(
            dataset, parameters, lambda *words, **metrics: told.append((*words, metrics)), tmp_path / "out"
        )
        return fitted, tmp_path / "out"

    return run


def test_a_fitted_estimator_becomes_the_pipeline(call: Call) -> None:
    said: list[Any] = []
    fitted, out = call(f"{HERE}:returns", said=said, target="target", parameters={"C": 3})
    assert pickle.loads((out / fitted.files[0]).read_bytes()).C == 3
    assert fitted.metrics == {"accuracy": 0.9}
    assert said == [(0.5, "half way", {"accuracy": 0.1}), (1.0, "done", {"accuracy": 0.9})]
    assert [column.name for column in fitted.columns] == list(real("iris"))[:4]
    assert parquet.read_table(out / str(fitted.sample)).num_rows == 150
    assert fitted.baseline.target is not None
    assert fitted.baseline.target.count == 150


def test_files_in_the_folder_are_the_model_in_the_order_of_their_names(call: Call) -> None:
    fitted, out = call(f"{HERE}:leaves", max_rows=100)
    assert fitted.files == ("1-scaler.pkl", "2-predictor.pkl")
    assert (out / "notes.txt").read_text() == "100 rows"
    assert fitted.report["rows"] == {"dataset": 150, "used": 100, "drawn": True}


def test_times_reach_the_function_but_not_the_model(call: Call) -> None:
    frame = pd.DataFrame({"when": pd.date_range("2026-01-01", periods=9), "x": range(9)})
    fitted, _ = call(f"{HERE}:leaves", frame=frame)
    assert [column.name for column in fitted.columns] == ["x"]
    assert [(one.code, one.column) for one in fitted.warnings] == [("time_column", "when"), ("no_release", None)]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("leaves_nothing", "it left no model: expected a file of .onnx, .skops, .pkl, .joblib"),
        ("returns_nothing", "it returned nothing: expected a fitted estimator"),
        ("returns_a_number", "it returned a int: expected an estimator with `predict`"),
        ("fails", "fails` failed: KeyError: 'colour'"),
        ("absent", "is not installed here"),
    ],
)
def test_a_function_that_makes_no_model_is_refused(call: Call, name: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=r"parameters\.function") as caught:
        call(f"{HERE}:{name}")
    assert said in caught.value.message


def test_a_function_that_is_not_allowed_is_never_imported(call: Call) -> None:
    with pytest.raises(InvalidInput, match=r"`os:system` is not allowed here"):
        call("os:system")
    parameters = read(TRAINER.Parameters, {"function": "antigravity:fly"})
    with pytest.raises(InvalidInput, match="is not allowed here"):
        TRAINER.fit(Path("absent"), parameters, lambda *said, **metrics: None, Path("absent"))
    assert "antigravity" not in sys.modules


def test_where_none_is_allowed_the_setting_is_named() -> None:
    parameters = read(TRAINER.Parameters, {"function": "mine:fit"})
    with pytest.raises(InvalidInput, match="none is; MODELYARD_TRAINING_FUNCTIONS names them"):
        FunctionTrainer().check(parameters, Schema(1, ()))


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({"columns": ["sepal"]}, "parameters.columns"),
        ({"target": "tarjet"}, "parameters.target"),
        ({"target": "target", "columns": ["petal width (cm)"]}, "parameters.target"),
    ],
)
def test_columns_that_are_not_there_are_refused(call: Call, given: dict[str, Any], place: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        call(f"{HERE}:returns", **given)
    assert caught.value.details["places"][0]["place"] == place


@pytest.mark.parametrize("allowed", [["fit"], ["package.module"], ["a:b", "a:b"], ["a:b.c"]])
def test_a_wrong_list_of_functions_fails_at_start(allowed: list[str]) -> None:
    with pytest.raises(Misconfigured):
        FunctionTrainer(allowed)
