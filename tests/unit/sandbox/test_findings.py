"""What the children of an examination may say, and what is made of it."""

from typing import Any

import msgspec
import pytest

from modelyard.core.errors import ModelyardError
from modelyard.runtimes.audit import Audit
from modelyard.runtimes.parity import Comparison
from modelyard.sandbox.findings import Opened, Tried, kept

SIGNATURE = {
    "columns": [{"name": "x", "type": "float64"}],
    "outputs": [{"name": "prediction", "type": "int64", "role": "prediction"}],
}
OPENED: dict[str, Any] = {
    "signature": SIGNATURE,
    "sample": [{"x": 1.0}],
    "ignored_columns": ["species"],
    "rows": 256,
    "estimator": "Perceptron()",
    "steps": ["Perceptron"],
    "packages": {"numpy": "2"},
    "warnings": [],
    "unconverted": None,
}


def test_an_honest_answer() -> None:
    assert msgspec.convert(OPENED, Opened).signature.names == ("x",)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("signature", 7),
        ("signature", {"columns": [], "outputs": []}),
        ("signature", {**SIGNATURE, "columns": SIGNATURE["columns"] * 2}),
        ("sample", [{"x": 1.0}] * 9),
        ("rows", -1),
        ("rows", 10**9),
        ("estimator", "x" * 5000),
        ("steps", ["x"] * 201),
        ("steps", [7]),
        ("packages", {"x" * 101: "1"}),
        ("packages", {str(n): "1" for n in range(101)}),
        ("warnings", "x"),
        ("unconverted", ["x"]),
        ("outline", [{"name": "a", "class": "b"}]),
        ("outline", [{"name": "a", "class": "b", "parameters": {str(n): 1 for n in range(200)}}]),
        ("outline", [{"name": "a", "class": "b", "parameters": {}}] * 101),
        ("outline", {}),
        ("features", ["x"] * 10_001),
        ("features", [1]),
    ],
)
def test_what_is_not_believed(name: str, value: Any) -> None:
    with pytest.raises((msgspec.ValidationError, ModelyardError)):
        msgspec.convert({**OPENED, name: value}, Opened, strict=True)


def test_steps_are_believed_as_far_as_a_database_can_keep_them() -> None:
    step = {
        "name": "a\0b",
        "class": "x.Y",
        "parameters": {"n\0": [float("nan"), "\ud800", {"deep": 10**40}], "ok": 1.5},
    }
    told = msgspec.convert({**OPENED, "outline": [step], "features": ["x\0"]}, Opened, strict=True).preprocessing()
    assert told["features"] == ["x "]
    assert told["outline"] == [
        {"name": "a b", "class": "x.Y", "parameters": {"n ": ["nan", "?", {"deep": str(10**40)}], "ok": 1.5}}
    ]
    assert kept(10**5000) == "a large number"


@pytest.mark.parametrize("timing", [{"p95_seconds": 1.0}, {"p50_seconds": -1, "p95_seconds": 1, "calls": 1, "rows": 1}])
def test_a_timing_that_is_none_is_not_believed(timing: dict[str, Any]) -> None:
    tried = {"audit": msgspec.to_builtins(CLEAN), "comparison": {"rows": 1}, "many_seconds": 0.1, "timing": timing}
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(tried, Tried, strict=True)


CLEAN = Audit(operators={"Add": 1}, refused=[], nodes=1, opset={"ai.onnx": 18})


@pytest.mark.parametrize(
    ("comparison", "audit", "seconds", "said"),
    [
        (Comparison(10), CLEAN, 0.1, None),
        (Comparison(0), CLEAN, 0.1, "disagrees"),
        (Comparison(10, failure="no output"), CLEAN, 0.1, "fails: no output"),
        (Comparison(10, 2, 1.0, 0.5, 3), CLEAN, 0.1, "on 3 of 10 rows .*0.5, 2 other classes"),
        (Comparison(10), Audit({}, ["a Loop"], 1, {}), 0.1, "may not run in the serving process: a Loop"),
        (Comparison(10), CLEAN, 21.0, "takes 21 s for 10,000 rows"),
    ],
)
def test_objections(comparison: Comparison, audit: Audit, seconds: float, said: str | None) -> None:
    objection = Tried(audit, comparison, seconds).objection(20.0)
    if said is None:
        assert objection is None
    else:
        with pytest.raises(AssertionError, match=said):
            raise AssertionError(objection)
