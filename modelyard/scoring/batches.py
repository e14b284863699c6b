"""From a table's columns to a batch, whole columns at a time, by the rules of `/predict`: null is missing, an integral
number fits an integer column, infinity and what is too large fit nothing."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from modelyard.core.signature import Column, DataType, Signature
from modelyard.core.tensors import Batch

SHOWN = 60


@dataclass(slots=True)
class Refused:
    """Rows that no model is asked about.

    Attributes:
        mask: `(n_rows,)` bool, None while every row is fine.
        reasons: of the first so many of them, row to words.
    """

    mask: np.ndarray | None = None
    reasons: dict[int, str] = field(default_factory=dict)

    def add(self, bad: np.ndarray, column: Column, values: Any) -> None:
        """Refuse the rows where `bad`; `values` is the column as it stands in the table."""
        self.mask = bad if self.mask is None else self.mask | bad
        for row in np.flatnonzero(bad).tolist():
            if row not in self.reasons:
                self.reasons[row] = (
                    f"column `{column.name}`: got {_shown(values[row].as_py())}, expected {_said(column)}"
                )


def batch_of(table: pa.RecordBatch, signature: Signature) -> tuple[Batch, Refused]:
    """Return the rows as a batch, those that are refused among them with any value, and which are refused."""
    n_rows, refused = table.num_rows, Refused()
    if signature.is_matrix:
        matrix = np.empty((n_rows, len(signature.columns)), dtype=np.float64)
        for place, column in enumerate(signature.columns):
            matrix[:, place] = _array(table, column, refused)
        return Batch(n_rows, matrix=matrix), refused
    columns = {one.name: _array(table, one, refused).astype(one.dtype, copy=False) for one in signature.columns}
    return Batch(n_rows, columns=columns), refused


def _array(table: pa.RecordBatch, column: Column, refused: Refused) -> np.ndarray:
    """Return one column's values: as precise as the table has them, which is what a matrix takes."""
    if column.name not in table.schema.names:
        fill = None if column.dtype == np.dtype(object) else np.nan
        return np.full(table.num_rows, fill, dtype=column.dtype)
    values = table.column(column.name)
    if values.null_count and not column.optional:
        refused.add(values.is_null().to_numpy(zero_copy_only=False), column, values)
        values = values.fill_null(_anything(values.type))
    if column.type is DataType.STRING:
        return _texts(values)
    if column.type is DataType.BOOL:
        flags: np.ndarray = values.to_numpy(zero_copy_only=False)
        return flags
    return _numbers(values, column, refused)


def _numbers(values: pa.Array, column: Column, refused: Refused) -> np.ndarray:
    found: np.ndarray = values.to_numpy(zero_copy_only=False)
    if found.dtype.kind == "f":
        most = np.finfo(column.type.dtype).max if column.type.is_floating else np.inf
        if found.dtype.itemsize > np.dtype(column.dtype).itemsize or not np.isfinite(found).all():
            bad = np.isinf(found) | (np.abs(found) > most)
            if column.type.is_integer:
                bad |= _no_integers(found, column)
            if bad.any():
                refused.add(bad, column, values)
                found = np.where(bad, 0, found)
        elif column.type.is_integer and (bad := _no_integers(found, column)).any():
            refused.add(bad, column, values)
            found = np.where(bad, 0, found)
    elif column.type.is_integer and not np.can_cast(found.dtype, column.type.dtype):
        bounds = np.iinfo(column.type.dtype)
        bad = (found < bounds.min) | (found > bounds.max)
        if bad.any():
            refused.add(bad, column, values)
            found = np.where(bad, 0, found)
    return found


def _no_integers(found: np.ndarray, column: Column) -> np.ndarray:
    """Tell which floats no value of the integer column are; NaN is a missing one, and another's matter."""
    bounds = np.iinfo(column.type.dtype)
    # The largest int64 is no float64: the next one above it is, and does not fit.
    outside = (found < float(bounds.min)) | (found >= float(bounds.max) + 1)
    broken: np.ndarray = outside | (found != np.trunc(found)) & ~np.isnan(found)
    return broken


def _texts(values: pa.Array) -> np.ndarray:
    """Return texts as Python objects. Each different one is made once: a column of texts repeats few, as a rule."""
    coded = values.dictionary_encode()
    words = np.array([*coded.dictionary.to_pylist(), None], dtype=object)
    codes = coded.indices.fill_null(len(words) - 1).to_numpy(zero_copy_only=False)
    found: np.ndarray = words[codes]
    return found


def _anything(kind: pa.DataType) -> Any:
    """Return a value that stands where one lacks, in a row that is refused."""
    return "" if pa.types.is_string(kind) else False if pa.types.is_boolean(kind) else 0


def _said(column: Column) -> str:
    return f"{column.type.value} or null" if column.optional else column.type.value


def _shown(value: Any) -> str:
    text = "null" if value is None else repr(value)
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"
