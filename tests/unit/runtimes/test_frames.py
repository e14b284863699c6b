import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.core.tensors import Batch
from modelyard.runtimes.frames import PREFIX, FrameError, batch_arrays, decode, encode, read_batch


def roundtrip(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    data = b"".join(bytes(piece) for piece in encode({"a": 1}, arrays))
    header_size, body_size = PREFIX.unpack(data[: PREFIX.size])
    assert len(data) == PREFIX.size + header_size + body_size
    start = PREFIX.size + header_size
    header, found = decode(data[PREFIX.size : start], data[start:])
    assert header == {"a": 1}
    return found


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint64", "float16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(0,), (3,), (2, 0), (2, 3, 4)])
def test_arrays_come_back(dtype: str, shape: tuple[int, ...]) -> None:
    array = np.arange(int(np.prod(shape))).reshape(shape).astype(dtype)
    found = roundtrip({"x": array, "y": array})
    np.testing.assert_array_equal(found["x"], array)
    assert found["y"].dtype == array.dtype
    assert found["y"].shape == shape


def test_texts_and_missing_values_come_back() -> None:
    array = np.array([["a", None], [True, 7]], dtype=object)
    assert roundtrip({"x": array})["x"].tolist() == array.tolist()
    assert roundtrip({"x": np.array(["a", float("nan")], dtype=object)})["x"].tolist() == ["a", None]
    assert roundtrip({"x": np.array(["a", "bc"])})["x"].tolist() == ["a", "bc"]


def test_not_contiguous_arrays_come_back() -> None:
    array = np.arange(12.0).reshape(3, 4).T[::2]
    np.testing.assert_array_equal(roundtrip({"x": array})["x"], array)


@given(st.binary(max_size=200), st.binary(max_size=50))
def test_nonsense_is_a_frame_error(header: bytes, body: bytes) -> None:
    with pytest.raises(FrameError):
        decode(header + b"\x00", body)


@pytest.mark.parametrize(
    "entry",
    [
        {"name": "x", "type": "object", "shape": [1]},
        {"name": "x", "type": "float64", "shape": [2**60]},
        {"name": "x", "type": "float64", "shape": [-1]},
        {"name": "x", "type": "float64", "shape": [True]},
        {"name": "x", "type": "float64", "shape": [1] * 40},
        {"name": "x", "type": "float64", "shape": 3},
        {"name": "x", "shape": [2], "values": ["a"]},
        {"name": "x", "shape": [1], "values": [["a"]]},
        {"name": "x", "shape": [1], "values": {"a": 1}},
        {"name": "x", "shape": [2], "values": "ab"},
        {"type": "float64", "shape": [0]},
    ],
)
def test_lies_about_arrays_are_frame_errors(entry: dict[str, object]) -> None:
    with pytest.raises(FrameError):
        decode(json.dumps({"arrays": [entry]}).encode(), b"\0" * 8)


def test_batches_come_back() -> None:
    matrix = Batch(2, matrix=np.ones((2, 3)))
    assert read_batch(*batch_arrays(matrix)).matrix is matrix.matrix
    columns = Batch(2, columns={"a": np.ones(2), "b": np.array(["x", None], dtype=object)})
    assert list(read_batch(*batch_arrays(columns)).columns or {}) == ["a", "b"]


@pytest.mark.parametrize(
    ("header", "arrays"),
    [
        ({"n_rows": 2, "matrix": True}, {"matrix": np.ones((3, 3))}),
        ({"n_rows": 3, "matrix": True}, {"matrix": np.ones(3)}),
        ({"n_rows": 3, "matrix": True}, {}),
        ({"n_rows": "3", "matrix": False}, {"a": np.ones(3)}),
        ({"n_rows": 3}, {"a": np.array(1.0)}),
    ],
)
def test_batches_that_are_none(header: dict[str, object], arrays: dict[str, np.ndarray]) -> None:
    with pytest.raises(FrameError):
        read_batch(header, arrays)
