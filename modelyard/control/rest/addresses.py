"""How addresses end: either way is taken, and one of them is listed."""

from collections.abc import Iterable
from typing import Any

from django.urls import URLPattern, URLResolver, path
from rest_framework.viewsets import ViewSetMixin


def verb(route: str, view: type[ViewSetMixin], actions: dict[str, Any], name: str) -> list[URLPattern]:
    """Return the address of something that is no collection: without a slash at its end, and, unlisted, with one."""
    return [
        path(route, view.as_view(actions), name=name),
        path(f"{route}/", view.as_view(actions, schema=None)),
    ]


def either(patterns: Iterable[URLPattern | URLResolver]) -> list[URLPattern]:
    """Return `patterns` and, for each that ends in a slash, one without it, unlisted.

    A redirect would do for who reads; but what is sent along is lost on its way, and a POST arrives as a GET.
    """
    listed = [pattern for pattern in patterns if isinstance(pattern, URLPattern)]
    bare: list[tuple[str, Any]] = [(str(pattern.pattern), pattern.callback) for pattern in listed if pattern.name]
    return listed + [
        path(route.removesuffix("/"), view.cls.as_view(view.actions, **{**view.initkwargs, "schema": None}))
        for route, view in bare
        if route.endswith("/")
    ]
