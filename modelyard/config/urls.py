"""Every address of the control plane. Those beneath `/api/v1/` come from the apps' own `api.py`."""

from django.urls import URLPattern, URLResolver, include, path

from modelyard.config import health, pages
from modelyard.config.description import Description, Docs
from modelyard.control.rest.own import own_view, within
from modelyard.control.rest.public import LIVE

API = ("tenancy", "jobs", "registry", "precomputed", "training", "scoring", "schedules", "deployments")

_patterns: list[URLPattern | URLResolver] = [
    path(LIVE, health.live, name="modelyard-live"),
    path("health/ready", health.ready, name="modelyard-ready"),
    path("api/schema/", Description.as_view(), name="modelyard-schema"),
    path("api/docs/", Docs.as_view(), name="modelyard-docs"),
    *(path("api/v1/", include(f"modelyard.control.{app}.api", namespace=f"modelyard-{app}")) for app in API),
    path("", include("modelyard.control.console.urls")),
]
urlpatterns = [within(entry, own_view) for entry in _patterns]

handler400 = pages.bad_request
handler403 = pages.forbidden
handler404 = pages.not_found
handler500 = pages.server_error
