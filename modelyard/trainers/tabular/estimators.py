"""What is listed of an estimator: where it is imported from, and its main parameters with what each may be."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import import_module
from typing import Any

from modelyard.core.errors import InvalidInput
from modelyard.core.metrics import nearest

Value = bool | int | float | str | list[int] | None


class Task(StrEnum):
    """What is predicted: a class, or a number."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"


class Kind(StrEnum):
    """What a parameter is, by JSON Schema's words."""

    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    STRING = "string"
    INTEGERS = "array"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of an estimator.

    Attributes:
        low: the least, and `high` the most that a number may be.
        choices: words that it may be; of a number, besides the numbers.
        optional: it may be null.
    """

    name: str
    kind: Kind
    default: Value
    help: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    optional: bool = False

    def schema(self) -> dict[str, Any]:
        """Return it as JSON Schema."""
        parts: list[dict[str, Any]] = []
        bounds = {"minimum": self.low, "maximum": self.high} if self.low is not None else {}
        if self.kind is Kind.INTEGERS:
            parts.append({"type": "array", "items": {"type": "integer", **bounds}, "minItems": 1, "maxItems": 5})
        elif self.kind is not Kind.STRING:
            parts.append({"type": self.kind.value, **bounds})
        parts += [{"enum": list(self.choices)}] if self.choices else []
        parts += [{"type": "null"}] if self.optional else []
        shape = parts[0] if len(parts) == 1 else {"anyOf": parts}
        return {**shape, "default": self.default, "description": self.help}

    def check(self, value: Any, place: str) -> None:
        """Let a value pass.

        Raises:
            InvalidInput: with what was expected.
        """
        if not self._fits(value):
            raise InvalidInput.at(place, f"got {value!r:.60}, expected {self.expected}")

    def _fits(self, value: Any) -> bool:
        if value is None:
            return self.optional
        if isinstance(value, str):
            return value in self.choices
        if self.kind is Kind.INTEGERS:
            return isinstance(value, list) and 1 <= len(value) <= 5 and all(self._in_range(one, True) for one in value)
        if self.kind is Kind.BOOLEAN:
            return isinstance(value, bool)
        return self._in_range(value, self.kind is Kind.INTEGER)

    def _in_range(self, value: Any, whole: bool) -> bool:
        if self.low is None or self.high is None or isinstance(value, bool):
            return False
        if not isinstance(value, int) and (whole or not isinstance(value, float)):
            return False
        return self.low <= value <= self.high

    @property
    def expected(self) -> str:
        """Return in words what it may be."""
        span = f"{self.low:g} to {self.high:g}" if self.low is not None and self.high is not None else ""
        words = {
            Kind.INTEGER: f"a whole number, {span}",
            Kind.NUMBER: f"a number, {span}",
            Kind.BOOLEAN: "true or false",
            Kind.INTEGERS: f"1 to 5 whole numbers in a list, each {span}",
            Kind.STRING: "",
        }[self.kind]
        parts = [words, *(f"`{choice}`" for choice in self.choices), "null" if self.optional else ""]
        given = [part for part in parts if part]
        return given[0] if len(given) == 1 else f"{', '.join(given[:-1])} or {given[-1]}"


@dataclass(frozen=True, slots=True)
class Estimator:
    """An estimator that may be trained.

    Attributes:
        module: where its class is.
        takes_missing: numbers may be missing in what it is fitted on.
        fixed: arguments that are always given.
        counts_classes: it takes classes as 0, 1, 2 alone, and is wrapped in what counts them: a vote of one, which is
            scikit-learn's, so that the fitted model needs nothing of ours.
    """

    name: str
    module: str
    task: Task
    parameters: tuple[Parameter, ...] = ()
    takes_missing: bool = False
    fixed: Mapping[str, Any] = field(default_factory=dict)
    counts_classes: bool = False

    def parameter(self, name: str, place: str) -> Parameter:
        """Return a main parameter.

        Raises:
            InvalidInput: with the nearest name, when it is none.
        """
        known = {parameter.name: parameter for parameter in self.parameters}
        if name not in known:
            message = f"`{self.name}` takes no parameter `{name[:100]}` here; {_nearest(name[:100], list(known))}"
            raise InvalidInput.at(f"{place}.{name[:100]}", message, "unknown")
        return known[name]

    def make(self, given: dict[str, Any], seed: int) -> Any:
        """Return it unfitted, with `seed` where it draws random numbers. Imports it."""
        kind = getattr(import_module(self.module), self.name)
        values = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
        made = kind(**{**self.fixed, **values})
        if "random_state" in made.get_params(deep=False):
            made.set_params(random_state=seed)
        if not self.counts_classes:
            return made
        from sklearn.ensemble import VotingClassifier

        return VotingClassifier([("estimator", made)], voting="soft")

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of its parameters."""
        return {
            "type": "object",
            "title": self.name,
            "properties": {parameter.name: parameter.schema() for parameter in self.parameters},
            "additionalProperties": False,
        }


def _nearest(name: str, known: list[str]) -> str:
    return nearest(name, known) if known else "it has none"
