"""Parameters as they come, JSON values, made into what a trainer declares."""

import json
import re
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from modelyard.core.errors import InvalidInput
from modelyard.core.metrics import nearest
from modelyard.trainers.stated import stated

P = TypeVar("P", bound=msgspec.Struct)
MAX_HINTED = 60

_LACKING = re.compile(r"Object missing required field `([^`]+)`")
_ANOTHER = re.compile(r"Invalid enum value |Expected `[^`]*`(?:, got `| [<>]=? )")
"""What the library says of a value that is of another type than stated, none of the words, or outside its range."""
_LENGTH = re.compile(r"Expected `(array|object|str)` of length ([<>]=) (\d+)")
_OF_LENGTH = {"array": "a list", "object": "an object", "str": "a text"}


def read(kind: type[P], given: Mapping[str, Any], place: str = "parameters") -> P:
    """Return `given` as the Struct `kind`.

    Raises:
        InvalidInput: naming the parameter that is unknown (with the nearest name), missing, or does not fit.
    """
    if not isinstance(given, Mapping):
        raise InvalidInput.at(place, f"got {given!r:.60}, expected an object of names and values")
    known = kind.__struct_encode_fields__
    for name in given:
        if name not in known:
            raise InvalidInput.at(f"{place}.{name}", _unknown(kind, name, given), "unknown")
    try:
        return msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `$")
        where = f"{place}{path.rstrip('`')}"
        if lacking := _LACKING.match(what):
            raise InvalidInput.at(f"{where}.{lacking[1]}", "it must be given, and is not", "required") from None
        within = _within(schema_of(kind), given, path) if _ANOTHER.match(what) else None
        raise InvalidInput.at(where, within or _length(what) or what[:1].lower() + what[1:]) from None


def _length(what: str) -> str | None:
    """Return in words how many there must be, where the library says that it is about that."""
    found = _LENGTH.match(what)
    if found is None:
        return None
    return f"expected {_OF_LENGTH[found[1]]} of {found[3]} or {'more' if found[2] == '>=' else 'fewer'}"


def _unknown(kind: type[msgspec.Struct], name: str, given: Mapping[str, Any]) -> str:
    """Return what is said of an unknown name; a `kind` with `hint_of` may know where it belongs."""
    hint_of = getattr(kind, "hint_of", None)
    told = hint_of(name, given) if hint_of is not None else None
    return told or f"there is no such parameter; {nearest(name, kind.__struct_encode_fields__)}"


def _within(schema: Mapping[str, Any], given: Any, path: str) -> str | None:
    """Return in words what the value at `path` (`.search.count`) may be; None where the schema does not tell."""
    words, types = "", [""]
    for name in path.rstrip("`").removeprefix(".").split("."):
        one = next((one for one in stated(schema) if one.name == name), None)
        if one is None:
            return None
        given, words, types, schema = given[name], one.expected, one.types, one.shapes[0]
    hint = f"; did you mean `{json.dumps([given], ensure_ascii=False)}`?" if _single(given, types) else ""
    return f"got {given!r:.60}, expected {words}{hint}"


def _single(given: Any, types: list[str]) -> bool:
    """Tell whether `given` is one word where a list of them is expected."""
    return "array" in types and isinstance(given, str) and len(given) <= MAX_HINTED


def schema_of(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the JSON Schema of parameters: types, ranges, defaults, help."""
    schema: dict[str, Any] = msgspec.json.schema(kind)
    return schema
