"""The try-it form: made from a signature, read back into rows, and its answer made ready to be shown."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from modelyard.core.errors import InvalidInput, ModelyardError
from modelyard.core.faults import json_fault
from modelyard.core.signature import Column, DataType, Signature

FEW_COLUMNS = 16
MAX_FIELDS = 150
MAX_CHOICES = 60
MAX_ROWS = 100
MAX_CLASSES = 12
NAMED = re.compile(r"column `([^`]*)`")

Value = Any


@dataclass(frozen=True, slots=True)
class Choice:
    """An option of a select; `key` is what is posted."""

    key: str
    label: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class TryField:
    """One column as an input. `kind` is number, text, json or choice."""

    name: str
    column: Column
    kind: str
    value: str
    hint: str
    placeholder: str
    choices: list[Choice] = field(default_factory=list)
    error: str = ""

    @property
    def is_whole(self) -> bool:
        """Tell whether only whole numbers are expected, for the keyboard of a phone."""
        return self.column.type.is_integer


@dataclass(frozen=True, slots=True)
class Bar:
    """A class and its probability."""

    label: str
    share: float
    chosen: bool


@dataclass(frozen=True, slots=True)
class Line:
    """The answer for one row."""

    prediction: Value
    prediction_id: str
    bars: list[Bar]
    more_bars: int = 0


@dataclass(slots=True)
class Posted:
    """What came back: rows, or what was wrong with each field (by its name; `""` is the whole)."""

    rows: list[dict[str, Value]] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)
    mode: str = "form"
    texts: dict[str, str] = field(default_factory=dict)


def options_of(column: Column) -> list[tuple[str, Value]]:
    """Return the label and value of each thing that may be chosen; empty where a value is typed instead."""
    if column.shape:
        return []
    if column.type is DataType.BOOL:
        return [("true", True), ("false", False)]
    if column.categories and len(column.categories) <= MAX_CHOICES:
        return [(str(value), value) for value in column.categories]
    return []


def fields_of(signature: Signature, row: Mapping[str, Value], posted: Posted | None = None) -> list[TryField]:
    """Make the inputs, filled from what was posted, else from a sample's row; none where there are too many columns."""
    if len(signature.columns) > MAX_FIELDS:
        return []
    texts = posted.texts if posted and posted.mode == "form" else {}
    errors = posted.errors if posted else {}
    return [
        _field(f"c{place}", column, row.get(column.name), texts.get(f"c{place}"), errors.get(f"c{place}", ""))
        for place, column in enumerate(signature.columns)
    ]


def _field(name: str, column: Column, value: Value, text: str | None, error: str) -> TryField:
    options = options_of(column)
    if options:
        kind = "choice"
        known = [key for key, (_, option) in enumerate(options) if option == value]
        shown = text if text is not None else (str(known[0]) if known else "")
        choices = [Choice(str(key), label, shown == str(key)) for key, (label, _) in enumerate(options)]
        if column.optional or not shown:
            choices.insert(0, Choice("", "missing" if column.optional else "choose", not shown))
    else:
        choices = []
        kind = "json" if column.shape else "number" if column.type.is_numeric else "text"
        shown = text if text is not None else _text(value, kind)
    return TryField(name, column, kind, shown, _hint(column), _placeholder(column, kind), choices, error)


def _text(value: Value, kind: str) -> str:
    if value is None:
        return ""
    return value if kind == "text" and isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _hint(column: Column) -> str:
    parts = [str(column.type)]
    if column.minimum is not None and column.maximum is not None:
        parts.append(f"usually {column.minimum:.6g} to {column.maximum:.6g}")
    if column.shape:
        parts.append(f"JSON array, shape {list(column.shape)}".replace("-1", "any"))
    if column.optional:
        parts.append("may be empty")
    return ", ".join(parts)


def _placeholder(column: Column, kind: str) -> str:
    if column.optional:
        return "missing"
    if kind == "number" and column.minimum is not None and column.maximum is not None:
        return f"{(column.minimum + column.maximum) / 2:.4g}"
    return "[…]" if kind == "json" else ""


def read(signature: Signature, post: Mapping[str, str]) -> Posted:
    """Read what was posted: `mode` says whether the inputs or the JSON text counts."""
    if post.get("mode") == "json":
        text = post.get("rows", "")
        posted = Posted(mode="json", texts={"rows": text})
        try:
            posted.rows = rows_of(signature, text)
        except InvalidInput as error:
            posted.errors["rows"] = error.message
        return posted
    posted = Posted()
    row: dict[str, Value] = {}
    for place, column in enumerate(signature.columns[:MAX_FIELDS]):
        name = f"c{place}"
        posted.texts[name] = text = post.get(name, "")
        try:
            row[column.name] = value_of(column, text)
        except InvalidInput as error:
            posted.errors[name] = error.message
    if not posted.errors:
        posted.rows = [row]
    return posted


