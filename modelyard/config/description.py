"""`/api/schema/`: the API description, made once in each process, since anybody may ask for it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from django.urls import get_resolver
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.settings import patched_settings
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from modelyard.control.framework import SPECTACULAR
from modelyard.control.rest.permissions import Anonymous
from modelyard.control.rest.public import root

_lock = threading.RLock()


@contextmanager
def ours() -> Iterator[None]:
    """Describe as we do: `SPECTACULAR_SETTINGS` may be those of a project around us."""
    with _lock, patched_settings({name: value for name, value in SPECTACULAR.items() if not name.startswith("SERVE_")}):
        yield


@lru_cache(maxsize=1)
def description() -> dict[str, Any]:
    """Return the OpenAPI document of the control plane: of our addresses, and none that a project adds."""
    with ours():
        patterns = get_resolver("modelyard.config.urls").url_patterns
        return dict(SchemaGenerator(patterns=patterns).get_schema(request=None, public=True))


class Description(SpectacularAPIView):
    """Gives the document as JSON; what a caller may do does not change it."""

    schema = None
    renderer_classes = [JSONRenderer]
    permission_classes = [Anonymous]
    authentication_classes = []

    def _get_schema_response(self, request: Request) -> Response:
        return Response({**description(), "servers": [{"url": root().rstrip("/") or "/"}]})


class Docs(SpectacularSwaggerSplitView):
    """Shows the document to people."""

    schema = None
    permission_classes = [Anonymous]
    authentication_classes = []
    url_name = "modelyard-schema"
    template_name = "console/api_description.html"
    title = "API of Modelyard"

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        with ours():
            answer: Response = super().get(request, *args, **kwargs)
        return answer
