"""From JSON values to arrays, one value at a time, so that a refusal names row, column, value and expectation.

The decoder's quick way takes most requests; this one explains what it did not take, and takes what is right but rare
(integral floats for integers, values that are arrays).
"""

import difflib
import json
from collections.abc import Container, Iterable, Sequence
from typing import Any, NoReturn

import numpy as np

from modelyard.core.errors import InvalidInput
from modelyard.core.signature import Column, DataType, Signature
from modelyard.core.tensors import Batch

_SHOWN = 60
COMPARED = 200
"""With how many known words an unknown one is compared: 30 us each, and 2,000 stalled a server's loop for 120 ms."""
_NAMED = 10
"""How many missing columns a message names."""
_DETAILED = 500
"""How many an error's details name."""

_KINDS: tuple[tuple[type, str], ...] = (
    (bool, "boolean"),
    (str, "string"),
    (int, "number"),
    (float, "number"),
    (list, "list"),
    (dict, "object"),
    (type(None), "null"),
)


def kind(value: object) -> str:
    """Return JSON's word for the type of a decoded value."""
    return next((name for type_, name in _KINDS if isinstance(value, type_)), type(value).__name__)


def shown(value: object) -> str:
    """Return a value as JSON writes it, with its kind, cut to a length that fits a message."""
    if isinstance(value, list | dict):
        return f"a {kind(value)}" if isinstance(value, list) else "an object"
    if value is None:
        return "null"
    text = json.dumps(value if not isinstance(value, str) else value[:_SHOWN], ensure_ascii=False)
    return f"{text[: _SHOWN + 2]} ({kind(value)})"


def name(text: object) -> str:
    """Return a client's word, cut to a length that fits a message."""
    return str(text)[:_SHOWN]


def nearest(word: str, known: Sequence[str]) -> str | None:
    """Return the known word that was probably meant. Of many only the first are compared: a loop may wait for this."""
    found = difflib.get_close_matches(word[:_SHOWN], known[:COMPARED], n=1, cutoff=0.6)
    if found:
        return found[0]
    lowered = word[:_SHOWN].lower()
    return next((one for one in known if one.lower() == lowered), None)


def refuse_unknown(what: str, word: object, known: Sequence[str], **details: Any) -> NoReturn:
    """Raise `InvalidInput` for a word that is not known, with the nearest that is."""
    if what == "column" and word == "":
        raise InvalidInput(f"a column without a name: was the CSV written with its index? expected {_listed(known)}")
    meant = nearest(word, known) if isinstance(word, str) else None
    hint = f"; did you mean `{meant}`?" if meant else f"; expected {_listed(known)}"
    if meant:
        details["did_you_mean"] = meant
    raise InvalidInput(f"unknown {what} `{name(word)}`{hint}", **details)


def rows_batch(signature: Signature, rows: Sequence[Any]) -> Batch:
    """Turn a list of objects, column name to value, into a batch. Raises `InvalidInput`."""
    known = {column.name: column for column in signature.columns}
    for number, row in enumerate(rows):
        if not isinstance(row, dict):
            raise InvalidInput(f"row {number}: got {shown(row)}, expected an object, column name to value", row=number)
        if len(row) == len(known) and row.keys() == known.keys():
            continue
        for word in row:
            if word not in known:
                refuse_unknown("column", word, signature.names, row=number, column=name(word))
        check_none_lacks(signature, row, place=f"row {number}: ", row=number)
    values = ([row.get(column.name) for row in rows] for column in signature.columns)
    return columns_batch(signature, values, len(rows))


def table_batch(signature: Signature, columns: Sequence[str] | None, data: Sequence[Any]) -> Batch:
    """Turn a list of lists of values, with or without the columns' names, into a batch. Raises `InvalidInput`."""
    order = _order(signature, columns)
    width = len(signature.columns) if columns is None else len(columns)
    for number, row in enumerate(data):
        if not isinstance(row, list | tuple):
            raise InvalidInput(f"row {number}: got {shown(row)}, expected a list of {width} values", row=number)
        if len(row) != width:
            raise InvalidInput(f"row {number}: got {len(row)} values, expected {width}", row=number)
    values = ([None if place is None else row[place] for row in data] for place in order)
    return columns_batch(signature, values, len(data))


def columns_batch(signature: Signature, values: Iterable[Sequence[Any]], n_rows: int) -> Batch:
    """Turn each column's values, in the signature's order, into a batch. Raises `InvalidInput`."""
    arrays = {column.name: column_array(column, each) for column, each in zip(signature.columns, values, strict=True)}
    return assemble(signature, arrays, n_rows)


def assemble(signature: Signature, arrays: dict[str, np.ndarray], n_rows: int) -> Batch:
    """Put checked arrays, one for each column and in order, into the form that the signature asks for."""
    if not signature.is_matrix:
        return Batch(n_rows, columns=arrays)
    matrix = np.empty((n_rows, len(signature.columns)), dtype=np.float64)
    for place, array in enumerate(arrays.values()):
        matrix[:, place] = array
    return Batch(n_rows, matrix=matrix)


def column_array(column: Column, values: Sequence[Any]) -> np.ndarray:
    """Check one column's values, one for each row. Returns `(n_rows, *shape)` of `column.dtype`."""
    if column.shape:
        return _nested_array(column, values)
    return filled(column, [check_value(column, value, row) for row, value in enumerate(values)])


