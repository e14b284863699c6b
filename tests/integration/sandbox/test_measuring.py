"""What the examination measures is what is served: a graph in a clean child, an estimator through its own child."""

import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import onnx
import pytest
from onnx import TensorProto, helper
from sklearn.datasets import load_diabetes, load_iris
from sklearn.linear_model import Perceptron
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVR

from modelyard.core.errors import ModelRefused
from modelyard.core.signature import Column, DataType, Output, Role, Signature
from modelyard.runtimes import parity
from modelyard.sandbox.examination import Examined, examine
from modelyard.sandbox.limits import Limits
from modelyard.sandbox.measuring import measure_isolated

Examine = Callable[..., Examined]


@pytest.fixture
def examined(tmp_path: Path) -> Examine:
    def call(name: str, data: bytes, **given: Any) -> Examined:
        (tmp_path / "file").write_bytes(data)
        (tmp_path / "scratch").mkdir()
        return examine([(name, tmp_path / "file")], scratch=tmp_path / "scratch", limits=Limits(seconds=180), **given)

    return call


def test_a_converted_graph_is_timed_and_its_steps_are_kept(examined: Examine) -> None:
    rows, labels = load_iris(return_X_y=True)
    found = examined("iris.pkl", pickle.dumps(make_pipeline(StandardScaler(), Perceptron()).fit(rows, labels), 4))
    assert found.runtime == "onnx"
    assert 0 < found.measured["p50_seconds"] <= found.measured["p95_seconds"] < 1
    assert (found.measured["calls"] >= 20, found.measured["rows"]) == (True, 8)
    assert [step["name"] for step in found.report["outline"]] == ["standardscaler", "perceptron"]
    assert found.report["outline"][1]["parameters"]["max_iter"] == 1000
    assert found.report["features"] == ["x0", "x1", "x2", "x3"]


def test_an_estimator_is_timed_through_the_child_that_serves_it(examined: Examine) -> None:
    rows, target = load_diabetes(return_X_y=True)
    kept = io.BytesIO()
    joblib.dump(make_pipeline(StandardScaler(), SVR()).fit(rows, target), kept)
    found = examined("svr.joblib", kept.getvalue())
    assert (found.runtime, found.isolated) == ("sklearn", True)
    assert 5e-5 < found.measured["p50_seconds"] <= found.measured["p95_seconds"] < 1


def test_an_uploaded_graph_is_timed_too(examined: Examine) -> None:
    node = helper.make_node("Add", ["x", "x"], ["y"])
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 2]) for name in ("x", "y")]
    graph = helper.make_model(
        helper.make_graph([node], "g", values[:1], values[1:]), opset_imports=[helper.make_opsetid("", 18)]
    )
    graph.ir_version = 9
    onnx.checker.check_model(graph)
    found = examined("double.onnx", graph.SerializeToString())
    assert 0 < found.measured["p95_seconds"] < 1
    assert "outline" not in found.report


SIGNATURE = Signature((Column("x", DataType.FLOAT64),), (Output("prediction", DataType.FLOAT64, role=Role.PREDICTION),))


def test_what_cannot_be_measured_is_said_and_refuses_nothing(tmp_path: Path) -> None:
    """Nothing here speaks against the model: rows that are not its own, and no process to be had."""
    unfit = measure_isolated(tmp_path / "file", SIGNATURE, "sklearn", [{"y": 1.0}], Limits(seconds=60))
    assert (unfit["p95_seconds"], unfit["calls"]) == (None, 0)
    assert "sample rows do not fit" in unfit["reason"]
    gone = measure_isolated(tmp_path / "gone", SIGNATURE, "sklearn", [{"x": 1.0}], Limits(seconds=60))
    assert (gone["calls"], gone["reason"]) == (0, "the machine has no process, memory or disk left")


def test_what_does_not_load_where_it_will_be_served_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken").write_bytes(b"\x80\x04 this is no pickle")
    with pytest.raises(ModelRefused, match=r"cannot be opened"):
        measure_isolated(tmp_path / "broken", SIGNATURE, "sklearn", [{"x": 1.0}], Limits(seconds=60))


def test_what_fails_on_its_own_sample_rows_is_refused(tmp_path: Path) -> None:
    """In the child that will serve it: a data plane tries it on them before it answers, and could never load it."""
    estimator = FunctionTransformer(feature_names_out="one-to-one").fit([[1.0]])
    (tmp_path / "file").write_bytes(pickle.dumps(estimator))
    with pytest.raises(
        ModelRefused, match=r"fails on rows of its own: .*AttributeError: .* has no attribute 'predict'"
    ):
        measure_isolated(tmp_path / "file", SIGNATURE, "sklearn", [{"x": 1.0}], Limits(seconds=60))


def test_rows_come_back_as_the_batch_that_they_were() -> None:
    columns = (
        Column("a", DataType.FLOAT64, optional=True), Column("b", DataType.INT64, optional=True),
        Column("c", DataType.STRING, optional=True), Column("d", DataType.FLOAT64, (2,)), Column("e", DataType.BOOL),
    )  # fmt: skip
    signature = Signature(columns, (Output("prediction", DataType.FLOAT64),))
    rows = [
        {"a": 1.5, "b": None, "c": "x", "d": [1.0, 2.0], "e": True},
        {"a": None, "b": 3, "c": None, "d": [3.0, 4.0], "e": False},
    ]
    batch = parity.from_rows(rows, signature)
    assert parity.as_rows(batch, signature, 9) == rows
    matrix = Signature((Column("a", DataType.FLOAT64), Column("b", DataType.INT64)), signature.outputs)
    assert parity.from_rows([{"a": 1, "b": 2}], matrix).matrix is not None
