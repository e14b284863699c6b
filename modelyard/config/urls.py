"""Every address of the control plane. Those beneath `/api/v1/` come from the apps' own `api.py`."""

from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularSwaggerSplitView as Docs

from modelyard.config import health, pages
from modelyard.config.description import Description

API = ("tenancy", "jobs", "registry", "deployments")

urlpatterns: list[URLPattern | URLResolver] = [
    path("health/live", health.live, name="live"),
    path("health/ready", health.ready, name="ready"),
    path("api/schema/", Description.as_view(), name="schema"),
    path("api/docs/", Docs.as_view(url_name="schema", template_name="console/api_description.html"), name="docs"),
    *(path("api/v1/", include(f"modelyard.control.{app}.api")) for app in API),
    path("", include("modelyard.control.console.urls")),
]

handler400 = pages.bad_request
handler403 = pages.forbidden
handler404 = pages.not_found
handler500 = pages.server_error
