"""Every table of ours in Django's admin, to be looked at: changes go through `services.py`, with an audit entry each.

The pages are made from the models themselves, so that a new table is there by itself.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.contrib import admin
from django.db import models
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Model]
else:
    _ModelAdmin = admin.ModelAdmin

SECRETS = frozenset({"mac_key", "sha256", "key_hash", "secret", "token"})
"""Names of fields that are never shown: with them, or from them, one could act for somebody else."""
LARGE = (models.JSONField, models.TextField, models.BinaryField)
"""Fields that a list neither reads nor shows; a page of one row shows them, but no bytes."""
MOST_COLUMNS = 8
SHOWN_CHARACTERS = 20_000
SEARCHED = (
    "name",
    "title",
    "subject",
    "actor",
    "verb",
    "created_by",
    "prefix",
    "digest",
    "filename",
    "kind",
    "problem",
)
PAGES = {
    "modelyard_registry.dataset": ("console:dataset", {"tenant": "tenant.name", "ref": "reference"}),
    "modelyard_registry.model": ("console:model", {"tenant": "tenant.name", "name": "name"}),
    "modelyard_registry.version": (
        "console:version",
        {"tenant": "tenant.name", "name": "model.name", "number": "number"},
    ),
    "modelyard_schedules.schedule": ("console:schedule", {"tenant": "tenant.name", "schedule": "name"}),
    "modelyard_tenancy.tenant": ("console:models", {"tenant": "name"}),
}
"""Tables whose rows have a page in the console."""


def fields_of(model: type[Model]) -> list[Any]:
    """Return the columns that may be shown."""
    shown = [field for field in model._meta.concrete_fields if field.name not in SECRETS]
    return [field for field in shown if not isinstance(field, models.BinaryField)]


class LookAt(_ModelAdmin):
    """A table that is read here, and written elsewhere."""

    list_per_page = 50
    show_full_result_count = False
    actions = None

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return ["__str__", *(field.name for field in _small(self.model)[:MOST_COLUMNS])]

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        return [field.name for field in _small(self.model) if _is_filter(field)]

    def get_search_fields(self, request: HttpRequest) -> list[str]:
        return [field.name for field in fields_of(self.model) if field.name in SEARCHED]

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        link = ["in_the_console"] if self.model._meta.label_lower in PAGES else []
        return link + [_Whole(field) if isinstance(field, LARGE) else field.name for field in fields_of(self.model)]

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        return self.get_fields(request, obj)

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Leave out what is large in lists: only the page of one row reads it, one row at a time.

        What a row names is read along with it, and what that is named by: a plan is the plan of a deployment, which is
        that of a model.
        """
        rows = super().get_queryset(request)
        named = dict(_named(self.model))
        large = [f"{path}__{name}" for path, model in named.items() for name in _large(model)]
        return rows.select_related(*named).defer(*_large(self.model), *large)

    @admin.display(description="in the console")
    def in_the_console(self, row: Model) -> SafeString | str:
        name, places = PAGES[row._meta.label_lower]
        try:
            address = reverse(name, kwargs={key: _follow(row, path) for key, path in places.items()})
        except NoReverseMatch:
            return "-"
        return format_html('<a href="{}">{}</a>', address, row)


class _Whole:
    """A large field on the page of one row, as text, cut where a browser would suffer."""

    def __init__(self, field: Any) -> None:
        self.__name__ = f"whole_{field.name}"
        self.short_description = field.verbose_name
        self._field = field.name

    def __call__(self, row: Model) -> str:
        text = str(getattr(row, self._field))
        return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]} ... ({len(text)} characters)"


def _small(model: Any) -> list[Any]:
    return [field for field in fields_of(model) if not isinstance(field, LARGE) and not field.primary_key]


def _named(model: Any) -> Iterator[tuple[str, Any]]:
    """Give the path to each table that a row of `model` names, and, of ours among them, to those that these name."""
    for field in _small(model):
        if field.is_relation:
            yield field.name, field.related_model
            if field.related_model._meta.label_lower.startswith("modelyard_"):
                below = [inner for inner in _small(field.related_model) if inner.is_relation]
                yield from ((f"{field.name}__{inner.name}", inner.related_model) for inner in below)


def _large(model: Any) -> list[str]:
    return [field.name for field in model._meta.concrete_fields if isinstance(field, LARGE)]


def _is_filter(field: Any) -> bool:
    return (
        bool(field.choices) or isinstance(field, (models.BooleanField, models.DateTimeField)) or field.name == "tenant"
    )


def _follow(row: Any, path: str) -> Any:
    for part in path.split("."):
        row = getattr(row, part)
    return row


def tables() -> Sequence[type[Model]]:
    """Return every table of ours."""
    ours = [app for app in apps.get_app_configs() if app.name.startswith("modelyard.")]
    return [model for app in ours for model in app.get_models()]


for _model in tables():
    admin.site.register(_model, LookAt)
