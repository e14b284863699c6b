"""What a list may be asked for. What it does not know is refused: passed over, it would answer another question."""

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.db.models import QuerySet
from django_filters import rest_framework as filters
from django_filters.fields import IsoDateTimeField
from rest_framework.request import Request

from modelyard.control.rest.given import asks_of, refuse_asked
from modelyard.control.rest.ordering import Ordering

WORDS = {"true": True, "1": True, "false": False, "0": False}


class Filters(filters.DjangoFilterBackend):
    """Filters by the view's `filterset_class`."""

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: Any) -> QuerySet[Any]:
        refuse_asked(request, self._known(queryset, view))
        filtered: QuerySet[Any] = super().filter_queryset(request, queryset, view)
        return filtered

    def _known(self, queryset: QuerySet[Any], view: Any) -> list[str]:
        own = self.get_filterset_class(view, queryset)
        pages = view.paginator
        paged = (pages.page_query_param, pages.page_size_query_param) if pages else ()
        return [*(own.base_filters if own else ()), *asks_of(view), Ordering.ordering_param, *paged]


class TrueOrFalse(forms.CharField):
    """A form's field for `true` or `false`; the framework's takes every other word for neither."""

    def clean(self, value: Any) -> Any:
        text = str(super().clean(value)).lower()
        if text and text not in WORDS:
            raise forms.ValidationError("Must be a valid boolean.", code="invalid")
        return WORDS.get(text)


class TrueOrFalseFilter(filters.BooleanFilter):
    field_class = TrueOrFalse

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, widget=forms.TextInput, **options)


class Moment(IsoDateTimeField):
    """A form's field for a time that, in UTC, is in a year of four digits: no database is asked for another."""

    def clean(self, value: Any) -> Any:
        moment = super().clean(value)
        try:
            return moment.astimezone(UTC) if isinstance(moment, datetime) else moment
        except OverflowError:
            raise forms.ValidationError("Enter a valid date/time.", code="invalid") from None


class MomentFilter(filters.IsoDateTimeFilter):
    field_class = Moment
