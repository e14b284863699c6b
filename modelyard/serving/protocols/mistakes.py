"""What is wrong with a body that is no JSON, or JSON of another form: where, what was expected, and why, likely."""

import re

import msgspec

from modelyard.core.errors import InvalidInput

_BYTE = re.compile(r"\(byte ([0-9]{1,18})\)")
_CAUSES: tuple[tuple["re.Pattern[bytes]", str], ...] = (
    (
        re.compile(rb"-?(?:NaN|nan|Infinity|inf)"),
        "NaN and Infinity are no JSON: send null where the column allows a missing value",
    ),
    (re.compile(rb"'"), "in JSON, names and texts stand in double quotes, not in single ones"),
    (re.compile(rb"(?:True|False|None)\b"), "in JSON it is true, false and null, in lower case"),
)
"""What a body has at the place of the mistake, and what to do instead."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_MISFIT = re.compile(r"Expected `([a-z |]+)`, got `([a-z]+)`(?: - at `\$\.?(.+)`)?\Z")
_LACKING = re.compile(r"Object missing required field `(.+?)`(?: - at `\$\.?(.+)`)?\Z")
_KINDS = {
    "array": "a list",
    "object": "an object",
    "str": "a string",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "null": "null",
}
"""From msgspec's words."""


def no_json(error: Exception, body: bytes, expected: str) -> InvalidInput:
    """Return the refusal of a body that JSON's reader (RFC 8259, in UTF-8) did not take. `expected`: its form."""
    if not body.strip():
        return InvalidInput(f"the body is empty: expected {expected}")
    if isinstance(error, RecursionError):
        return InvalidInput(f"the body is nested too deeply: expected {expected}")
    if body.startswith(_BYTE_ORDER_MARK):
        return InvalidInput("the body begins with a byte order mark, which JSON does not have: send UTF-8 without one")
    if isinstance(error, UnicodeDecodeError):
        return InvalidInput("the body is no JSON: its text is not UTF-8")
    said = str(error).removeprefix("JSON is malformed: ")
    place = _BYTE.search(said)
    if place is not None:
        for there, instead in _CAUSES:
            if there.match(body, int(place[1])):
                return InvalidInput(f"the body is no JSON: {said}; {instead}")
    return InvalidInput(f"the body is no JSON: {said}; expected {expected}")


def misfit(error: msgspec.ValidationError) -> str:
    """Return what msgspec says of JSON of another form as our messages do."""
    said = str(error)
    found = _MISFIT.match(said)
    if found is not None:
        wanted = " or ".join(_KINDS.get(word, word) for word in found[1].split(" | "))
        got = "a boolean" if found[2] == "bool" else _KINDS.get(found[2], found[2])
        return f"{_at(found[3])}got {got}, expected {wanted}"
    found = _LACKING.match(said)
    return f"{_at(found[2])}`{found[1]}` is missing" if found is not None else said


def _at(place: str | None) -> str:
    return f"`{place}`: " if place else ""
