"""The try-it form: inputs from a signature, rows from what was posted."""

import json

import pytest

from modelyard.control.console import tryit
from modelyard.core.errors import InvalidInput, ModelFailed
from modelyard.core.signature import Column, DataType, Output, Role, Signature

COLUMNS = (
    Column("length (cm)", DataType.FLOAT64, minimum=4.3, maximum=7.9),
    Column("year", DataType.INT64),
    Column("island", DataType.STRING, optional=True, categories=("Biscoe", "Dream")),
    Column("tagged", DataType.BOOL),
    Column("note", DataType.STRING),
    Column("picture", DataType.UINT8, shape=(2,)),
)
OUTPUTS = (
    Output("label", DataType.STRING, role=Role.PREDICTION, classes=("a", "b")),
    Output("shares", DataType.FLOAT64, shape=(2,), role=Role.PROBABILITIES, classes=("a", "b")),
)
SIGNATURE = Signature(COLUMNS, OUTPUTS)
GOOD = {"c0": " 5.1 ", "c1": "2008", "c2": "1", "c3": "0", "c4": " x ", "c5": "[1, 2]"}
ROW = {"length (cm)": 5.1, "year": 2008, "island": "Dream", "tagged": True, "note": " x ", "picture": [1, 2]}


def test_inputs_are_typed_and_filled_from_the_sample() -> None:
    fields = tryit.fields_of(SIGNATURE, ROW)
    assert [field.kind for field in fields] == ["number", "number", "choice", "choice", "text", "json"]
    assert [field.value for field in fields] == ["5.1", "2008", "1", "0", " x ", "[1, 2]"]
    assert "usually 4.3 to 7.9" in fields[0].hint
    assert [choice.label for choice in fields[2].choices] == ["missing", "Biscoe", "Dream"]
    assert [choice.label for choice in fields[2].choices if choice.chosen] == ["Dream"]


def test_what_is_shown_posts_back_to_the_same_row() -> None:
    fields = tryit.fields_of(SIGNATURE, ROW)
    posted = tryit.read(SIGNATURE, {field.name: field.value for field in fields})
    assert posted.errors == {}
    assert posted.rows == [ROW]


def test_good_inputs_become_a_row() -> None:
    assert tryit.read(SIGNATURE, GOOD).rows == [ROW]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("c0", "five", "a number"),
        ("c0", "", "may not be missing"),
        ("c0", "nan", "finite"),
        ("c0", "1e999", "finite"),
        ("c1", "2008.5", "whole number"),
        ("c2", "7", "choose"),
        ("c2", "²", "choose"),
        ("c3", "", "may not be missing"),
        ("c5", "[1, 2", "JSON array"),
        ("c5", "[1, NaN]", "JSON array"),
    ],
)
def test_what_does_not_fit_is_said_beside_its_field(name: str, text: str, expected: str) -> None:
    posted = tryit.read(SIGNATURE, {**GOOD, name: text})
    assert set(posted.errors) == {name}
    assert expected in posted.errors[name]
    assert posted.rows == []
    shown = {field.name: field for field in tryit.fields_of(SIGNATURE, ROW, posted)}
    assert shown[name].error == posted.errors[name]
    assert shown["c1" if name != "c1" else "c0"].error == ""


def test_an_optional_value_may_be_left_out() -> None:
    assert tryit.read(SIGNATURE, {**GOOD, "c2": ""}).rows[0]["island"] is None


def test_an_integral_float_is_taken_for_an_integer() -> None:
    assert tryit.read(SIGNATURE, {**GOOD, "c1": "2e3"}).rows[0]["year"] == 2000


@pytest.mark.parametrize("given", [ROW, [ROW], {"rows": [ROW]}, list(ROW.values()), [list(ROW.values())]])
def test_json_rows_are_taken_in_each_form(given: object) -> None:
    posted = tryit.read(SIGNATURE, {"mode": "json", "rows": json.dumps(given)})
    assert posted.errors == {}
    assert posted.rows == [ROW]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "no JSON"),
        ("{", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[]", "expected rows"),
        ("3", "expected rows"),
        ("[[1]]", "row 0"),
        ('[{"year": NaN}]', "NaN is no finite number"),
        ('[{"year": -Infinity}]', "-Infinity is no finite number"),
        ('[{"year": 1e999}]', "1e999 is no finite number"),
        (json.dumps([ROW] * 101), "at most 100"),
    ],
)
def test_json_that_does_not_fit_is_said(text: str, expected: str) -> None:
    assert expected in tryit.read(SIGNATURE, {"mode": "json", "rows": text}).errors["rows"]


def test_a_very_wide_signature_has_json_alone() -> None:
    wide = Signature(tuple(Column(f"x{number}", DataType.FLOAT64) for number in range(tryit.MAX_FIELDS + 1)), OUTPUTS)
    assert tryit.fields_of(wide, {}) == []


@pytest.mark.parametrize(
    ("error", "place"),
    [
        (InvalidInput("rows.0: column `year`: got 1.5, expected int64"), "c1"),
        (InvalidInput("no", column="island"), "c2"),
        (ModelFailed("the model itself failed"), ""),
        (InvalidInput("column `nobody`: unknown"), ""),
    ],
)
def test_a_refusal_is_put_beside_the_column_that_it_names(error: Exception, place: str) -> None:
    posted = tryit.read(SIGNATURE, GOOD)
    tryit.place_error(SIGNATURE, posted, error)  # type: ignore[arg-type]
    assert list(posted.errors) == [place]


def test_a_refusal_of_json_is_put_beside_the_text() -> None:
    posted = tryit.read(SIGNATURE, {"mode": "json", "rows": "{}"})
    tryit.place_error(SIGNATURE, posted, InvalidInput("column `year`: missing"))
    assert list(posted.errors) == ["rows"]


@pytest.mark.parametrize("shares", [[0.25, 0.75], {"a": 0.25, "b": 0.75}])
def test_answers_become_lines_with_bars(shares: object) -> None:
    lines = tryit.lines_of(SIGNATURE, {"predictions": ["b"], "probabilities": [shares], "prediction_ids": ["1.0"]})
    assert [(bar.label, bar.share, bar.chosen) for bar in lines[0].bars] == [("a", 0.25, False), ("b", 0.75, True)]
    assert (lines[0].prediction, lines[0].prediction_id) == ("b", "1.0")


def test_of_many_classes_the_likeliest_are_shown() -> None:
    shares = {f"class {number}": number / 1000 for number in range(40)}
    line = tryit.lines_of(SIGNATURE, {"predictions": [1.5], "probabilities": [shares]})[0]
    assert [bar.label for bar in line.bars[:2]] == ["class 39", "class 38"]
    assert (len(line.bars), line.more_bars) == (tryit.MAX_CLASSES, 28)
    assert line.prediction_id == ""
