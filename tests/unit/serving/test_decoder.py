"""The decoder: strict, and its quick way agrees with the way that explains."""

import json
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelyard.core.errors import InvalidInput, ModelyardError, TooLarge
from modelyard.core.signature import Column, DataType, Output, Signature
from modelyard.serving.protocols.decoder import Decoded, Decoder

OUTPUTS = (Output("label", DataType.INT64),)
MIXED = Signature(
    (
        Column("age", DataType.INT64),
        Column("income", DataType.FLOAT64, optional=True),
        Column("plan", DataType.STRING, categories=("free", "pro")),
        Column("active", DataType.BOOL, optional=True),
    ),
    OUTPUTS,
)
NUMBERS = Signature(
    (Column("a", DataType.FLOAT64), Column("b", DataType.INT8), Column("c", DataType.FLOAT32, optional=True)), OUTPUTS
)
PICTURE = Signature((Column("image", DataType.FLOAT32, (2, 2)), Column("words", DataType.STRING, (-1,))), OUTPUTS)


def decode(signature: Signature, body: Any, max_rows: int = 100) -> Decoded:
    return Decoder(signature).decode(body if isinstance(body, bytes) else json.dumps(body).encode(), max_rows)


def refusal(signature: Signature, body: Any) -> str:
    with pytest.raises(InvalidInput) as caught:
        decode(signature, body)
    return caught.value.message


def test_columns_have_the_signatures_types() -> None:
    rows = [
        {"age": 41, "income": None, "plan": "pro", "active": True},
        {"age": 5.0, "income": 3, "plan": "new", "active": None},
    ]
    columns = decode(MIXED, {"rows": rows}).batch.columns
    assert columns is not None
    assert {name: array.dtype for name, array in columns.items()} == {
        "age": np.int64,
        "income": np.float64,
        "plan": object,
        "active": object,
    }
    assert columns["age"].tolist() == [41, 5]
    assert np.isnan(columns["income"][0])
    assert columns["plan"].tolist() == ["pro", "new"]
    assert columns["active"].tolist() == [True, None]


def test_an_optional_column_may_be_left_out() -> None:
    assert decode(MIXED, {"rows": [{"age": 1, "plan": "x"}]}).batch.n_rows == 1
    assert decode(MIXED, {"columns": ["plan", "age"], "data": [["x", 1]]}).batch.n_rows == 1
    matrix = decode(NUMBERS, {"rows": [{"a": 1, "b": 2}]}).batch.matrix
    assert matrix is not None
    np.testing.assert_array_equal(matrix, [[1, 2, np.nan]])


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"age": "41", "plan": "x"}, 'column `age`: got "41" (string), expected int64'),
        ({"age": 4.5, "plan": "x"}, "column `age`: got 4.5 (number), expected int64"),
        ({"age": 2**63, "plan": "x"}, "expected int64"),
        ({"age": 10**400, "plan": "x"}, "expected int64"),
        ({"age": True, "plan": "x"}, "got true (boolean), expected int64"),
        ({"age": None, "plan": "x"}, "got null, expected int64"),
        ({"age": 1, "plan": 7}, "column `plan`: got 7 (number), expected string"),
        ({"age": 1, "plan": None}, "got null, expected string"),
        ({"age": 1, "plan": "x", "active": 1}, "expected bool or null"),
        ({"age": 1, "plan": {}}, "got an object"),
        ({"age": 1}, "column `plan` is missing, expected string"),
        ({"age": 1, "plan": "x", "PLAN": 1}, "unknown column `PLAN`; did you mean `plan`?"),
        (
            {"age": 1, "plan": "x", "": 7},
            "a column without a name: was the CSV written with its index? expected one of `age`",
        ),
        ({"age": 1, "plan": "x", "z" * 1000: 1}, "unknown column `" + "z" * 60 + "`; expected one of `age`"),
    ],
)
def test_each_refusal_names_place_value_and_expectation(row: dict[str, Any], words: str) -> None:
    assert words in refusal(MIXED, {"rows": [{"age": 1, "plan": "fine"}, row]})


@pytest.mark.parametrize("value", [128, -129, 1.5, 1e999])
def test_an_int8_is_an_int8(value: float) -> None:
    assert "column `b`" in refusal(
        NUMBERS, {"rows": [{"a": 1, "b": value}]} if value != 1e999 else b'{"data":[[1,1e999,1]]}'
    )


def test_what_float32_does_not_hold_is_refused() -> None:
    assert "expected float32 or null" in refusal(NUMBERS, {"data": [[1, 1, 3.5e38]]})


def test_values_that_are_arrays() -> None:
    columns = decode(PICTURE, {"rows": [{"image": [[1, 2], [3, 4]], "words": ["a", "b", "c"]}]}).batch.columns
    assert columns is not None
    assert columns["image"].shape == (1, 2, 2)
    assert columns["words"].shape == (1, 3)
    for image in ([[1, 2], [3]], [[1, 2]], [1, 2], 5, [[1, 2], [3, [4]]], [[1, 2], 3]):
        assert "column `image`" in refusal(PICTURE, {"rows": [{"image": image, "words": []}]})
    ragged = [{"image": [[1, 2], [3, 4]], "words": ["a"]}, {"image": [[1, 2], [3, 4]], "words": []}]
    assert "column `words`" in refusal(PICTURE, {"rows": ragged})


def test_too_many_rows() -> None:
    with pytest.raises(TooLarge):
        decode(NUMBERS, {"data": [[1, 1, 1]] * 101})


