"""All our addresses, for `include("modelyard.embed.urls")` beneath any prefix: console, API and predictions."""

from typing import Any

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured

from modelyard.embed.lacking import lacking_apps

if not apps.is_installed("modelyard.embed"):
    raise ImproperlyConfigured(
        "modelyard.embed.urls is included, but INSTALLED_APPS lacks our apps: INSTALLED_APPS += modelyard.embed.APPS"
    )
if lacking_apps():
    # Our models cannot be imported then; `manage.py check` says which app lacks.
    urlpatterns: list[Any] = []
else:
    from modelyard.embed.addresses import urlpatterns

__all__ = ["urlpatterns"]
