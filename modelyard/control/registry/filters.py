"""Which models and versions a list shows."""

from typing import Any

from django.db.models import Q, QuerySet
from django_filters import rest_framework as filters

from modelyard.control.registry.models import Dataset, DatasetState, Model, Version, VersionState
from modelyard.control.rest.choices import ChoiceFilter
from modelyard.control.rest.filtering import MomentFilter, TrueOrFalseFilter
from modelyard.control.tenancy.people import MAX_NAME, name_field

MAX_SEARCH = 100


class ModelFilter(filters.FilterSet):
    """`?search=churn&owner=ada&created_after=2026-01-01T00:00:00Z`."""

    search = filters.CharFilter(method="find", max_length=MAX_SEARCH, label="text in the name or the problem")
    owner = filters.CharFilter(method="owned", max_length=MAX_NAME, label="the name by which the owner signs in")
    created_after = MomentFilter(field_name="created_at", lookup_expr="gte")
    created_before = MomentFilter(field_name="created_at", lookup_expr="lt")

    class Meta:
        model = Model
        fields = ()

    def owned(self, rows: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return rows.filter(**{f"owner__{name_field()}": value})

    def find(self, rows: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return rows.filter(Q(name__icontains=value) | Q(problem__icontains=value))


class DatasetFilter(filters.FilterSet):
    """`?name=flights&state=ready&search=delays`."""

    search = filters.CharFilter(method="find", max_length=MAX_SEARCH, label="text in the name or the description")
    name = filters.CharFilter(max_length=64)
    state = ChoiceFilter(choices=DatasetState.choices)
    created_by = filters.CharFilter(max_length=150)
    created_after = filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="gte")
    created_before = filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="lt")

    class Meta:
        model = Dataset
        fields = ()

    def find(self, rows: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return rows.filter(Q(name__icontains=value) | Q(description__icontains=value))


class VersionFilter(filters.FilterSet):
    """`?state=ready&format=onnx&alias=candidate`."""

    state = ChoiceFilter(choices=VersionState.choices)
    format = filters.CharFilter(max_length=32)
    runtime = filters.CharFilter(max_length=32)
    isolated = TrueOrFalseFilter()
    created_by = filters.CharFilter(max_length=150)
    alias = filters.CharFilter(field_name="aliases__name", max_length=64)
    created_after = MomentFilter(field_name="created_at", lookup_expr="gte")
    created_before = MomentFilter(field_name="created_at", lookup_expr="lt")

    class Meta:
        model = Version
        fields = ()
