"""What a caller has in hand, as the body of a prediction request.

Frames and tables are told by what they can do, not by their class: so nobody pays for importing a library that
they do not use.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from modelyard.core.errors import InvalidInput

EXPECTED = "expected a DataFrame, a two-dimensional array, a list of rows, or a list of dictionaries"


def body_of(inputs: Any) -> dict[str, Any]:
    """Return `{"columns", "data"}`, `{"data"}` (by position) or `{"rows"}` (by name) for `inputs`.

    A missing value (NaN, NaT, NA) becomes null.

    Args:
        inputs: a pandas DataFrame, a polars DataFrame, a pyarrow Table, an array `(n_rows, n_columns)`,
            an iterable of dictionaries or of sequences, or one dictionary (a single row).

    Raises:
        InvalidInput: when it is none of these, or holds infinity or an unknown type.
    """
    if isinstance(inputs, (str, bytes)) or inputs is None:
        raise InvalidInput(f"{type(inputs).__name__} cannot be predicted for: {EXPECTED}")
    if isinstance(inputs, Mapping):
        return {"rows": [_row(inputs)]}
    if hasattr(inputs, "columns") and hasattr(inputs, "itertuples"):
        return _frame(inputs)
    for method in ("to_pylist", "to_dicts"):
        if hasattr(inputs, method):
            return {"rows": [_row(row) for row in getattr(inputs, method)()]}
    if hasattr(inputs, "tolist") and hasattr(inputs, "ndim"):
        return _array(inputs)
    if not isinstance(inputs, Iterable):
        raise InvalidInput(f"{type(inputs).__name__} cannot be predicted for: {EXPECTED}")
    return _listed(list(inputs))


def plain(value: Any) -> Any:
    """Return `value` as JSON can carry it.

    Raises:
        InvalidInput: for infinity and for what JSON has no word for.
    """
    if value is None or isinstance(value, (str, bool, int)):
        return value if type(value) in (str, bool, int) or value is None else _builtin(value)
    if isinstance(value, float):
        if math.isinf(value):
            raise InvalidInput("infinity was given: expected finite numbers, or NaN for a missing value")
        return None if math.isnan(value) else float(value)
    if isinstance(value, Mapping):
        return _row(value)
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    for method in ("tolist", "isoformat"):
        if hasattr(value, method):
            return plain(getattr(value, method)())
    raise InvalidInput(f"a value of type {type(value).__name__} was given: expected text, numbers, booleans or None")


def _builtin(value: str | int) -> str | int:
    return str(value) if isinstance(value, str) else int(value)


def _row(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(name): plain(value) for name, value in row.items()}


def _frame(frame: Any) -> dict[str, Any]:
    columns = [str(name) for name in frame.columns]
    return {
        "columns": columns,
        "data": [[plain(value) for value in row] for row in frame.itertuples(index=False, name=None)],
    }


def _array(array: Any) -> dict[str, Any]:
    if array.ndim < 2:
        raise InvalidInput(
            f"an array of {array.ndim} dimension(s) was given: expected (n_rows, n_columns); use X[:1] for one row"
        )
    return {"data": [plain(row) for row in array.tolist()]}


def _listed(rows: list[Any]) -> dict[str, Any]:
    if rows and all(isinstance(row, Mapping) for row in rows):
        return {"rows": [_row(row) for row in rows]}
    data = [plain(row) for row in rows]
    if not all(isinstance(row, list) for row in data):
        raise InvalidInput(f"a list of {type(rows[0]).__name__} was given: {EXPECTED}")
    return {"data": data}
