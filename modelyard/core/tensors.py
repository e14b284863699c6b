"""What travels between a protocol and a runtime: a batch of rows in, named arrays out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

Answer = Mapping[str, np.ndarray]
"""Output name to array; the first axis of each is the batch's rows."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows for one version, already checked against its signature.

    Exactly one of the two is set, as `Signature.is_matrix` says:

    Attributes:
        matrix: `(n_rows, n_columns)` float64, C-contiguous; a missing value is NaN.
        columns: name to `(n_rows, *column.shape)` of `column.dtype`, in the signature's order.
    """

    n_rows: int
    matrix: np.ndarray | None = None
    columns: Mapping[str, np.ndarray] | None = None


def join(batches: Sequence[Batch]) -> Batch:
    """Put batches of the same signature under one another, in order."""
    if len(batches) == 1:
        return batches[0]
    n_rows = sum(batch.n_rows for batch in batches)
    if batches[0].matrix is not None:
        return Batch(n_rows, matrix=np.concatenate([batch.matrix for batch in batches if batch.matrix is not None]))
    parts = [batch.columns for batch in batches if batch.columns is not None]
    return Batch(n_rows, columns={name: np.concatenate([part[name] for part in parts]) for name in parts[0]})


def take(batch: Batch, rows: np.ndarray | slice | Sequence[int]) -> Batch:
    """Return some rows of a batch, C-contiguous where it is a matrix."""
    places = rows if isinstance(rows, slice | np.ndarray) else list(rows)
    if batch.matrix is not None:
        matrix = np.ascontiguousarray(batch.matrix[places])
        return Batch(len(matrix), matrix=matrix)
    columns = {name: array[places] for name, array in (batch.columns or {}).items()}
    return Batch(len(next(iter(columns.values()))), columns=columns)


def split(answer: Answer, sizes: Sequence[int]) -> list[dict[str, np.ndarray]]:
    """Cut an answer into one for each of `sizes` rows: the inverse of `join`."""
    parts: list[dict[str, np.ndarray]] = []
    start = 0
    for size in sizes:
        parts.append({name: array[start : start + size] for name, array in answer.items()})
        start += size
    return parts
