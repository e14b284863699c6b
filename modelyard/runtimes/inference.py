"""The signature of a fitted estimator: from the estimator itself, and from a sample where there is one."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from modelyard.core.errors import InvalidInput
from modelyard.core.signature import MAX_CATEGORIES, Column, DataType
from modelyard.core.wording import one_line
from modelyard.runtimes.estimators import Facts
from modelyard.runtimes.formats import sample_suffix
from modelyard.runtimes.samples import Sample, Table, lacks

_SAMPLE_ROWS = 20_000
_FEW = 50
"""More different texts than this are no categories."""
_TYPES = {"number": DataType.FLOAT64, "integer": DataType.INT64, "string": DataType.STRING, "bool": DataType.BOOL}


def read_sample(filename: str, path: Path) -> Sample:
    """Read a CSV, Parquet, JSON or .npy file into named columns; at most 20,000 rows are looked at.

    To be called in a sandboxed child.

    Raises:
        InvalidInput: when it cannot be read.
        UnsupportedFormat: when it is of another kind.
    """
    readers = {".csv": _read_csv, ".parquet": _read_parquet, ".json": _read_json, ".npy": _read_npy}
    suffix = sample_suffix(filename)
    try:
        sample = readers[suffix](path)
    except (InvalidInput, MemoryError):
        raise
    except Exception as error:
        raise InvalidInput(f"sample `{filename}` cannot be read as {suffix[1:]}: {one_line(error, 300)}") from error
    if not sample.unfit and not any(len(column) for column in sample.columns.values()):
        raise InvalidInput(f"sample `{filename}` has no rows")
    return sample


def _read_csv(path: Path) -> Sample:
    from pyarrow import csv as arrow

    with path.open("rb") as file:
        head = file.read(1 << 16).decode("utf-8", "replace").splitlines()
    first = next(csv.reader(head[:1]), [])
    bare = bool(first) and all(_is_number(cell) for cell in first)
    values = [cell for cell in first if _is_number(cell) and not cell.strip().isalnum()]
    if values and not bare:
        raise InvalidInput(
            f"its first line has `{values[0][:50]}` among the columns' names: "
            "expected the names there, or numbers alone and no names"
        )
    options = arrow.ReadOptions(autogenerate_column_names=bare)
    table = arrow.read_csv(
        io.BytesIO(path.read_bytes()),
        read_options=options,
        convert_options=arrow.ConvertOptions(strings_can_be_null=True),
    )
    if bare:
        table = table.rename_columns([f"x{i}" for i in range(table.num_columns)])
    return _from_arrow(table, named=not bare)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _read_parquet(path: Path) -> Sample:
    from pyarrow import parquet

    table = parquet.read_table(path)
    index = [name for name in table.column_names if name.startswith("__index_level_")]
    return _from_arrow(table.drop_columns(index))


def _from_arrow(table: Any, named: bool = True) -> Sample:
    import pyarrow as pa

    columns: dict[str, list[Any]] = {}
    for name, column in zip(table.column_names, table.slice(0, _SAMPLE_ROWS).columns, strict=True):
        kind = column.type
        if pa.types.is_dictionary(kind):
            column, kind = column.cast(kind.value_type), kind.value_type
        columns[str(name)] = column.to_pylist()
    if len(columns) < table.num_columns:
        raise InvalidInput("two columns of the sample have the same name")
    return _sample(columns, named)


def _read_json(path: Path) -> Sample:
    said = json.loads(path.read_bytes())
    if isinstance(said, dict) and isinstance(said.get("rows"), list):
        said = said["rows"]
    if isinstance(said, dict) and isinstance(said.get("columns"), list) and isinstance(said.get("data"), list):
        said = [dict(zip(said["columns"], row, strict=True)) for row in said["data"]]
    if isinstance(said, dict) and all(isinstance(value, list) for value in said.values()):
        return _sample({name: values[:_SAMPLE_ROWS] for name, values in said.items()})
    if not isinstance(said, list) or not said:
        raise InvalidInput('expected rows, as in [{"age": 41}] or {"columns": [...], "data": [[...]]}')
    rows = said[:_SAMPLE_ROWS]
    named = not all(isinstance(row, list) for row in rows)
    if not named:
        rows = [{f"x{i}": value for i, value in enumerate(row)} for row in rows]
    if not all(isinstance(row, dict) for row in rows):
        raise InvalidInput("expected each row as an object or a list")
    return _sample({name: [row.get(name) for row in rows] for name in rows[0]}, named)


def _read_npy(path: Path) -> Sample:
    array = np.load(path, allow_pickle=False)
    if array.ndim != 2 or array.dtype.kind not in "biuf":
        raise InvalidInput(
            f"the array has shape {array.shape} and type {array.dtype}: expected numbers in two dimensions"
        )
    return _sample({f"x{i}": array[:_SAMPLE_ROWS, i].tolist() for i in range(array.shape[1])}, named=False)


def _sample(columns: Mapping[str, Sequence[Any]], named: bool = True) -> Sample:
    """Tell columns that a model may take from the others: which of them it does take is known only with the model."""
    fit: Table = {}
    unfit: dict[str, str] = {}
    for name, values in columns.items():
        array = _from_list(values)
        if array is None:
            kinds = sorted({type(value).__name__ for value in values if value is not None})
            unfit[name] = " and ".join(kinds[:3])
        else:
            fit[name] = array
    return Sample(fit, named, unfit)


def _from_list(values: Sequence[Any]) -> np.ndarray | None:
    """Return values of one kind, None where they are none that a model takes."""
    present = [value for value in values if value is not None and value == value]
    whole = len(present) == len(values)
    if present and all(isinstance(value, bool) for value in present):
        return np.array(values, dtype=bool if whole else object)
    if all(isinstance(value, int | float) for value in present):
        if whole and all(isinstance(value, int) and not isinstance(value, bool) for value in present):
            return np.array(values, dtype=np.int64)
        return np.array([np.nan if value is None else float(value) for value in values], dtype=np.float64)
    if all(isinstance(value, str) for value in present):
        texts = np.empty(len(values), dtype=object)
        texts[:] = [value if isinstance(value, str) else None for value in values]
        return texts
    return None


def column_names(estimator: Any, sample: Sample | None) -> list[str]:
    """Return the names of the input's columns: those that it was fitted with, the sample's, else `x0`, `x1`, ...

    Raises:
        InvalidInput: neither says how many there are, or they disagree.
    """
    fitted = getattr(estimator, "feature_names_in_", None)
    if fitted is not None:
        return [str(name) for name in fitted]
    width = getattr(estimator, "n_features_in_", None)
    if sample is not None:
        return sample.all(width)
    if width is None:
        raise InvalidInput("the model does not say how many columns it takes: send a sample of its input along")
    return [f"x{index}" for index in range(int(width))]


def columns_of(
    names: Sequence[str], facts: Sequence[Facts], sample: Mapping[str, np.ndarray] | None
) -> tuple[Column, ...]:
    """Return the columns: types, categories and ranges as the sample shows them, else as the estimator does."""
    return tuple(
        _column(name, fact, None if sample is None else sample[name]) for name, fact in zip(names, facts, strict=True)
    )


def _column(name: str, fact: Facts, seen: np.ndarray | None) -> Column:
    kind = _TYPES[fact.kind]
    optional = fact.optional
    low, high = fact.low, fact.high
    categories = fact.categories
    if seen is not None:
        missing = lacks(seen)
        optional = optional or missing
        kind = _seen_type(name, seen, kind, missing)
        low, high = _seen_range(seen, low, high)
        if categories is None and kind is DataType.STRING:
            present = sorted({value for value in seen.tolist() if value is not None})
            categories = present if len(present) <= _FEW else None
    if categories is not None and (len(categories) > MAX_CATEGORIES or not categories):
        categories = None
    return Column(
        name,
        kind,
        optional=bool(optional),
        categories=tuple(categories) if categories else None,
        minimum=low,
        maximum=high,
    )


def _seen_type(name: str, seen: np.ndarray, expected: DataType, missing: bool) -> DataType:
    if seen.dtype.kind == "f" and np.isnan(seen).all():
        return expected
    if expected is DataType.STRING and seen.dtype.kind in "bif":
        raise InvalidInput(
            f"column `{name}` of the sample holds {seen.tolist()[0]}, but the model was fitted with texts there: "
            "expected texts; where they look like numbers, JSON and Parquet keep them as texts, CSV does not"
        )
    if seen.dtype.kind == "b":
        return DataType.BOOL
    if seen.dtype.kind == "i":
        return DataType.INT64
    if seen.dtype.kind == "f":
        return expected if expected is DataType.INT64 and missing else DataType.FLOAT64
    present = [value for value in seen.tolist() if value is not None]
    return DataType.BOOL if present and isinstance(present[0], bool) else DataType.STRING


def _seen_range(seen: np.ndarray, low: float | None, high: float | None) -> tuple[float | None, float | None]:
    if seen.dtype.kind not in "if":
        return low, high
    finite = seen[np.isfinite(seen)]
    return (float(finite.min()), float(finite.max())) if len(finite) else (low, high)
