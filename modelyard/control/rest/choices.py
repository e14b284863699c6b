"""One of several words, whose refusal names them: the framework's own does not."""

from typing import Any

from django_filters import rest_framework as filters
from rest_framework import serializers

EXPECTED = "expected one of "


def _named(choices: Any) -> dict[str, Any]:
    words = ", ".join(str(value) for value, _ in choices)
    return {"invalid_choice": f"{EXPECTED}{words}"}


class Choice(serializers.ChoiceField):
    """A field of a body."""

    def __init__(self, choices: Any, **options: Any) -> None:
        super().__init__(choices, error_messages=_named(choices), **options)


class ChoiceFilter(filters.ChoiceFilter):
    """A filter of a list."""

    def __init__(self, *, choices: Any, **options: Any) -> None:
        super().__init__(choices=choices, error_messages=_named(choices), **options)
