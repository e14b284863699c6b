"""A tensor of the Open Inference Protocol, as JSON, into an array: strictly typed, flat or nested, missing as null."""

import types
from collections.abc import Sequence
from functools import lru_cache
from math import prod
from typing import Any

import msgspec
import numpy as np

from modelyard.core.errors import InvalidInput
from modelyard.core.signature import Column, DataType, Signature
from modelyard.serving.protocols import checking
from modelyard.serving.protocols.decoder import quick_type, read_json

TYPES: dict[str, DataType] = {type_.protocol_name: type_ for type_ in DataType}
MAX_DIMENSIONS = 8


def read(name: str, datatype: str, shape: Sequence[int], data: msgspec.Raw) -> np.ndarray:
    """Return the tensor: whole numbers as their own type, all others and those with a null as float64 (NaN where
    null), else objects (None where null).

    Raises:
        InvalidInput: when the data is not of the type or shape that it says it is.
    """
    shown = checking.name(name)
    if datatype not in TYPES:
        checking.refuse_unknown(f"datatype of input `{shown}`:", datatype, list(TYPES))
    type_ = TYPES[datatype]
    if len(shape) > MAX_DIMENSIONS:
        raise InvalidInput(f"input `{shown}`: {len(shape)} dimensions, expected at most {MAX_DIMENSIONS}")
    raw = bytes(data)
    nested = raw[1:].lstrip()[:1] == b"["
    try:
        values = _decoder(type_, len(shape) if nested else 1).decode(raw)
    except msgspec.ValidationError:
        values = _explained(shown, type_, read_json(raw, "a list of values"))
        nested = False
    if nested:
        values = _flat(values, shape, shown)
    if len(values) != prod(shape):
        raise InvalidInput(f"input `{shown}`: {len(values)} elements, expected {prod(shape)} for shape {list(shape)}")
    if type_ in (DataType.STRING, DataType.BOOL):
        array = np.empty(len(values), dtype=object)
        array[:] = values
    else:
        array = _numbers(values, type_, shown)
    return array.reshape(shape)


def as_matrix(matrix: np.ndarray, signature: Signature, name: str) -> np.ndarray:
    """Check a matrix, column by column, and return it as float64."""
    if matrix.dtype == object:
        raise InvalidInput(f"input `{checking.name(name)}`: expected numbers, as every column is numeric")
    for place, column in enumerate(signature.columns):
        if column.type is DataType.BOOL:
            raise InvalidInput(f"column `{column.name}` is bool: expected one input for each column")
        check_numbers(matrix[:, place], column)
    return np.ascontiguousarray(matrix, dtype=np.float64)


def as_column(array: np.ndarray, column: Column) -> np.ndarray:
    """Check one column's tensor and return it as the column's arrays are held: `(n_rows, *shape)`."""
    n_rows = len(array)
    if not column.shape and array.shape == (n_rows, 1):
        array = array.reshape(n_rows)
    wanted = column.shape
    fits = array.ndim == 1 + len(wanted) and all(
        size in (-1, got) for size, got in zip(wanted, array.shape[1:], strict=True)
    )
    if not fits:
        expected = [n_rows, *wanted]
        raise InvalidInput(f"input `{column.name}`: shape {list(array.shape)}, expected {expected}")
    if array.dtype == object or not column.type.is_numeric or column.type is DataType.BOOL:
        values = [checking.check_value(column, value, row) for row, value in enumerate(array.ravel().tolist())]
        return checking.filled(column, values).reshape(array.shape)
    check_numbers(array, column)
    return array.astype(column.dtype, copy=False)


def _numbers(values: list[Any], type_: DataType, name: str) -> np.ndarray:
    """Return decoded numbers. A float64 holds not every whole number beyond 2**53, so that only a null makes it one."""
    lacking = None in values
    try:
        array = np.array(values, dtype=type_.dtype if type_.is_integer and not lacking else np.float64)
    except OverflowError:  # only of uint64, whose upper bound `quick_type` cannot say
        raise InvalidInput(f"input `{name}`: a number is too large, expected {type_.protocol_name}") from None
    if lacking and type_ is DataType.UINT64:
        check_numbers(array, Column(name, type_, optional=True))
    return array


def check_numbers(array: np.ndarray, column: Column) -> None:
    """Check numbers, `(n_rows, ...)` of any numeric type, with NaN for missing, against a column.

    Raises:
        InvalidInput: with the first row that does not fit.
    """
    finite = np.isfinite(array)
    if column.type is DataType.FLOAT64 and finite.all():
        return
    if column.type.is_integer:
        bounds = np.iinfo(column.type.dtype)
        fits = (array == np.floor(array)) & (array >= int(bounds.min)) & (array < int(bounds.max) + 1)
    else:
        fits = finite & (np.abs(array) <= float(np.finfo(column.type.dtype).max))
    if column.optional:
        fits |= np.isnan(array)
    if not fits.all():
        first = np.argwhere(~fits)[0]
        value = float(array[tuple(first)])
        checking.refuse(column, None if np.isnan(value) else value, int(first[0]))


def _explained(name: str, type_: DataType, values: Any) -> list[Any]:
    """Take what the quick way did not, one element at a time, or say what is wrong with it."""
    column = Column(name, type_, optional=True)
    flat: list[Any] = []
    stack = [iter(values if isinstance(values, list) else [values])]
    while stack:
        for value in stack[-1]:
            if isinstance(value, list):
                if len(stack) >= MAX_DIMENSIONS:
                    raise InvalidInput(f"input `{name}`: nested deeper than {MAX_DIMENSIONS}")
                stack.append(iter(value))
                break
            try:
                flat.append(checking.check_value(column, value, 0))
            except InvalidInput:
                raise InvalidInput(
                    f"input `{name}`, element {len(flat)}: got {checking.shown(value)}, expected {type_.protocol_name}"
                ) from None
        else:
            stack.pop()
    return flat


def _flat(values: Any, shape: Sequence[int], name: str) -> list[Any]:
    """Flatten nested lists, each of the length that the shape says."""
    flat = [values]
    for size in shape:
        if any(len(one) != size for one in flat):
            raise InvalidInput(f"input `{name}`: its lists are not of shape {list(shape)}")
        flat = [item for one in flat for item in one]
    return flat


@lru_cache(maxsize=256)
def _decoder(type_: DataType, depth: int) -> "msgspec.json.Decoder[Any]":
    kind: Any = quick_type(Column("", type_, optional=True))
    for _ in range(depth):
        kind = types.GenericAlias(list, (kind,))
    return msgspec.json.Decoder(kind)
