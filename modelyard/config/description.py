"""`/api/schema/`: the API description, made once in each process, since anybody may ask for it."""

from functools import lru_cache
from typing import Any

from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.views import SpectacularAPIView
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response


@lru_cache(maxsize=1)
def description() -> dict[str, Any]:
    """Return the OpenAPI document of the control plane."""
    return dict(SchemaGenerator().get_schema(request=None, public=True))


class Description(SpectacularAPIView):
    """Gives the document as JSON; what a caller may do does not change it."""

    renderer_classes = [JSONRenderer]

    def _get_schema_response(self, request: Request) -> Response:
        return Response(description())
