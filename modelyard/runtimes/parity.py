"""Whether two runtimes give the same answers, and the rows on which that is tried."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from modelyard.core.signature import Column, DataType, Signature
from modelyard.core.tensors import Answer, Batch
from modelyard.runtimes.estimators import Facts

PROMISED_RELATIVE = 1e-5
RELATIVE = PROMISED_RELATIVE / 10
"""What is asked of the rows tried, which are only some of those that will come."""
_ABSOLUTE = 1e-12
"""Below this a number counts as zero: no relative comparison makes sense."""
BASE_ROWS = 256
_MAX_POINT_ROWS = 1536
_SEED = 20_010_401


class Comparison(msgspec.Struct, frozen=True):
    """How far two answers to the same rows are apart.

    Attributes:
        rows: compared.
        class_mismatches: rows with another class, text or whole number.
        largest_absolute: difference of two numbers.
        largest_relative: the same, relative to the larger expected magnitude.
        disagreeing: rows in which something differs by more than is allowed.
        failure: why there is no comparison, or None.
    """

    rows: int
    class_mismatches: int = 0
    largest_absolute: float = 0.0
    largest_relative: float = 0.0
    disagreeing: int = 0
    failure: str | None = None

    @property
    def agrees(self) -> bool:
        return self.failure is None and self.disagreeing == 0 and self.rows > 0


def compare(expected: Answer, given: Answer, n_rows: int) -> Comparison:
    """Compare outputs of the same names: classes must be equal, numbers within `RELATIVE`."""
    wrong = np.zeros(n_rows, dtype=bool)
    other_class = np.zeros(n_rows, dtype=bool)
    absolute = relative = 0.0
    for name, wanted in expected.items():
        got = given.get(name)
        if got is None or got.shape != wanted.shape or len(wanted) != n_rows:
            return Comparison(n_rows, failure=f"output `{name}` is not there, or has another shape")
        if wanted.dtype.kind != "f":
            differs = _rows(np.asarray(wanted != got, dtype=bool), n_rows)
            other_class |= differs
            wrong |= differs
            continue
        with np.errstate(all="ignore"):
            gap = np.abs(got.astype(np.float64) - wanted)
            gap = np.where((got == wanted) | (np.isnan(got) & np.isnan(wanted)), 0.0, gap)
            magnitude = np.abs(wanted)
            ratio = np.where(gap <= _ABSOLUTE, 0.0, gap / np.maximum(magnitude, _ABSOLUTE))
        gap, ratio = np.nan_to_num(gap, nan=np.inf), np.nan_to_num(ratio, nan=np.inf)
        absolute = max(absolute, float(gap.max(initial=0.0)))
        relative = max(relative, float(ratio.max(initial=0.0)))
        wrong |= _rows(ratio > RELATIVE, n_rows)
    return Comparison(n_rows, int(other_class.sum()), _finite(absolute), _finite(relative), int(wrong.sum()))


def _rows(elements: np.ndarray, n_rows: int) -> np.ndarray:
    return np.asarray(elements.reshape(n_rows, -1).any(axis=1))


def _finite(value: float) -> float:
    return value if math.isfinite(value) else 1e308


def rows_for(columns: Sequence[Column], facts: Sequence[Facts], base_rows: int = BASE_ROWS) -> dict[str, np.ndarray]:
    """Make rows, name to array, that resemble the training data and stand on and around the points at which the answer
    may change: values at random in the known ranges, a few far outside, missing ones where allowed, thresholds, and
    the float64 neighbours of thresholds.

    `base_rows` of them are at random. The same columns and facts give the same rows.
    """
    random = np.random.default_rng(_SEED)
    placed = _points(facts)
    n_rows = base_rows + len(placed)
    made = {column.name: _values(column, fact, n_rows, random) for column, fact in zip(columns, facts, strict=True)}
    for row, (index, value) in enumerate(placed, base_rows):
        column = columns[index]
        if column.type.is_floating and not column.shape:
            made[column.name][row] = value
    return made


def around(rows: np.ndarray) -> np.ndarray:
    """Return the rows, and as many more on the way from one to another: where the training data lay close together."""
    random = np.random.default_rng(_SEED)
    others = rows[random.permutation(len(rows))]
    return np.concatenate([rows, rows + random.uniform(0, 0.5, (len(rows), 1)) * (others - rows)])


def _points(facts: Sequence[Facts]) -> list[tuple[int, float]]:
    """Return (column, value): each point with both neighbours, column by column in turn, bounded."""
    share = max(1, _MAX_POINT_ROWS // 3 // max(1, len(facts)))
    placed: list[tuple[int, float]] = []
    for index, fact in enumerate(facts):
        for point in fact.points[:share]:
            placed += [
                (index, point),
                (index, float(np.nextafter(point, np.inf))),
                (index, float(np.nextafter(point, -np.inf))),
            ]
    return placed[:_MAX_POINT_ROWS]


def _values(column: Column, fact: Facts, n_rows: int, random: np.random.Generator) -> np.ndarray:
    shape = (n_rows, *(size if size >= 0 else 3 for size in column.shape))
    if column.type is DataType.BOOL and not fact.categories:
        array: np.ndarray = random.random(shape) < 0.5
    elif fact.categories or column.categories or not column.type.is_numeric:
        array = _chosen(column, fact, shape, random)
    else:
        low, high = _range(column, fact)
        array = random.uniform(low, high, shape)
        if column.type.is_integer:
            array = np.round(array)
        else:
            far = random.random(shape) < 0.02
            array = np.where(far, array * 100, array)
    array = array.astype(column.dtype)
    if column.optional and not column.shape:
        array[random.random(n_rows) < 0.08] = np.nan if array.dtype.kind == "f" else None
    return array


def _range(column: Column, fact: Facts) -> tuple[float, float]:
    if fact.low is not None and fact.high is not None:
        low, high = fact.low, fact.high
    elif column.minimum is not None and column.maximum is not None:
        low, high = column.minimum, column.maximum
    else:
        low, high = (-3.0, 3.0) if column.type.is_floating else (0.0, 10.0)
    if column.type.is_integer:
        bounds = np.iinfo(column.type.dtype)
        low, high = max(low, float(bounds.min)), min(high, float(bounds.max) / 2)
    return low, max(low, high)


def _chosen(column: Column, fact: Facts, shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
    choices: list[Any] = list(fact.categories or column.categories or ["a", "b", "abc", ""])
    picked = np.empty(int(np.prod(shape)), dtype=object)
    picked[:] = [choices[index] for index in random.integers(0, len(choices), len(picked))]
    return picked.reshape(shape)


def batch_of(columns: dict[str, np.ndarray], signature: Signature) -> Batch:
    """Return the batch that a request with these values becomes."""
    n_rows = len(next(iter(columns.values())))
    typed = {column.name: columns[column.name].astype(column.dtype) for column in signature.columns}
    if signature.is_matrix:
        matrix = np.ascontiguousarray(np.column_stack([array.astype(np.float64) for array in typed.values()]))
        return Batch(n_rows, matrix=matrix)
    return Batch(n_rows, columns=typed)


def as_rows(batch: Batch, signature: Signature, count: int) -> list[dict[str, Any]]:
    """Return the first `count` rows as JSON values; a missing one is None."""
    rows = []
    for index in range(min(count, batch.n_rows)):
        row: dict[str, Any] = {}
        for position, column in enumerate(signature.columns):
            value = (
                batch.matrix[index, position] if batch.matrix is not None else (batch.columns or {})[column.name][index]
            )
            row[column.name] = _json(value, column)
        rows.append(row)
    return rows


def from_rows(rows: Sequence[Mapping[str, Any]], signature: Signature) -> Batch:
    """Return the batch of rows that `as_rows` gave.

    Raises:
        KeyError, TypeError, ValueError, OverflowError: they do not fit the signature.
    """
    columns = {}
    for column in signature.columns:
        values = [row[column.name] for row in rows]
        if column.shape:
            columns[column.name] = np.array(values)
        else:
            columns[column.name] = np.empty(len(values), dtype=object)
            columns[column.name][:] = values
    return batch_of(columns, signature)


def _json(value: Any, column: Column) -> Any:
    plain = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
    if plain is None or (isinstance(plain, float) and not math.isfinite(plain)):
        return None
    if isinstance(plain, float) and column.type.is_integer and not column.shape:
        return int(plain)
    if isinstance(plain, float) and column.type is DataType.BOOL:
        return bool(plain)
    return plain
