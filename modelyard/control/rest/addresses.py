"""Addresses that are no collection's."""

from typing import Any

from django.urls import URLPattern, path
from rest_framework.viewsets import ViewSetMixin


def verb(route: str, view: type[ViewSetMixin], actions: dict[str, Any], name: str) -> list[URLPattern]:
    """Return the address of something that is no collection: without a slash at its end, and, unlisted, with one."""
    return [
        path(route, view.as_view(actions), name=name),
        path(f"{route}/", view.as_view(actions, schema=None)),
    ]
