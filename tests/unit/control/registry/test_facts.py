from typing import Any

import pytest

from modelyard.control.registry import facts
from modelyard.core.errors import InvalidInput
from modelyard.core.signature import Signature


def test_metrics_that_fit_come_back() -> None:
    given = {"accuracy": 0.5, "rows": 3, "größe": -1e300}
    assert facts.check_metrics(given) == given
    assert facts.check_metrics({}) == {}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "null"), ("x", "text"), ([], "a list"), ({"a": None}, "null"), ({"a": {}}, "an object"),
        ({"a": True}, "true or false"), ({"a": float("-inf")}, "finite"), ({"a": 10**400}, "finite"),
        ({"a": 1e301}, "finite"), ({" ": 1}, "no name"), ({"x" * 101: 1}, "at most 100"),
    ],
)  # fmt: skip
def test_metrics_that_do_not_fit_are_told(value: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        facts.check_metrics(value)


def test_a_manifest_is_its_known_fields() -> None:
    given = {"seed": 7, "packages": {"numpy": "2.0"}, "parameters": {"alpha": [0.1, None, True]}}
    assert facts.check_manifest(given) == given
    assert facts.check_manifest({"seed": None}) == {}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("x", "text"), ({"paramters": {}}, "did you mean `parameters`"), ({"zzz": 1}, "expected some of"),
        ({"seed": 1.5}, "int"), ({"seed": 2**64}, "64 bits"), ({"seed": -(2**63) - 1}, "64 bits"),
        ({"parameters": {"a": float("nan")}}, "finite"),
        ({"parameters": {"a": {1, 2}}}, "expected JSON"), ({"parameters": {"a\x00": 1}}, "cannot be kept"),
        ({"packages": {"a": "\udfff"}}, "packages.a"),
    ],
)  # fmt: skip
def test_a_manifest_that_does_not_fit_is_told(value: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        facts.check_manifest(value)


def test_depth_is_bounded() -> None:
    value: Any = 1
    for _ in range(5000):
        value = {"a": value}
    with pytest.raises(InvalidInput, match="nested more than 20"):
        facts.check_manifest({"parameters": value})


def test_a_signature_is_read() -> None:
    given = {"columns": [{"name": "a", "type": "string", "optional": True}], "outputs": [{"name": "y", "type": "bool"}]}
    found = facts.check_signature(given)
    assert isinstance(found, Signature)
    assert found.names == ("a",)
    assert facts.check_signature(None) is None


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([], "a list"),
        ({}, "columns"),
        ({"columns": [], "outputs": []}, "signature: 0 inputs"),
        ({"columns": [{"name": "a", "type": "x"}], "outputs": []}, "columns"),
    ],
)
def test_a_signature_that_does_not_fit_is_told(value: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        facts.check_signature(value)


def test_a_doubled_column_is_told() -> None:
    column = {"name": "a", "type": "bool"}
    with pytest.raises(InvalidInput, match="`a` is named twice"):
        facts.check_signature({"columns": [column, column], "outputs": [{"name": "y", "type": "bool"}]})


@pytest.mark.parametrize("name", ["model.pkl", "my model (2).pkl", "größe.onnx", "..pkl", "x" * 255])
def test_plain_file_names_pass(name: str) -> None:
    assert facts.check_filename(name) == name


@pytest.mark.parametrize("name", [None, 5, "", "..", "a/b", "\\", "a\tb", "a\u202eb", "x" * 256])
def test_other_file_names_do_not(name: Any) -> None:
    with pytest.raises(InvalidInput):
        facts.check_filename(name)
