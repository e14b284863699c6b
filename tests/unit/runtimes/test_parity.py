import numpy as np
import pytest

from modelyard.core.signature import Column, DataType, Output, Signature
from modelyard.core.tensors import take
from modelyard.runtimes.estimators import Facts
from modelyard.runtimes.parity import around, as_rows, batch_of, compare, rows_for


def test_equal_answers_agree() -> None:
    answer = {"prediction": np.array([1, 2]), "probabilities": np.array([[0.5, 0.5], [1.0, 0.0]])}
    found = compare(answer, answer, 2)
    assert found.agrees
    assert (found.rows, found.class_mismatches, found.disagreeing, found.largest_relative) == (2, 0, 0, 0)


@pytest.mark.parametrize(
    ("expected", "given", "disagreeing"),
    [
        (np.array([1.0, 2.0]), np.array([1.0 + 1e-8, 2.0]), 0),
        (np.array([1.0, 2.0]), np.array([1.0 + 1e-5, 2.0]), 1),
        (np.array([1e-7, 2.0]), np.array([1.1e-7, 2.0]), 1),
        (np.array([0.0, 2.0]), np.array([1e-13, 2.0]), 0),
        (np.array([np.nan, np.inf]), np.array([np.nan, np.inf]), 0),
        (np.array([np.nan, 1.0]), np.array([1.0, np.nan]), 2),
        (np.array([np.inf, 1.0]), np.array([-np.inf, 1.0]), 1),
    ],
)
def test_numbers(expected: np.ndarray, given: np.ndarray, disagreeing: int) -> None:
    assert compare({"y": expected}, {"y": given}, 2).disagreeing == disagreeing


def test_classes_must_be_equal() -> None:
    found = compare({"y": np.array(["a", "b", "c"], dtype=object)}, {"y": np.array(["a", "c", "b"], dtype=object)}, 3)
    assert (found.class_mismatches, found.disagreeing, found.agrees) == (2, 2, False)


def test_another_shape_or_a_missing_output_is_a_failure() -> None:
    assert compare({"y": np.zeros(2)}, {"y": np.zeros((2, 1))}, 2).failure
    assert compare({"y": np.zeros(2)}, {}, 2).failure


COLUMNS = (
    Column("number", DataType.FLOAT64, optional=True),
    Column("count", DataType.INT64),
    Column("flag", DataType.BOOL),
    Column("text", DataType.STRING, categories=("a", "b")),
)
FACTS = [Facts(low=1, high=2, points=[1.5]), Facts(low=0, high=9), Facts(), Facts()]


def test_rows_stand_on_thresholds_and_beside_them() -> None:
    made = rows_for(COLUMNS, FACTS)
    values = set(made["number"].tolist())
    assert {1.5, float(np.nextafter(1.5, 2)), float(np.nextafter(1.5, 1))} <= values
    assert np.isnan(made["number"]).any()
    assert made["count"].dtype == np.int64
    assert set(made["text"].tolist()) == {"a", "b"}
    assert {array.shape for array in made.values()} == {(256 + 3,)}


def test_the_same_rows_each_time() -> None:
    first, second = rows_for(COLUMNS, FACTS), rows_for(COLUMNS, FACTS)
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name])


def test_rows_as_json_values() -> None:
    signature = Signature(COLUMNS, (Output("y", DataType.FLOAT64),))
    batch = batch_of(rows_for(COLUMNS, FACTS), signature)
    rows = as_rows(batch, signature, 8)
    assert len(rows) == 8
    assert {type(row["count"]) for row in rows} == {int}
    assert {type(row["flag"]) for row in rows} == {bool}
    assert {type(row["number"]) for row in rows} <= {float, type(None)}
    assert take(batch, slice(0, 3)).n_rows == 3


def test_a_matrix_of_whole_numbers_shows_whole_numbers() -> None:
    signature = Signature(COLUMNS[1:2], (Output("y", DataType.FLOAT64),))
    batch = batch_of({"count": np.array([3, 4])}, signature)
    assert batch.matrix is not None
    assert as_rows(batch, signature, 1) == [{"count": 3}]


def test_around_keeps_the_rows_and_adds_as_many_between() -> None:
    rows = np.arange(12.0).reshape(6, 2)
    near = around(rows)
    assert near.shape == (12, 2)
    np.testing.assert_array_equal(near[:6], rows)
    assert near.min() >= 0
    assert near.max() <= 11
