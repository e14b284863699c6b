"""What a person hands to the command in files and options: rows, metrics, JSON."""

import json
import math
import os
import sys
from pathlib import Path
from typing import Any

from modelyard.cli.usage import NotUnderstood
from modelyard.core.errors import InvalidInput
from modelyard.core.faults import json_fault
from modelyard.core.table import check_types

FORMATS = "JSON (a list of rows, or one row), CSV with a line of names, Parquet, or npy"


def read_metrics(pairs: list[str]) -> dict[str, float]:
    """Read `accuracy=0.97` and the like.

    Raises:
        NotUnderstood: when one is not a name and a finite number, or a name comes twice.
    """
    found: dict[str, float] = {}
    for pair in pairs:
        name, _, text = pair.partition("=")
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not name or not math.isfinite(number):
            raise NotUnderstood(f"--metric {pair!r}: expected a name and a number, as accuracy=0.97")
        if name in found:
            raise NotUnderstood(f"--metric {pair!r}: `{name}` was given before: expected each name once")
        found[name] = number
    return found


def read_types(pairs: list[str]) -> dict[str, str]:
    """Read `zip=string` and the like. A column's name may hold `=`.

    Raises:
        NotUnderstood: when one is not a column and a type, or a column comes twice.
    """
    found: dict[str, str] = {}
    for pair in pairs:
        name, _, kind = pair.rpartition("=")
        if not name:
            raise NotUnderstood(f"--type {pair!r}: expected a column and its type, as zip=string")
        if name in found:
            raise NotUnderstood(f"--type {pair!r}: `{name}` was given before: expected each column once")
        found[name] = kind
    try:
        return check_types(found)
    except InvalidInput as error:
        raise NotUnderstood(error.message) from None


def is_inline(given: str) -> bool:
    """Tell whether an option's value is JSON itself, not the name of a file."""
    return given.lstrip().startswith("{")


def read_object(given: str | None, option: str) -> dict[str, Any] | None:
    """Read one JSON object, typed as `{...}` or in a file.

    Raises:
        NotUnderstood: when what was typed is none.
        InvalidInput: when the file holds none.
    """
    if given is None:
        return None
    if is_inline(given):
        try:
            value = _json(given, option)
        except InvalidInput as error:
            raise NotUnderstood(error.message) from None
    else:
        value = _json(_text(Path(given)), given)
    if not isinstance(value, dict):
        raise InvalidInput(f"{given} holds {type(value).__name__}: expected a JSON object")
    return value


def read_rows(path: Path) -> Any:
    """Read rows from a file, or JSON from standard input when `path` is `-`.

    Raises:
        InvalidInput: when the file is missing or of another format.
    """
    suffix = path.suffix.lower()
    if str(path) == "-":
        return parse_rows(sys.stdin.read(), "standard input")
    if suffix == ".json":
        return parse_rows(_text(path), str(path))
    if not path.is_file():
        raise InvalidInput(f"there is no file {path}: expected {FORMATS}")
    if not os.access(path, os.R_OK):
        raise InvalidInput(f"you may not read the file {path}: chmod u+r, or ask its owner")
    if suffix == ".npy":
        return _array(path)
    if suffix not in (".csv", ".parquet"):
        raise InvalidInput(f"{path} is of no format that is read here: expected {FORMATS}")
    import pyarrow as pa

    try:
        if suffix == ".csv":
            from pyarrow import csv

            return csv.read_csv(path).to_pylist()
        from pyarrow import parquet

        return parquet.read_table(path).to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise InvalidInput(f"{path} cannot be read: {error}") from error


def _array(path: Path) -> Any:
    """Return the array of a NumPy file; one of Python objects would be a pickle, and is refused."""
    import numpy as np

    try:
        return np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise InvalidInput(f"{path} cannot be read: {error}") from error


def parse_rows(text: str, where: str) -> Any:
    """Read JSON rows: a list, one row, or a whole request body (`{"rows": ...}`)."""
    value = _json(text, where)
    if isinstance(value, dict) and isinstance(value.get("rows"), list):
        value = value["rows"]
    if not isinstance(value, (list, dict)):
        raise InvalidInput(f"{where} holds {type(value).__name__}: expected a JSON list of rows, or one row")
    return value


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InvalidInput(f"there is no file {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} cannot be read: {error}") from error


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidInput(f"{where} is no JSON: {json_fault(error)}") from error
