"""Joining batches and splitting the answer are inverse."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.core.tensors import Batch, join, split

sizes = st.lists(st.integers(0, 5), min_size=1, max_size=6)


def matrix_batch(n_rows: int, start: float) -> Batch:
    return Batch(n_rows, matrix=np.arange(start, start + n_rows * 2, dtype=np.float64).reshape(n_rows, 2))


def column_batch(n_rows: int, mark: str) -> Batch:
    columns = {
        "age": np.arange(n_rows, dtype=np.int64),
        "plan": np.array([mark] * n_rows, dtype=object),
        "picture": np.zeros((n_rows, 2, 3), dtype=np.float32),
    }
    return Batch(n_rows, columns=columns)


@given(sizes)
def test_what_is_joined_is_split_again(sizes: list[int]) -> None:
    batches = [matrix_batch(size, start) for start, size in enumerate(sizes)]
    whole = join(batches)
    assert whole.n_rows == sum(sizes)
    assert whole.matrix is not None
    parts = split({"out": whole.matrix}, sizes)
    for batch, part in zip(batches, parts, strict=True):
        assert batch.matrix is not None
        np.testing.assert_array_equal(part["out"], batch.matrix)


def test_columns_are_joined_each_in_its_own_type() -> None:
    whole = join([column_batch(2, "pro"), column_batch(3, "free")])
    assert whole.matrix is None
    assert whole.columns is not None
    assert list(whole.columns) == ["age", "plan", "picture"]
    assert whole.columns["age"].tolist() == [0, 1, 0, 1, 2]
    assert whole.columns["age"].dtype == np.int64
    assert whole.columns["plan"].tolist() == ["pro", "pro", "free", "free", "free"]
    assert whole.columns["picture"].shape == (5, 2, 3)
    assert whole.columns["picture"].dtype == np.float32


@pytest.mark.parametrize("batch", [matrix_batch(3, 0), column_batch(3, "pro")])
def test_a_single_batch_is_not_copied(batch: Batch) -> None:
    assert join([batch]) is batch


def test_splitting_copies_nothing() -> None:
    array = np.arange(6)
    first, second = split({"out": array}, [2, 4])
    assert np.shares_memory(first["out"], array)
    assert np.shares_memory(second["out"], array)
    assert second["out"].tolist() == [2, 3, 4, 5]


def test_every_output_is_split_along_its_rows() -> None:
    answer = {"label": np.array(["a", "b", "c"], dtype=object), "probabilities": np.eye(3)}
    parts = split(answer, [1, 2])
    assert [part["label"].tolist() for part in parts] == [["a"], ["b", "c"]]
    assert [part["probabilities"].shape for part in parts] == [(1, 3), (2, 3)]


def test_a_matrix_stays_contiguous() -> None:
    whole = join([matrix_batch(2, 0), matrix_batch(1, 9)])
    assert whole.matrix is not None
    assert whole.matrix.flags.c_contiguous
