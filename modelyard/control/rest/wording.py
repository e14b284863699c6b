"""The framework's sentences in our own shape: what was got, what was expected, and the mend."""

import json
import re
from collections.abc import Sequence
from typing import Any

from rest_framework import exceptions as rest

from modelyard.control.rest.choices import EXPECTED
from modelyard.core.errors import UnsupportedFormat
from modelyard.core.faults import BEGIN, fault_at

_SHOWN = 60
_FILE = "a file, in a multipart/form-data body"
_ENTRY = {
    "required": "is missing: expected {expected}",
    "null": "got null, expected {expected}",
    "blank": "is empty: expected some text",
    "empty": "is empty: expected at least one",
    "min_length": "is empty: expected at least one",
    "not_a_list": "got {got}, expected a list",
    "not_a_dict": "got {got}, expected an object",
    "max_string_length": "got {got}, expected a number of fewer digits",
}
_KINDS = (
    ("A valid integer", "a whole number"),
    ("A valid number", "a number"),
    ("Must be a valid boolean", "true or false"),
    ("Not a valid string", "text"),
    ("Must be a valid UUID", "a UUID"),
    ("Datetime has wrong format", "a date and time, as 2026-01-31T12:00:00Z"),
    ("Date has wrong format", "a date, as 2026-01-31"),
    ("Enter a valid date/time", "a date and time, as 2026-01-31T12:00:00Z"),
    ("Enter a valid date", "a date, as 2026-01-31"),
    ("Enter a whole number", "a whole number"),
    ("Enter a number", "a number"),
    ("The submitted data was not a file", _FILE),
    ("Invalid data. Expected a dictionary", "an object"),
)
"""How the framework's `invalid` begins, to what was expected."""
_NEEDED = {"file": _FILE, "sample": _FILE, "body": "an object"}
"""What a place must hold that is empty, where that is known."""
_BOUND = re.compile(r"Ensure .*?(?P<bound>-?[0-9]+(?:\.[0-9]+)?)")
_BOUNDS = {
    "min_value": "got {got}, expected {bound} or more",
    "max_value": "got {got}, expected {bound} or less",
    "max_length": "{count}, expected at most {bound}",
}
_FAULT = re.compile(r"(?P<missed>.*): line (?P<line>[0-9]+) column (?P<column>[0-9]+) \(char [0-9]+\)\Z")
"""As the JSON decoder says it."""


def explained(rows: list[dict[str, str]], sent: Any) -> list[dict[str, str]]:
    """Return places with messages of ours where the framework's own is known; `sent` is the body, where it was read."""
    return [_explain(row, _at(sent, row["place"])) for row in rows]


def _explain(row: dict[str, str], value: Any) -> dict[str, str]:
    code, message, place = row["code"], row["message"], row["place"]
    if message == "The submitted file is empty.":
        name = str(getattr(value, "name", ""))[:_SHOWN]
        place = place.partition(".")[0]
        return {**row, "place": place, "message": f"`{name}` is empty" if name else "the file is empty"}
    if code in _ENTRY and message[:1].isupper():
        expected = _NEEDED.get(place, "a value")
        return {**row, "message": _ENTRY[code].format(got=shown(value), expected=expected)}
    if code == "invalid_choice" and message.startswith(EXPECTED):
        return {**row, "message": f"got {shown(value)}, {message}"}
    bound = _BOUND.match(message)
    if code in _BOUNDS and bound:
        told = _BOUNDS[code].format(got=shown(value), count=_counted(value), bound=bound["bound"])
        return {**row, "message": told}
    for begin, expected in _KINDS:
        if message.startswith(begin):
            return {**row, "message": f"got {shown(value)}, expected {expected}"}
    return row


def _counted(value: Any) -> str:
    """Return how long a text or a list is, where it is one."""
    if isinstance(value, str):
        return f"{len(value)} characters"
    return f"{len(value)} of them" if isinstance(value, list) else f"got {shown(value)}"


def _at(sent: Any, place: str) -> Any:
    """Return what was sent at a place; None where nothing was."""
    for part in place.split("."):
        if hasattr(sent, "getlist"):
            values = sent.getlist(part)
            sent = values if len(values) > 1 or (place != part and values) else values[0] if values else None
        elif isinstance(sent, dict):
            sent = sent.get(part)
        elif isinstance(sent, list) and part.isdecimal() and int(part) < len(sent):
            sent = sent[int(part)]
        else:
            return None if place != "body" else sent
    return sent


def shown(value: Any) -> str:
    """Return a value as JSON writes it, with its kind, cut to a length that fits a message."""
    kinds = {bool: "boolean", str: "string", int: "number", float: "number"}
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "null"
    if type(value) not in kinds:
        return "a file"
    if isinstance(value, int) and value.bit_length() > 200:
        return "a number of very many digits"
    text = json.dumps(value[:_SHOWN] if isinstance(value, str) else value, ensure_ascii=False)
    return f"{text} ({kinds[type(value)]})"


def unparsed(error: rest.ParseError) -> str:
    """Say why a body could not be read."""
    detail = str(error.detail)
    if detail.startswith("JSON parse error"):
        said = detail.partition(" - ")[2]
        if said.startswith("Expecting value: line 1 column 1"):
            return f'the body is no JSON: {BEGIN}; expected an object, as {{"a": 1}}'
        fault = _FAULT.match(said)
        said = fault_at(*fault.groups()) if fault else said
        return f"the body is no JSON: {said}" if said else "the body is no JSON"
    if detail.startswith("Multipart form parse error"):
        said = detail.partition(" - ")[2]
        return f"the body is no multipart/form-data as RFC 7578 has it: {said}"
    return f"the body was not understood: {detail}"


def unsupported(error: rest.UnsupportedMediaType, types: Sequence[str]) -> UnsupportedFormat:
    """Say which content types are taken where another was sent."""
    sent = str(error.detail).partition('"')[2].partition('"')[0][:_SHOWN]
    expected = " or ".join(types) or "another"
    return UnsupportedFormat(f"content type `{sent}` is not taken here: expected {expected}")