def check_value(column: Column, value: Any, row: int) -> Any:
    """Return one scalar as the column's type holds it, None for a missing one.

    Raises:
        InvalidInput: when it does not fit.
    """
    if value is None:
        if column.optional:
            return None
        refuse(column, value, row)
    type_ = column.type
    if type_ is DataType.STRING:
        fits = isinstance(value, str)
    elif type_ is DataType.BOOL:
        fits = isinstance(value, bool)
    elif isinstance(value, bool) or not isinstance(value, int | float):
        fits = False
    elif type_.is_integer:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        bounds = np.iinfo(type_.dtype)
        fits = isinstance(value, int) and int(bounds.min) <= value <= int(bounds.max)
    else:
        fits = abs(value) <= float(np.finfo(type_.dtype).max)
    if not fits:
        refuse(column, value, row)
    return value


def refuse(column: Column, value: object, row: int) -> NoReturn:
    """Raise `InvalidInput` for a value that does not fit its column."""
    expected = expectation(column)
    raise InvalidInput(
        f"row {row}, column `{column.name}`: got {shown(value)}, expected {expected}",
        row=row,
        column=column.name,
        expected=expected,
    )


def expectation(column: Column) -> str:
    """Return what a column takes, for a message."""
    text = column.type.value
    if column.shape:
        text += " of shape [" + ", ".join("any" if size < 0 else str(size) for size in column.shape) + "]"
    return f"{text} or null" if column.optional else text


def filled(column: Column, values: list[Any]) -> np.ndarray:
    """Return checked scalars as an array of the column's own type."""
    if column.dtype != np.dtype(object):
        return np.array(values, dtype=column.dtype)
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def missing(column: Column, shape: tuple[int, ...]) -> np.ndarray:
    """Return an optional column's array in which every value is missing."""
    fill = None if column.dtype == np.dtype(object) else np.nan
    return np.full(shape, fill, dtype=column.dtype)


def _nested_array(column: Column, values: Sequence[Any]) -> np.ndarray:
    """Check values that are arrays themselves: nested lists of one shape for all rows."""
    shape: tuple[int, ...] | None = None
    flat: list[Any] = []
    for row, value in enumerate(values):
        found = _shape(value, len(column.shape))
        fits = len(found) == len(column.shape) and all(
            want in (-1, got) for want, got in zip(column.shape, found, strict=True)
        )
        if not fits or (shape is not None and found != shape):
            refuse(column, value, row)
        shape = found
        before = len(flat)
        _flatten(column, value, len(column.shape), row, flat)
        if len(flat) - before != int(np.prod(found)):
            raise InvalidInput(
                f"row {row}, column `{column.name}`: its lists differ in length, expected {expectation(column)}",
                row=row,
                column=column.name,
            )
    return filled(column, flat).reshape(len(values), *(shape or column.shape))


def _shape(value: Any, depth: int) -> tuple[int, ...]:
    shape: list[int] = []
    while isinstance(value, list) and len(shape) < depth:
        shape.append(len(value))
        value = value[0] if value else None
    return tuple(shape)


def _flatten(column: Column, value: Any, depth: int, row: int, flat: list[Any]) -> None:
    if depth == 0:
        flat.append(check_value(column, value, row))
        return
    if not isinstance(value, list):
        refuse(column, value, row)
    for one in value:
        _flatten(column, one, depth - 1, row, flat)


def _order(signature: Signature, columns: Sequence[str] | None) -> list[int | None]:
    """Return for each column of the signature its place in the data; None where an optional one is left out."""
    if columns is None:
        return list(range(len(signature.columns)))
    places: dict[str, int] = {}
    known = set(signature.names)
    for place, word in enumerate(columns):
        if not isinstance(word, str):
            raise InvalidInput(f"`columns`: got {shown(word)}, expected a list of names")
        if word not in known:
            refuse_unknown("column", word, signature.names, column=name(word))
        if word in places:
            raise InvalidInput(f"`columns`: `{word}` is named twice, expected each name once", column=word)
        places[word] = place
    check_none_lacks(signature, places)
    return [places.get(column.name) for column in signature.columns]


def check_none_lacks(
    signature: Signature, given: Container[str], what: str = "column", place: str = "", **details: Any
) -> None:
    """Raise `InvalidInput` that names all columns, as far as they fit a message, that are needed and not given.

    `what`: how the request's protocol calls a column.
    """
    lacking = [column for column in signature.columns if column.name not in given and not column.optional]
    if not lacking:
        return
    first = lacking[0]
    details |= {"column": first.name, "missing": [column.name for column in lacking[:_DETAILED]]}
    if len(lacking) == 1:
        raise InvalidInput(f"{place}{what} `{first.name}` is missing, expected {expectation(first)}", **details)
    named = ", ".join(f"`{column.name}` ({expectation(column)})" for column in lacking[:_NAMED])
    more = f" and {len(lacking) - _NAMED} more" if len(lacking) > _NAMED else ""
    raise InvalidInput(f"{place}{len(lacking)} {what}s are missing: {named}{more}", **details)


def _listed(words: Sequence[str]) -> str:
    text = ", ".join(f"`{word}`" for word in words[:8])
    return f"one of {text}, ..." if len(words) > 8 else f"one of {text}" if len(words) > 1 else text
