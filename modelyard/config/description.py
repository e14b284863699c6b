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
from modelyard.control.rest.public import predict_url, root
from modelyard.control.rest.schema import TAGS

_lock = threading.RLock()


@contextmanager
def ours() -> Iterator[None]:
    """Describe as we do: `SPECTACULAR_SETTINGS` may be those of a project around us."""
    with _lock, patched_settings({name: value for name, value in SPECTACULAR.items() if not name.startswith("SERVE_")}):
        yield


HEAD = """\
The control plane: models, versions, aliases, deployments, keys, members, jobs and the audit log.

Send a key with each request: `Authorization: Bearer yard_...`. Addresses are taken with and without a slash at the end.

### Asking for predictions

Predictions are asked for on the data plane, which answers on `{predict_url}`:

```sh
curl --fail-with-body {predict_url}/predict/iris \\
  -H "Authorization: Bearer $MODELYARD_KEY" -H 'Content-Type: application/json' \\
  -d '{{"rows": [{{"sepal_length": 5.1}}]}}'
```

The key needs the scope `predict`. `iris` is what the plan decides, `iris:3` one version, `iris@candidate` an alias.
Each version has columns of its own, so each has an OpenAPI document of its own endpoint:
[`GET /api/v1/models/{{name}}/versions/{{number}}/openapi`](#/versions/models_versions_openapi_retrieve), or
`GET {predict_url}/predict/{{reference}}`.
The Open Inference Protocol is beneath `{predict_url}/v2`.
"""


def head(predict_url: str) -> str:
    """Return what stands at the head of the description."""
    return HEAD.format(predict_url=predict_url.rstrip("/"))


@lru_cache(maxsize=1)
def description() -> dict[str, Any]:
    """Return the OpenAPI document of the control plane: of our addresses, and none that a project adds."""
    with ours():
        patterns = get_resolver("modelyard.config.urls").url_patterns
        generator = SchemaGenerator(patterns=patterns)  # type: ignore[no-untyped-call]
        document = dict(generator.get_schema(request=None, public=True))  # type: ignore[no-untyped-call]
    document["info"] = {**document["info"], "description": head(predict_url())}
    document["tags"] = [{"name": name, "description": text} for name, text in TAGS.items()]
    return document


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
            answer: Response = super().get(request, *args, **kwargs)  # type: ignore[no-untyped-call]
        return answer
