"""What a caller sends, checked before it reaches a service."""

from difflib import get_close_matches
from typing import Any

from rest_framework import serializers
from rest_framework.fields import empty
from rest_framework.request import Request

CUT = 60


class Given(serializers.Serializer):
    """A body, or an object within one; a field that is unknown is refused, not passed over: it may be a slip."""

    ignored = frozenset({"csrfmiddlewaretoken"})

    def run_validation(self, data: Any = empty) -> Any:
        names = data if hasattr(data, "keys") else ()
        unknown = [name for name in names if name not in self.fields and name not in self.ignored]
        if unknown:
            raise serializers.ValidationError({str(name)[:CUT]: [self._hint(str(name))] for name in unknown})
        return super().run_validation(data)

    def _hint(self, name: str) -> str:
        near = get_close_matches(name, list(self.fields), 1)
        hint = f"did you mean `{near[0]}`?" if near else f"expected some of {', '.join(self.fields)}"
        return f"unknown field `{name[:CUT]}`; {hint}"


def checked(serializer: type[serializers.BaseSerializer], request: Request) -> dict[str, Any]:
    """Return what the caller sent, as `serializer` takes it."""
    given = serializer(data=request.data)
    given.is_valid(raise_exception=True)
    return dict(given.validated_data)
