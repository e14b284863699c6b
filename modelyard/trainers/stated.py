"""What the JSON Schema of a trainer or an estimator states of its parameters, one by one, and in words."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

NULL = "null"
Shape = Mapping[str, Any]
_WORDS = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
}


@dataclass(frozen=True, slots=True)
class Stated:
    """What a schema states of one parameter: `shapes` are those that it may have, without null."""

    name: str
    shapes: tuple[Shape, ...]
    nullable: bool
    required: bool
    default: Any
    description: str
    format: str

    @classmethod
    def of(cls, name: str, schema: Shape, defs: Mapping[str, Shape], required: bool = False) -> "Stated":
        shapes = list(_shapes(schema, defs))
        return cls(
            name,
            tuple(shape for shape in shapes if shape.get("type") != NULL),
            any(shape.get("type") == NULL for shape in shapes),
            required,
            schema.get("default"),
            schema.get("description", ""),
            schema.get("format", ""),
        )

    @property
    def words(self) -> list[str]:
        """Return the words that it may be, besides numbers."""
        return [str(word) for shape in self.shapes for word in shape.get("enum", [])]

    @property
    def types(self) -> list[str]:
        return [shape.get("type", "") for shape in self.shapes if "enum" not in shape]

    @property
    def expected(self) -> str:
        """Return in words what it may be: `a number from 0.01 to 0.9`."""
        plain = [_expected(shape) for shape in self.shapes if "enum" not in shape]
        return " or ".join([*plain, *self.words, *([NULL] if self.nullable else [])])


def stated(schema: Shape) -> list[Stated]:
    """Return the parameters that the JSON Schema of a trainer or estimator states, in its order."""
    defs: Mapping[str, Shape] = schema.get("$defs", {})
    top = _resolved(schema, defs)
    required = set(top.get("required", ()))
    return [Stated.of(name, each, defs, name in required) for name, each in top.get("properties", {}).items()]


def stated_at(schema: Shape, steps: Iterable[str | int]) -> Stated | None:
    """Return what the schema states of the value that these names, and places in lists, lead to; None where it does
    not tell."""
    defs: Mapping[str, Shape] = schema.get("$defs", {})
    found = Stated.of("", schema, defs)
    for step in steps:
        inner = next((one for shape in found.shapes if (one := _inner(shape, step)) is not None), None)
        if inner is None:
            return None
        found = Stated.of(str(step), inner, defs)
    return found


def _inner(shape: Shape, step: str | int) -> Shape | None:
    """Return what a shape says of one of its values."""
    others = shape.get("items" if isinstance(step, int) else "additionalProperties")
    found: Shape | None = shape.get("properties", {}).get(step, others)
    return found if isinstance(found, Mapping) else None


def _expected(shape: Shape) -> str:
    words = _WORDS.get(shape.get("type", ""), "a text")
    if names := list(shape.get("properties", ())):
        return f"{words} of {', '.join(names)}"
    low, high = shape.get("minimum"), shape.get("maximum")
    if low is not None and high is not None:
        return f"{words} from {low} to {high}"
    if low is not None:
        return f"{words} from {low}"
    return f"{words} to {high}" if high is not None else words


def _shapes(schema: Shape, defs: Mapping[str, Shape]) -> Iterable[Shape]:
    for part in schema.get("anyOf", [schema]):
        found = _resolved(part, defs)
        if "anyOf" in found:
            yield from _shapes(found, defs)
        else:
            yield found


def _resolved(schema: Shape, defs: Mapping[str, Shape]) -> Shape:
    return defs[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
