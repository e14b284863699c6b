"""Lists are ordered by `?ordering=-created_at,name`, by fields that the view names."""

from difflib import get_close_matches
from typing import Any

from django.db.models import F, OrderBy, QuerySet
from rest_framework.filters import OrderingFilter
from rest_framework.request import Request

from modelyard.core.errors import InvalidInput


class Ordering(OrderingFilter):
    """Refuses unknown fields; a view without `ordering_fields` cannot be ordered.

    What has no value comes last, both ways round and on both databases; rows that are equal otherwise keep one order,
    so that none is on two pages and none on no page.
    """

    ordering_fields = ()
    ordering_param = "ordering"
    ordering_description = "Fields to order by, with commas; `-` before one turns it round."

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: Any) -> QuerySet[Any]:
        ordering = self.get_ordering(request, queryset, view)
        if not ordering:
            return queryset.order_by(*(queryset.query.order_by or queryset.model._meta.ordering), "pk")
        return queryset.order_by(*(_term(field) for field in ordering), "pk")

    def remove_invalid_fields(self, queryset: Any, fields: Any, view: Any, request: Request) -> list[str]:
        valid = [item[0] for item in self.get_valid_fields(queryset, view, {"request": request})]
        names = [field.removeprefix("-") for field in fields]
        for field in fields:
            if field.removeprefix("-") not in valid:
                near = get_close_matches(field.removeprefix("-"), valid, 1)
                expected = f"did you mean {near[0]!r}?" if near else f"expected some of {', '.join(valid) or 'none'}"
                raise InvalidInput.at("ordering", f"cannot order by {field[:60]!r}; {expected}")
            if names.count(field.removeprefix("-")) > 1:
                raise InvalidInput.at("ordering", f"names {field[:60]!r} more than once: expected each field once")
        return list(fields)


def _term(field: str) -> OrderBy:
    if field.startswith("-"):
        return F(field[1:]).desc(nulls_last=True)
    return F(field).asc(nulls_last=True)
