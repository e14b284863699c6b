"""What callers have in hand, as request bodies."""

from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from modelyard.client.rows import body_of, plain
from modelyard.core.errors import InvalidInput


def test_a_frame_keeps_its_names_and_a_missing_value_is_null() -> None:
    frame = pd.DataFrame({"age": [41, 7], "plan": ["pro", None], "height": [1.8, np.nan]})
    assert body_of(frame) == {"columns": ["age", "plan", "height"], "data": [[41, "pro", 1.8], [7, None, None]]}


def test_a_frame_whose_names_are_numbers_has_names_of_text() -> None:
    assert body_of(pd.DataFrame([[1.0, 2.0]])) == {"columns": ["0", "1"], "data": [[1.0, 2.0]]}


@pytest.mark.parametrize("missing", [pd.NA, pd.NaT, np.nan, None, float("nan")])
def test_every_word_for_missing_is_null(missing: object) -> None:
    assert plain(missing) is None


def test_nullable_columns_and_categories_are_plain_values() -> None:
    frame = pd.DataFrame({"n": pd.array([1, None], dtype="Int64"), "c": pd.Categorical(["a", "b"])})
    assert body_of(frame)["data"] == [[1, "a"], [None, "b"]]


def test_an_array_goes_by_position() -> None:
    body = body_of(np.array([[1, 2], [3, 4]], dtype=np.float32))
    assert body == {"data": [[1.0, 2.0], [3.0, 4.0]]}
    assert type(body["data"][0][0]) is float


def test_an_array_keeps_whole_numbers_and_deeper_shapes() -> None:
    assert body_of(np.arange(4).reshape(1, 2, 2)) == {"data": [[[0, 1], [2, 3]]]}


def test_one_dimension_is_refused_with_what_helps() -> None:
    with pytest.raises(InvalidInput, match=r"X\[:1\] for one row"):
        body_of(np.zeros(4))


def test_rows_by_name() -> None:
    assert body_of([{"a": np.int64(1), "b": np.float32(0.5)}]) == {"rows": [{"a": 1, "b": 0.5}]}
    assert body_of({"a": 1}) == {"rows": [{"a": 1}]}


def test_rows_by_position_from_any_iterable() -> None:
    assert body_of(row for row in [(1, 2), [3, 4]]) == {"data": [[1, 2], [3, 4]]}


def test_a_table_of_arrow() -> None:
    assert body_of(pa.table({"a": [1, None]})) == {"rows": [{"a": 1}, {"a": None}]}


def test_no_rows_are_left_to_the_server_to_refuse() -> None:
    assert body_of([]) == {"data": []}


def test_dates_and_numpy_scalars() -> None:
    assert plain(date(2026, 1, 31)) == "2026-01-31"
    assert plain(np.bool_(True)) is True
    assert plain(np.str_("x")) == "x"
    assert type(plain(np.str_("x"))) is str


@pytest.mark.parametrize("inputs", ["5.1,3.5", b"x", None, 7, 1.5, [1, 2], ["a"], [{"a": 1}, [1]]])
def test_what_is_no_table_is_refused(inputs: object) -> None:
    with pytest.raises(InvalidInput, match="expected a DataFrame"):
        body_of(inputs)


@pytest.mark.parametrize("value", [float("inf"), -float("inf"), np.inf, [[np.inf]]])
def test_infinity_is_refused_rather_than_sent_as_missing(value: object) -> None:
    with pytest.raises(InvalidInput, match="infinity"):
        plain(value)


@pytest.mark.parametrize("value", [object(), {1, 2}, 1j, b"bytes"])
def test_what_json_cannot_carry_is_refused_by_type(value: object) -> None:
    with pytest.raises(InvalidInput, match=f"of type {type(value).__name__}"):
        body_of([{"a": value}])
