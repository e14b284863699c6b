"""Parameters as they come, JSON values, made into what a trainer declares."""

import json
import re
from collections.abc import Mapping
from functools import reduce
from typing import Any, TypeVar

import msgspec

from modelyard.core.errors import InvalidInput
from modelyard.core.metrics import nearest
from modelyard.trainers.stated import stated_at

P = TypeVar("P", bound=msgspec.Struct)
MAX_HINTED = 60

_AT = re.compile(r" - at (?P<key>`key` in )?`\$(?P<path>[^`]*)`\Z")
_STEP = re.compile(r"\.([^.\[]+)|\[([0-9]+|\.\.\.)\]")
"""Of a path as the library writes it, which calls each value of an object that may have any names `[...]`."""
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
        raise _refused(kind, given, place, str(error)) from None


def _refused(kind: type[msgspec.Struct], given: Mapping[str, Any], place: str, said: str) -> InvalidInput:
    """Return as ours what the library said of `given`."""
    at = _AT.search(said)
    what = said[: at.start()] if at else said
    steps = _steps(kind, given, at["path"], said) if at else []
    where = place + "".join(f"[{step}]" if isinstance(step, int) else f".{step[:MAX_HINTED]}" for step in steps)
    if lacking := _LACKING.match(what):
        return InvalidInput.at(f"{where}.{lacking[1]}", "it must be given, and is not", "required")
    if at and at["key"]:
        return InvalidInput.at(where, f"a name in it does not fit: {_length(what) or what}")
    within = _within(schema_of(kind), given, steps) if _ANOTHER.match(what) else None
    return InvalidInput.at(where, within or _length(what) or what[:1].lower() + what[1:])


def _steps(kind: type[msgspec.Struct], given: Any, path: str, said: str) -> list[str | int]:
    """Return what leads to the value at `path`, of which the library `said` what is wrong."""
    steps: list[str | int] = []
    for name, place in _STEP.findall(path):
        if place == "...":
            alone = (key for key in _value(given, steps) if _says(kind, _only(given, steps, key)) == said)
            key = next(alone, None)
            if key is None:  # more is wrong with the object once it holds nothing else
                return steps
            steps.append(key)
        else:
            steps.append(name or int(place))
    return steps


def _value(given: Any, steps: list[str | int]) -> Any:
    return reduce(lambda value, step: value[step], steps, given)


def _only(given: Any, steps: list[str | int], key: str) -> Any:
    """Return `given` with nothing but `key` in the object that the steps lead to."""
    if not steps:
        return {key: given[key]}
    first, *rest = steps
    inner = _only(given[first], rest, key)
    if isinstance(first, int):
        return [*given[:first], inner, *given[first + 1 :]]
    return {**given, first: inner}


def _says(kind: type[msgspec.Struct], given: Any) -> str:
    try:
        msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        return str(error)
    return ""


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


def _within(schema: Mapping[str, Any], given: Any, steps: list[str | int]) -> str | None:
    """Return in words what the value may be that the steps lead to; None where the schema does not tell."""
    one, value = stated_at(schema, steps), _value(given, steps)
    if one is None:
        return None
    hint = f"; did you mean `{json.dumps([value], ensure_ascii=False)}`?" if _single(value, one.types) else ""
    return f"got {value!r:.60}, expected {one.expected}{hint}"


def _single(given: Any, types: list[str]) -> bool:
    """Tell whether `given` is one word or number where a list of them is expected."""
    return "array" in types and isinstance(given, str | int | float) and len(str(given)) <= MAX_HINTED


def schema_of(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the JSON Schema of parameters: types, ranges, defaults, help."""
    schema: dict[str, Any] = msgspec.json.schema(kind)
    return schema
