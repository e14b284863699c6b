"""Modelyard inside somebody's Django project.

In the project's settings::

    import modelyard.embed

    INSTALLED_APPS += modelyard.embed.APPS
    MODELYARD = {"HOME": BASE_DIR / "var" / "modelyard"}

and in its addresses: `path("ml/", include("modelyard.embed.urls"))`. See docs/django.md.
"""

from collections.abc import Iterable

__all__ = ["APPS", "apps_for"]

APPS = [
    "modelyard.embed",
    "modelyard.control.tenancy",
    "modelyard.control.jobs",
    "modelyard.control.registry",
    "modelyard.control.precomputed",
    "modelyard.control.training",
    "modelyard.control.scoring",
    "modelyard.control.schedules",
    "modelyard.control.deployments",
    "modelyard.control.console",
    "django_filters",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]
"""What goes to the end of INSTALLED_APPS."""


def apps_for(installed: Iterable[str]) -> list[str]:
    """Return those of `APPS` that are not among `installed`: Django takes no app twice, and many projects have some."""
    there = {name.partition(".apps.")[0] for name in installed}
    return [app for app in APPS if app not in there]
