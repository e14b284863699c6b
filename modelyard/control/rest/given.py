"""What a caller sends, checked before it reaches a service."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from rest_framework import serializers
from rest_framework.fields import empty
from rest_framework.request import Request

from modelyard.control.rest.errors import refusal

CUT = 60
TOLD = 10
"""Unknown names that a refusal tells, at most: a body may hold a hundred thousand."""


class Given(serializers.Serializer):
    """A body, or an object within one; a field that is unknown is refused, not passed over: it may be a slip."""

    ignored = frozenset({"csrfmiddlewaretoken"})

    def run_validation(self, data: Any = empty) -> Any:
        names = data if hasattr(data, "keys") else ()
        refuse_unknown("field", [name for name in names if name not in self.ignored], self.fields)
        return super().run_validation(data)


class Several(serializers.ListField):
    """A list whose length is looked at before what is in it."""

    def run_child_validation(self, data: Any) -> Any:
        if self.max_length is not None and len(data) > self.max_length:
            self.fail("max_length", max_length=self.max_length)
        return super().run_child_validation(data)


def refuse_unknown(what: str, names: Iterable[str], known: Iterable[str]) -> None:
    """Let pass names that are all known.

    Raises:
        ValidationError: with the nearest known name of each of the first that are not.
    """
    there = list(known)
    unknown = [str(name) for name in names if name not in there][:TOLD]
    if unknown:
        raise serializers.ValidationError({name[:CUT]: [_hint(what, name[:CUT], there)] for name in unknown})


def _hint(what: str, name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, 1)
    some = f"expected some of {', '.join(known)}" if known else "none is taken here"
    hint = f"did you mean `{near[0]}`?" if near else some
    return f"unknown {what} `{name}`; {hint}"


def refuse_asked(request: Request, known: Iterable[str], several: Iterable[str] = ()) -> None:
    """Refuse what the query asks for and is not `known`, or comes twice and is not of `several`: it would get another
    answer.

    Raises:
        ValidationError: with the nearest known name.
    """
    asked = request.query_params
    refuse_unknown("parameter", asked, known)
    twice = [name for name in asked if len(asked.getlist(name)) > 1 and name not in several]
    if twice:
        raise serializers.ValidationError({twice[0]: [f"comes {len(asked.getlist(twice[0]))} times: expected once"]})


def asks_of(view: Any) -> tuple[str, ...]:
    """Return what the view's action reads from the query itself, as its `asks` says."""
    return tuple(getattr(view, "asks", {}).get(view.action, ()))


def checked(serializer: type[serializers.BaseSerializer], request: Request) -> dict[str, Any]:
    """Return what the caller sent, as `serializer` takes it."""
    given = serializer(data=request.data)
    given.is_valid(raise_exception=True)
    return dict(given.validated_data)


def understood(serializer: type[serializers.BaseSerializer], sent: Any) -> dict[str, Any]:
    """Return what was sent within a body, as `serializer` takes it.

    Raises:
        InvalidInput: as for a whole body.
    """
    given = serializer(data=sent)
    try:
        given.is_valid(raise_exception=True)
    except serializers.ValidationError as error:
        raise refusal(error, sent) from None
    return dict(given.validated_data)
