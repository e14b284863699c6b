"""Our views keep our rules in whoever's project they stand: `REST_FRAMEWORK` is the project's, and says nothing of us.

The rules are set where the addresses are put together, for every view at once, so that no view can forget them.
"""

from collections.abc import Callable
from typing import Any, cast

from django.urls import URLPattern, URLResolver
from rest_framework.generics import GenericAPIView
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.settings import DEFAULTS, IMPORT_STRINGS, APISettings
from rest_framework.views import APIView

from modelyard.control.framework import REST_FRAMEWORK

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


def own_view(view: View) -> View:
    """Return a view of the API with our rules, but where its class has some of its own; any other view as it is."""
    cls: Any = getattr(view, "cls", None)
    if cls is None or not issubclass(cls, APIView):
        return view
    given: dict[str, Any] = {"settings": OWN, "content_negotiation_class": Negotiation}
    for attribute, name in NAMES.items():
        base: Any = (
            GenericAPIView if hasattr(GenericAPIView, attribute) and not hasattr(APIView, attribute) else APIView
        )
        if hasattr(cls, attribute) and getattr(cls, attribute) is getattr(base, attribute):
            given[attribute] = getattr(OWN, name)
    given |= getattr(view, "initkwargs", {})
    if "schema" not in given and cls.schema is APIView.schema:
        given["schema"] = OWN.DEFAULT_SCHEMA_CLASS()
    actions = getattr(view, "actions", None)
    made: View = cls.as_view(actions, **given) if actions else cls.as_view(**given)
    return made


def within(entry: URLPattern | URLResolver, change: Callable[[View], View]) -> URLPattern | URLResolver:
    """Return an entry of a list of addresses with each view beneath it changed."""
    if isinstance(entry, URLPattern):
        return URLPattern(entry.pattern, change(entry.callback), entry.default_args, entry.name)
    below = [within(child, change) for child in entry.url_patterns]
    return URLResolver(entry.pattern, below, entry.default_kwargs, entry.app_name, entry.namespace)
