"""Lists are ordered by `?ordering=-created_at,name`, by fields that the view names."""

from difflib import get_close_matches
from typing import Any

from rest_framework.filters import OrderingFilter
from rest_framework.request import Request

from modelyard.core.errors import InvalidInput


class Ordering(OrderingFilter):
    """Refuses unknown fields; a view without `ordering_fields` cannot be ordered."""

    ordering_fields = ()
    ordering_description = "Fields to order by, with commas; `-` before one turns it round."

    def remove_invalid_fields(self, queryset: Any, fields: Any, view: Any, request: Request) -> list[str]:
        valid = [item[0] for item in self.get_valid_fields(queryset, view, {"request": request})]
        for field in fields:
            if field.removeprefix("-") not in valid:
                near = get_close_matches(field.removeprefix("-"), valid, 1)
                expected = f"did you mean {near[0]!r}?" if near else f"expected some of {', '.join(valid) or 'none'}"
                raise InvalidInput(f"ordering: cannot order by {field[:60]!r}; {expected}")
        return list(fields)
