"""How arrays travel to and from a sandboxed child, and lie in files between two of them.

A frame is `uint32 header bytes | uint64 body bytes | header | body`, little-endian. The header is JSON; its key
`arrays` lists name, type and shape of each array. The body is their bytes one after another, C-contiguous; an array
of strings (or of values that may be missing) is in the header itself, as `values`. Nothing is ever pickled, so a
hostile writer can make wrong numbers at worst.
"""

import json
import math
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from modelyard.core.tensors import Batch

PREFIX = struct.Struct("<IQ")
_TYPES = frozenset(
    "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64".split()  # noqa: SIM905
)
_MAX_ARRAYS = 20_000
_MAX_DIMENSIONS = 16


class FrameError(ValueError):
    """Bytes that are no frame."""


def encode(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray] | None = None) -> list[bytes | memoryview]:
    """Return the frame in pieces to be written one after another."""
    described: list[dict[str, Any]] = []
    body: list[memoryview] = []
    for name, array in (arrays or {}).items():
        entry: dict[str, Any] = {"name": name, "shape": list(array.shape)}
        if array.dtype.name in _TYPES:
            entry["type"] = array.dtype.name
            flat = np.ascontiguousarray(array)
            if flat.size:
                body.append(memoryview(flat.reshape(-1).view(np.uint8)))  # type: ignore[arg-type]
        else:
            entry["values"] = [_scalar(value) for value in array.reshape(-1).tolist()]
        described.append(entry)
    text = json.dumps({**header, "arrays": described}).encode()
    return [PREFIX.pack(len(text), sum(piece.nbytes for piece in body)), text, *body]


def _scalar(value: Any) -> str | int | float | bool | None:
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return None if math.isnan(value) else value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    # pandas' marks for a missing value are equal to nothing, themselves included
    return None if value != value or type(value).__name__ in ("NAType", "NaTType") else str(value)


def decode(header: bytes, body: bytes | bytearray | memoryview) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the header without `arrays`, and the arrays (read-only views of `body`).

    Raises:
        FrameError: when the bytes are not what `encode` makes.
    """
    try:
        said = json.loads(header)
        described = said.pop("arrays")
        if not isinstance(described, list) or len(described) > _MAX_ARRAYS:
            raise FrameError("too many arrays")
        arrays: dict[str, np.ndarray] = {}
        offset = 0
        for entry in described:
            array, offset = _array(entry, body, offset)
            arrays[str(entry["name"])] = array
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise FrameError(f"not a frame: {error}") from error
    return said, arrays


def write_file(path: Path, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Leave a frame as a file."""
    with path.open("wb") as file:
        file.writelines(encode(header, arrays))


def read_file(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return what `decode` makes of a file.

    Raises:
        FrameError: when it is none.
    """
    data = memoryview(path.read_bytes())
    if len(data) < PREFIX.size:
        raise FrameError("a file that is too short")
    header_size, _ = PREFIX.unpack(data[: PREFIX.size])
    start = PREFIX.size + header_size
    return decode(bytes(data[PREFIX.size : start]), data[start:])


def _array(entry: dict[str, Any], body: bytes | bytearray | memoryview, offset: int) -> tuple[np.ndarray, int]:
    shape = entry["shape"]
    if not isinstance(shape, list) or len(shape) > _MAX_DIMENSIONS or any(type(n) is not int or n < 0 for n in shape):
        raise FrameError("a shape that is none")
    count = math.prod(shape)
    if "values" in entry:
        values = entry["values"]
        if (
            not isinstance(values, list)
            or len(values) != count
            or any(isinstance(value, dict | list) for value in values)
        ):
            raise FrameError("values that do not fit their shape")
        held = np.empty(count, dtype=object)
        held[:] = values
        return held.reshape(shape), offset
    if entry["type"] not in _TYPES:
        raise FrameError("a type that is none")
    dtype = np.dtype(entry["type"])
    if offset + count * dtype.itemsize > len(body):
        raise FrameError("a body that is too short")
    array = np.frombuffer(body, dtype, count, offset) if count else np.empty(0, dtype)
    return array.reshape(shape), offset + count * dtype.itemsize


def batch_arrays(batch: Batch) -> tuple[dict[str, Any], Mapping[str, np.ndarray]]:
    """Return a batch as a header and arrays."""
    if batch.matrix is not None:
        return {"n_rows": batch.n_rows, "matrix": True}, {"matrix": batch.matrix}
    return {"n_rows": batch.n_rows, "matrix": False}, batch.columns or {}


def read_batch(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Batch:
    """Return the batch that `batch_arrays` took apart.

    Raises:
        FrameError: when it is none.
    """
    n_rows = header.get("n_rows")
    if type(n_rows) is not int or any(array.ndim < 1 or len(array) != n_rows for array in arrays.values()):
        raise FrameError("a batch whose arrays differ in length")
    if header.get("matrix"):
        if set(arrays) != {"matrix"} or arrays["matrix"].ndim != 2:
            raise FrameError("a matrix that is none")
        return Batch(n_rows, matrix=arrays["matrix"])
    return Batch(n_rows, columns=dict(arrays))
