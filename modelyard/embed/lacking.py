"""Apps that we cannot do without: told before anything is imported that needs them."""

from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage, Error

from modelyard.embed import APPS

DJANGOS = (
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
)


def lacking_apps() -> list[str]:
    """Return the apps that INSTALLED_APPS should have, and has not."""
    return [name for name in (*DJANGOS, *APPS) if not apps.is_installed(name)]


def check_apps(app_configs: Any = None, **_: Any) -> list[CheckMessage]:
    """Name each app that lacks."""
    return [
        Error(
            f"the app {name!r} is missing from INSTALLED_APPS",
            hint="INSTALLED_APPS += modelyard.embed.APPS; where the project has some of them already: "
            "INSTALLED_APPS += modelyard.embed.apps_for(INSTALLED_APPS)"
            if name in APPS
            else f'add "{name}" to INSTALLED_APPS',
            id="modelyard.E001",
        )
        for name in lacking_apps()
    ]
