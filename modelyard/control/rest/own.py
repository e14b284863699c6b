"""Our views keep our rules in whoever's project they stand: `REST_FRAMEWORK` is the project's, and says nothing of us.

The rules are set where the addresses are put together, for every view at once, so that no view can forget them.
"""

from collections.abc import Callable
from inspect import getattr_static, isclass
from typing import Any, cast

from django.urls import URLPattern, URLResolver
from drf_spectacular.openapi import AutoSchema
from rest_framework.generics import GenericAPIView
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request
from rest_framework.settings import DEFAULTS, IMPORT_STRINGS, APISettings
from rest_framework.views import APIView

from modelyard.control.framework import REST_FRAMEWORK
from modelyard.control.rest.given import asks_of, refuse_asked

View = Callable[..., Any]
OWN: Any = APISettings(cast(Any, REST_FRAMEWORK), DEFAULTS, IMPORT_STRINGS)
NAMES = {
    "authentication_classes": "DEFAULT_AUTHENTICATION_CLASSES",
    "permission_classes": "DEFAULT_PERMISSION_CLASSES",
    "renderer_classes": "DEFAULT_RENDERER_CLASSES",
    "parser_classes": "DEFAULT_PARSER_CLASSES",
    "throttle_classes": "DEFAULT_THROTTLE_CLASSES",
    "metadata_class": "DEFAULT_METADATA_CLASS",
    "versioning_class": "DEFAULT_VERSIONING_CLASS",
    "filter_backends": "DEFAULT_FILTER_BACKENDS",
    "pagination_class": "DEFAULT_PAGINATION_CLASS",
}
"""Attribute of a view to the entry that it is taken from."""


class Negotiation(DefaultContentNegotiation):
    settings = OWN


class Asked(APIView):
    """Refuses what a query asks for and the view's action does not read; of a list that is its filters' to know."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        action = getattr(self, "action", None)
        if action and not (action == "list" and getattr(self, "paginator", None)):
            refuse_asked(request, asks_of(self), getattr(self, "asks_several", ()))


def own_view(view: View, *, described: bool = True) -> View:
    """Return a view of the API with our rules, but where its class has some of its own; any other view as it is.

    Where it is not `described`, a description that somebody else makes of all addresses leaves it out.
    """
    cls: Any = getattr(view, "cls", None)
    if cls is None or not issubclass(cls, APIView):
        return view
    _describe_as_we_do(cls)
    own = {"__module__": cls.__module__, "__doc__": cls.__doc__, **_rules(cls, described)}
    ours = type(cls.__name__, (cls,) if issubclass(cls, Asked) else (Asked, cls), own)
    given, actions = getattr(view, "initkwargs", {}), getattr(view, "actions", None)
    made: View = ours.as_view(actions, **given) if actions else ours.as_view(**given)  # type: ignore[attr-defined]
    return made


def _rules(cls: Any, described: bool) -> dict[str, Any]:
    """Return what a view's class takes from the settings, and therefore shall take from ours."""
    rules: dict[str, Any] = {"settings": OWN, "content_negotiation_class": Negotiation}
    for attribute, name in NAMES.items():
        base: Any = APIView if hasattr(APIView, attribute) else GenericAPIView
        if hasattr(cls, attribute) and getattr(cls, attribute) is getattr(base, attribute):
            rules[attribute] = getattr(OWN, name)
    if not described:
        rules["schema"] = None
    elif getattr_static(cls, "schema") is getattr_static(APIView, "schema"):
        rules["schema"] = OWN.DEFAULT_SCHEMA_CLASS()
    return rules


def _describe_as_we_do(cls: type[APIView]) -> None:
    """Let what `extend_schema` made of a view's methods rest on our schema: it took the project's when we were read."""
    for name in dir(cls):
        made = getattr(getattr_static(cls, name), "kwargs", {}).get("schema")
        if isclass(made) and not issubclass(made, AutoSchema):
            made.__bases__ = (OWN.DEFAULT_SCHEMA_CLASS,)


def within(entry: URLPattern | URLResolver, change: Callable[[View], View]) -> URLPattern | URLResolver:
    """Return an entry of a list of addresses with each view beneath it changed."""
    if isinstance(entry, URLPattern):
        return URLPattern(entry.pattern, change(entry.callback), entry.default_args, entry.name)
    below = [within(child, change) for child in entry.url_patterns]
    return URLResolver(entry.pattern, below, entry.default_kwargs, entry.app_name, entry.namespace)