def value_of(column: Column, text: str) -> Value:
    """Read one input's text; an empty one is a missing value, except for texts that may not be missing.

    Raises:
        InvalidInput: saying what was expected.
    """
    options = options_of(column)
    text = text if column.type is DataType.STRING and not options and not column.shape else text.strip()
    if not text and (column.optional or column.type is not DataType.STRING or options or column.shape):
        if column.optional:
            return None
        raise InvalidInput("expected a value: this column may not be missing")
    if options:
        if text.isascii() and text.isdigit() and int(text[:6]) < len(options):
            return options[int(text[:6])][1]
        raise InvalidInput("choose one of the values")
    if column.shape:
        try:
            return _json(text)
        except (ValueError, RecursionError):
            raise InvalidInput(f"expected a JSON array of shape {list(column.shape)}") from None
    if not column.type.is_numeric:
        return text
    return _number(column, text)


def _json(text: str) -> Value:
    """Read JSON strictly: Python's reader also takes NaN and Infinity, and makes an infinity of 1e999."""
    return json.loads(text, parse_constant=_finite, parse_float=_finite)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is no finite number")
    return number


def _number(column: Column, text: str) -> Value:
    try:
        if column.type.is_integer and text.lstrip("+-").isdigit() and len(text) < 24:
            return int(text)
        number = float(text)
    except ValueError:
        expected = "a whole number" if column.type.is_integer else "a number"
        raise InvalidInput(f"expected {expected}, got {text[:40]!r}") from None
    if not math.isfinite(number):
        raise InvalidInput(f"expected a finite number, got {text[:40]!r}")
    if column.type.is_integer and not number.is_integer():
        raise InvalidInput(f"expected a whole number, got {text[:40]!r}")
    return number


def rows_of(signature: Signature, text: str) -> list[dict[str, Value]]:
    """Read JSON: one row or a list of rows, each an object, or a list of values in the signature's order.

    Raises:
        InvalidInput: saying what was expected.
    """
    try:
        given = _json(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"this is no JSON: {json_fault(error)}") from None
    if isinstance(given, dict) and isinstance(given.get("rows"), list):
        given = given["rows"]
    if isinstance(given, dict) or (isinstance(given, list) and given and not isinstance(given[0], (dict, list))):
        given = [given]
    if not isinstance(given, list) or not given:
        raise InvalidInput('expected rows, as in [{"column": 1.5}]')
    if len(given) > MAX_ROWS:
        raise InvalidInput(f"{len(given)} rows: this form takes at most {MAX_ROWS}; the endpoint takes more")
    rows = []
    for place, row in enumerate(given):
        if isinstance(row, list) and len(row) == len(signature.columns):
            row = dict(zip(signature.names, row, strict=True))
        if not isinstance(row, dict):
            raise InvalidInput(
                f"row {place}: expected an object, or {len(signature.columns)} values in the model's order"
            )
        rows.append(row)
    return rows


def place_error(signature: Signature, posted: Posted, error: ModelyardError) -> None:
    """Put what the data plane refused beside the input of the column that it names."""
    message = error.message
    named = error.details.get("column")
    if not isinstance(named, str):
        found = NAMED.search(message)
        named = found.group(1) if found else None
    if posted.mode == "form" and named in signature.names and signature.names.index(named) < MAX_FIELDS:
        posted.errors[f"c{signature.names.index(named)}"] = message
    else:
        posted.errors["rows" if posted.mode == "json" else ""] = message


def lines_of(signature: Signature, answer: Mapping[str, Any]) -> list[Line]:
    """Make the answer ready to be shown, row by row."""
    predictions = answer.get("predictions") or []
    shares = answer.get("probabilities") or []
    names = answer.get("prediction_ids") or []
    lines = []
    for place, prediction in enumerate(predictions):
        bars = _bars(signature, shares[place], prediction) if place < len(shares) else []
        shown = bars[:MAX_CLASSES]
        lines.append(Line(prediction, names[place] if place < len(names) else "", shown, len(bars) - len(shown)))
    return lines


def _bars(signature: Signature, shares: Any, prediction: Value) -> list[Bar]:
    if isinstance(shares, Mapping):
        pairs = list(shares.items())
    elif isinstance(shares, list):
        output = signature.probabilities
        classes = (output.classes if output else None) or signature.prediction.classes or tuple(range(len(shares)))
        pairs = list(zip([str(name) for name in classes], shares, strict=False))
    else:
        return []
    known = [(str(name), float(share)) for name, share in pairs if isinstance(share, (int, float))]
    bars = [Bar(name, share, name == str(prediction)) for name, share in known]
    return sorted(bars, key=lambda bar: -bar.share) if len(bars) > MAX_CLASSES else bars
