"""What a dataset holds, column by column: read from the canonical file, one column at a time, so that the memory that
is needed grows neither with the rows nor with the columns."""

import math
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modelyard.core.table import BINS, DATE, MAX_TEXT, QUANTILES, TIMESTAMP, TOP
from modelyard.tables.parquet_file import open_parquet
from modelyard.tables.sketches import MOST_VALUES, ValueCounts, ValueSample
from modelyard.tables.types import WORDS

HEAD_ROWS, HEAD_CELLS = 50, 20_000

_SAMPLED = (
    f"quantiles are those of {MOST_VALUES:,} values drawn uniformly (Vitter 1985, fixed seed); "
    "all else is of every value"
)
_ESTIMATED = (
    "distinct is estimated from the smallest hashes (Bar-Yossef et al. 2002), and the counts are lower bounds "
    "(Misra and Gries 1982)"
)


def describe(path: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the columns (`core.table.TableColumn`) of a canonical file, and a summary of each, as JSON values."""
    file = open_parquet(path)
    columns, summaries = [], []
    for place, field in enumerate(file.schema_arrow):
        word = WORDS[field.type]
        told = _of_column(file, place, word)
        summary = {"name": field.name, "type": word, **told}
        top = summary.get("top")
        categories = None
        if top is not None and summary["exact"] and summary["distinct"] <= TOP:
            categories = sorted(one["value"] for one in top)
        columns.append({"name": field.name, "type": word, "optional": summary["missing"] > 0, "categories": categories})
        summaries.append(summary)
    return columns, summaries


def _of_column(file: Any, place: int, word: str) -> dict[str, Any]:
    if word in (DATE, TIMESTAMP):
        return _times(file, place)
    return _values(file, place) if word in ("string", "bool") else _numbers(file, place, whole="int" in word)


def _chunks(file: Any, place: int) -> Iterator[tuple[pa.Array, int]]:
    """Give each row group's values of a column that are there, and how many are missing."""
    for group in range(file.num_row_groups):
        # By the column's place: a name with a dot in it would be taken for a path.
        column = file.reader.read_row_group(group, column_indices=[place], use_threads=False).column(0)
        array = column.combine_chunks()
        if isinstance(array, pa.ChunkedArray):
            array = pa.concat_arrays(array.chunks)
        yield array.drop_null(), array.null_count


def _numbers(file: Any, place: int, *, whole: bool) -> dict[str, Any]:
    sample, moments = ValueSample(), _Moments()
    count = missing = infinite = 0
    low = high = None
    for array, lacking in _chunks(file, place):
        missing += lacking
        count += len(array)
        values = array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        finite = values[np.isfinite(values)]
        infinite += len(values) - len(finite)
        sample.add(finite)
        moments.add(finite)
        found = pc.min_max(array).as_py() if whole else _min_max(finite)
        low, high = _lower(low, found["min"]), _higher(high, found["max"])
    given: dict[str, Any] = {
        "count": count,
        "missing": missing,
        "infinite": infinite,
        "mean": _finite(moments.mean) if moments.count else None,
        "std": _finite(moments.std),
        "min": low,
        "max": high,
        "exact": sample.is_whole,
        "method": "" if sample.is_whole else _SAMPLED,
    }
    with np.errstate(over="ignore", invalid="ignore"):
        quantiles = np.quantile(sample.values, QUANTILES) if len(sample.values) else []
    given["quantiles"] = {f"{part:g}": _finite(value) for part, value in zip(QUANTILES, quantiles, strict=False)}
    given["histogram"] = None if low is None or high is None else _histogram(file, place, float(low), float(high))
    return given


def _histogram(file: Any, place: int, low: float, high: float) -> dict[str, Any] | None:
    if not math.isfinite(high - low):
        return None
    if low == high:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, BINS + 1)
    if not np.all(np.diff(edges) > 0):  # too near to one another for 20 bins between them
        return None
    counts = np.zeros(BINS, dtype=np.int64)
    for array, _ in _chunks(file, place):
        values = array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        counts += np.histogram(values[np.isfinite(values)], bins=edges)[0]
    return {"edges": edges.tolist(), "counts": counts.tolist()}


class _Moments:
    """Mean and standard deviation of values that come in parts (Chan, Golub and LeVeque, 1979, formula 2.1)."""

    def __init__(self) -> None:
        self.count, self.mean, self._squares = 0, 0.0, 0.0

    @property
    def std(self) -> float:
        """Return that of a sample: divided by n - 1."""
        return math.sqrt(self._squares / (self.count - 1)) if self.count > 1 else math.nan

    def add(self, values: np.ndarray) -> None:
        """Take in float64 values `(n,)`."""
        if not len(values):
            return
        with np.errstate(over="ignore", invalid="ignore"):
            mean = float(values.mean())
            squares = float(np.square(values - mean).sum())
            total, apart = self.count + len(values), mean - self.mean
            self._squares += squares + apart * apart * self.count * len(values) / total
            self.mean += apart * len(values) / total
            self.count = total


def _values(file: Any, place: int) -> dict[str, Any]:
    counts = ValueCounts()
    count = missing = 0
    for array, lacking in _chunks(file, place):
        missing += lacking
        count += len(array)
        found = pc.value_counts(array)
        counts.add(dict(zip(found.field(0).to_pylist(), found.field(1).to_pylist(), strict=True)))
    return {
        "count": count,
        "missing": missing,
        "distinct": counts.distinct,
        "top": [{"value": shown(value), "count": number} for value, number in counts.most_common(TOP)],
        "exact": counts.is_whole,
        "method": "" if counts.is_whole else _ESTIMATED,
    }


def _times(file: Any, place: int) -> dict[str, Any]:
    count = missing = 0
    low = high = None
    for array, lacking in _chunks(file, place):
        missing += lacking
        count += len(array)
        found = pc.min_max(array).as_py()
        low, high = _lower(low, found["min"]), _higher(high, found["max"])
    told = {"min": shown(low), "max": shown(high)}
    return {"count": count, "missing": missing, **told, "exact": True, "method": ""}


def head(path: Path, n_columns: int) -> list[list[Any]]:
    """Return the first rows of a canonical file as JSON values: 50, fewer of a wide table."""
    return read_rows(path, 0, max(1, min(HEAD_ROWS, HEAD_CELLS // n_columns)))


def read_rows(path: Path, offset: int, rows: int) -> list[list[Any]]:
    """Return at most `rows` rows of a canonical file from the `offset`th on, as JSON values."""
    file = open_parquet(path)
    found: list[list[Any]] = []
    begins = 0
    for group in range(file.num_row_groups):
        size = file.metadata.row_group(group).num_rows
        if begins + size > offset and len(found) < rows:
            inside = max(0, offset - begins)
            table = file.read_row_group(group, use_threads=False).slice(inside, rows - len(found))
            found += [
                list(row)
                for row in zip(
                    *([shown(value) for value in column.to_pylist()] for column in table.columns), strict=True
                )
            ]
        begins += size
    return found


def shown(value: Any) -> Any:
    """Return a value as JSON, and both databases, can keep it: no zero character, no infinity. Long texts are cut."""
    if isinstance(value, str):
        text = value.replace("\0", "\ufffd")
        return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 1]}…"
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def _min_max(values: np.ndarray) -> dict[str, float | None]:
    return {"min": float(values.min()), "max": float(values.max())} if len(values) else {"min": None, "max": None}


def _lower(known: Any, found: Any) -> Any:
    return found if known is None else known if found is None else min(known, found)


def _higher(known: Any, found: Any) -> Any:
    return found if known is None else known if found is None else max(known, found)


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
