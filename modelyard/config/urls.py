"""Every address of the control plane. Those beneath `/api/v1/` come from the apps' own `api.py`."""

from importlib.util import find_spec

from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from modelyard.config import health, pages

API = [f"modelyard.control.{app}.api" for app in ("tenancy", "jobs", "registry", "deployments")]

urlpatterns: list[URLPattern | URLResolver] = [
    path("health/live", health.live, name="live"),
    path("health/ready", health.ready, name="ready"),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="docs"),
    *(path("api/v1/", include((module, "api"))) for module in API if find_spec(module)),
]
if all(
    find_spec(f"modelyard.control.{name}") for name in ("console.urls", "registry.services", "deployments.services")
):
    urlpatterns.append(path("", include("modelyard.control.console.urls")))

handler400 = pages.bad_request
handler403 = pages.forbidden
handler404 = pages.not_found
handler500 = pages.server_error
