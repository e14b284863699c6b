"""A dataset's rows: only the columns that are wanted, and no more rows than are allowed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Rows:
    """What was read: an Arrow table of it, and how many rows the dataset has in all."""

    table: Any
    total: int

    @property
    def drawn(self) -> bool:
        return bool(self.table.num_rows < self.total)


def read_rows(dataset: Path, names: Sequence[str] | None, max_rows: int, seed: int) -> Rows:
    """Read the columns `names` (None: all); past `max_rows`, as many rows drawn uniformly by `seed`, in their order."""
    import pyarrow as pa
    from pyarrow import parquet

    file = parquet.ParquetFile(dataset)
    total = file.metadata.num_rows
    drawn = None
    if total > max_rows:
        drawn = np.sort(np.random.default_rng(seed).choice(total, max_rows, replace=False, shuffle=False))
    wanted = list(file.schema_arrow.names if names is None else names)
    parts, begin = [], 0
    for group in range(file.num_row_groups):
        end = begin + file.metadata.row_group(group).num_rows
        # `columns` takes what begins with a name and a dot, too
        part = file.read_row_group(group, columns=wanted, use_threads=False).select(wanted)
        if drawn is not None:
            part = part.take(drawn[(drawn >= begin) & (drawn < end)] - begin)
        parts.append(part)
        begin = end
    empty = file.schema_arrow.empty_table().select(wanted)
    return Rows(pa.concat_tables(parts) if parts else empty, total)


def frame_of(table: Any) -> Any:
    """Return a DataFrame: int64, float64 (missing: NaN), bool, and texts and truth values of which some are missing as
    Python objects (missing: None), which is what a served model is asked with; times as pandas has them."""
    import pandas as pd

    columns = {name: _series(column) for name, column in zip(table.column_names, table.columns, strict=True)}
    return pd.DataFrame(columns, copy=False)


def _series(column: Any) -> Any:
    import pandas as pd
    import pyarrow as pa

    kind = column.type
    if pa.types.is_temporal(kind):
        return column.to_pandas()
    values = column.to_numpy()
    if pa.types.is_floating(kind) or kind == pa.uint64() or (pa.types.is_integer(kind) and column.null_count):
        return pd.Series(values.astype(np.float64))
    if pa.types.is_integer(kind):
        return pd.Series(values.astype(np.int64))
    if pa.types.is_boolean(kind) and not column.null_count:
        return pd.Series(values.astype(bool))
    return pd.Series(values.astype(object), dtype=object)
