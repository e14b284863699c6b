"""Fields made of JSON Schema, as trainers and estimators state their parameters, and their texts as JSON values."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from modelyard.control.console.templatetags.console import label_of
from modelyard.core.faults import json_fault
from modelyard.trainers.stated import NULL, Stated

NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?\Z")


class NotRead(Exception):
    """A text is no value of its field; the message says what was expected."""


@dataclass(frozen=True, slots=True)
class Option:
    """An option of a select; `key` is what is posted."""

    key: str
    label: str


@dataclass(slots=True)
class FormField:
    """A parameter as a field of the form.

    Attributes:
        name: under which it is posted; `place` is what the API calls it when it refuses it.
        kind: choice, number, text or json.
        groups: of a choice, its options beneath their headings; one without a heading is an empty text.
        swaps: what is chosen here decides on other fields.
        tried: the field for the values that a search tries.
    """

    name: str
    place: str
    label: str
    kind: str
    value: str = ""
    hint: str = ""
    placeholder: str = ""
    groups: list[tuple[str, list[Option]]] = field(default_factory=list)
    swaps: bool = False
    required: bool = False
    error: str = ""
    tried: "FormField | None" = None

    @property
    def keys(self) -> set[str]:
        return {option.key for _, options in self.groups for option in options}


def made(one: Stated, name: str, place: str, texts: Mapping[str, str]) -> FormField:
    """Return the field of a parameter, with the text that was posted, else its default."""
    kind = kind_of(one)
    usual = written(one.default)
    text = texts.get(name)
    shown = FormField(name, place, label_of(one.name), kind, hint=hint_of(one), required=one.required)
    if kind == "choice":
        shown.groups = [("", _options(one))]
        shown.value = text if text is not None and text in shown.keys else usual
    else:
        shown.value = text or ""
        shown.placeholder = usual
    return shown


def kind_of(one: Stated) -> str:
    """Return how it is asked for."""
    if one.words and not set(one.types) - {"boolean"}:
        return "choice"
    if one.types == ["boolean"]:
        return "choice"
    if not one.words and one.types in (["integer"], ["number"]):
        return "number"
    return "text" if set(one.types) <= {"integer", "number", "string", "array"} else "json"


def read(one: Stated, text: str) -> Any:
    """Return the value that a text is.

    Raises:
        NotRead: with what was expected.
    """
    text = text.strip()
    if one.nullable and text == NULL:
        return None
    for word in (word for shape in one.shapes for word in shape.get("enum", [])):
        if str(word) == text:
            return word
    for kind in one.types:
        value = _READERS.get(kind, _object)(text)
        if value is not None:
            return value
    raise NotRead(f"got {text[:60]!r}, expected {_expected(one)}")


def written(value: Any) -> str:
    """Write a value as the field takes it."""
    if value is None or value in ([], {}):
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ", ".join(written(item) for item in value)
    return json.dumps(value, ensure_ascii=False)


def hint_of(one: Stated) -> str:
    """Return what it does, and the numbers that it may be."""
    said = (one.description[:1].upper() + one.description[1:]).replace("`", "")
    spans = [
        f"{_amount(shape['minimum'])} to {_amount(shape['maximum'])}"
        for shape in one.shapes
        if "minimum" in shape and "maximum" in shape
    ]
    words = one.words if kind_of(one) == "text" else []
    null = [NULL] if one.nullable and one.default is not None and kind_of(one) != "choice" else []
    may = " or ".join([*spans, *words, *null])
    return ". ".join(part for part in (said, may) if part) + "." if said or may else ""


def _amount(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 1 and float(number).is_integer() else f"{number:g}"


def _options(one: Stated) -> list[Option]:
    options = [Option(word, word) for word in one.words]
    if "boolean" in one.types:
        options += [Option("true", "yes"), Option("false", "no")]
    if one.nullable:
        options.insert(0, Option("" if one.default is None else NULL, "not set"))
    return options


def _expected(one: Stated) -> str:
    names = {
        "integer": "a whole number",
        "number": "a number",
        "boolean": "true or false",
        "array": "values with commas between them",
        "object": "a JSON object",
    }
    return " or ".join([*(names.get(kind, "a text") for kind in one.types), *one.words])


def _number(text: str) -> int | float | None:
    if not NUMBER.match(text) or len(text) > 60:
        return None
    return int(text) if re.fullmatch(r"[-+]?\d+", text) else float(text)


def _array(text: str) -> list[Any]:
    inner = text.removeprefix("[").removesuffix("]")
    parts = [part.strip() for part in inner.split(",") if part.strip()]
    found = [_number(part) for part in parts]
    return [part if number is None else number for part, number in zip(parts, found, strict=True)]


def _object(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NotRead(f"This is no JSON: {json_fault(error)}.") from None


_READERS: dict[str, Callable[[str], Any]] = {
    "integer": _number,
    "number": _number,
    "boolean": {"true": True, "false": False}.get,
    "string": lambda text: text,
    "array": _array,
}