def test_ten_thousand_columns_in_any_order() -> None:
    names = [f"c{place}" for place in range(10_000)]
    wide = Signature(tuple(Column(name, DataType.FLOAT64) for name in names), OUTPUTS)
    matrix = decode(wide, {"rows": [dict.fromkeys(reversed(names), 1.0)]}).batch.matrix
    assert matrix is not None
    assert matrix.shape == (1, 10_000)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=True, allow_infinity=True)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    ["rows", "data", "columns", "entity_ids", "options", "age", "a", "b", "plan", "income", "other"]
)
BODIES = VALUES | st.dictionaries(FIELDS, VALUES | st.lists(st.dictionaries(FIELDS, VALUES, max_size=5), max_size=3))


@settings(max_examples=400, deadline=None)
@given(BODIES, st.sampled_from([MIXED, NUMBERS, PICTURE]))
def test_any_json_is_taken_or_refused_and_nothing_else(body: Any, signature: Signature) -> None:
    with suppress(InvalidInput, TooLarge):
        decode(signature, json.dumps(body).encode())


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=100))
def test_any_bytes_are_taken_or_refused_and_nothing_else(body: bytes) -> None:
    with pytest.raises(ModelyardError):
        decode(MIXED, body)


ROWS = st.lists(
    st.fixed_dictionaries(
        {"age": st.integers(-(2**63), 2**63 - 1), "plan": st.text(max_size=5)},
        optional={
            "income": st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**80), 2**80),
            "active": st.none() | st.booleans(),
        },
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=200, deadline=None)
@given(ROWS)
def test_the_quick_way_and_the_explaining_way_agree(rows: list[dict[str, Any]]) -> None:
    quick = Decoder(MIXED)
    slow = Decoder(MIXED)
    slow._quick = None
    body = json.dumps({"rows": rows}).encode()
    one, other = quick.decode(body, 10).batch.columns, slow.decode(body, 10).batch.columns
    assert one is not None
    assert other is not None
    for name, array in one.items():
        assert array.dtype == other[name].dtype
        np.testing.assert_array_equal(array, other[name])


@pytest.mark.parametrize("signature", [NUMBERS, PICTURE])
@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_words_that_are_no_json_are_named(signature: Signature, word: str) -> None:
    said = refusal(signature, b'{"data": [[1, 1, %s]]}' % word.encode())
    assert said.endswith("; NaN and Infinity are no JSON: send null where the column allows a missing value")


@pytest.mark.parametrize("body", [b"", b" \n"])
def test_an_empty_body_is_told_what_was_expected(body: bytes) -> None:
    assert refusal(MIXED, body).startswith('the body is empty: expected {"rows": [{...}]}')


def test_a_row_by_itself_is_told_where_it_belongs() -> None:
    assert refusal(MIXED, {"age": 1, "plan": "x"}).endswith('expected it in a list, {"rows": [{...}]}')
    assert "unknown field `ages`" in refusal(MIXED, {"ages": 1})


def test_all_missing_columns_are_named_at_once() -> None:
    assert refusal(MIXED, {"rows": [{}]}) == "row 0: 2 columns are missing: `age` (int64), `plan` (string)"
    assert refusal(MIXED, {"columns": ["active"], "data": [[True]]}).startswith("2 columns are missing: `age`")
    wide = Signature(tuple(Column(f"c{place}", DataType.FLOAT64) for place in range(600)), OUTPUTS)
    said = refusal(wide, {"rows": [{}]})
    assert "`c9` (float64) and 590 more" in said
    assert "`c10`" not in said
    with pytest.raises(InvalidInput) as refused:
        decode(wide, {"rows": [{}]})
    assert refused.value.details["missing"] == [f"c{place}" for place in range(500)]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "`options`: got a list, expected an object"),
        (None, "`options`: got null, expected an object"),
        ({"probabilities": "yes"}, 'option `probabilities`: got "yes" (string), expected true or false'),
        ({"probabilities": None}, "option `probabilities`: got null, expected true or false"),
        ({"outputs": "label"}, 'option `outputs`: got "label" (string), expected a list of names'),
        ({"outputs": [3]}, "option `outputs`: got 3 (number) in it, expected names of outputs"),
        ({"probabilites": True}, "unknown option `probabilites`; did you mean `probabilities`?"),
    ],
)
@pytest.mark.parametrize("signature", [NUMBERS, PICTURE])
def test_an_option_that_does_not_fit_is_told_like_a_value(signature: Signature, options: Any, said: str) -> None:
    rows = {NUMBERS: {"a": 1, "b": 1}, PICTURE: {"image": [[1, 2], [3, 4]], "words": []}}
    assert refusal(signature, {"rows": [rows[signature]], "options": options}) == said


def test_entities_are_texts_or_whole_numbers_of_64_bits() -> None:
    row = {"age": 1, "income": 1, "plan": "pro", "active": True}
    assert decode(MIXED, {"rows": [row] * 3, "entity_ids": ["a", 2**63 - 1, -(2**63)]}).entities[1] == 2**63 - 1
    for entity in (2**63, -(2**63) - 1, 2**70):
        assert "64 bits" in refusal(MIXED, {"rows": [row], "entity_ids": [entity]})
    for entities in ([True], [1.5], [None], "a", {}):
        assert "expected a list of strings" in refusal(MIXED, {"rows": [row], "entity_ids": entities})


def test_half_a_surrogate_pair_is_no_text_whatever_else_the_body_has() -> None:
    text = '{"rows": [{"age": 1e999, "age": 1, "income": 1, "plan": "\\ud800", "active": true}]}'
    assert "the body is no JSON" in refusal(MIXED, text.encode())
