"""Where we are: the address beneath which everything of ours lies, as a path and as users see it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.conf import settings
from django.urls import reverse

LIVE = "health/live"
_asked_at: ContextVar[str] = ContextVar("asked_at", default="")


def root() -> str:
    """Return the path beneath which our addresses lie, with a slash at its end: `/`, or `/ml/` in a project."""
    return reverse("modelyard-live").removesuffix(LIVE)


def public_url() -> str:
    """Return the control plane's address without a slash at its end: as it is set, else as the caller wrote it."""
    return str(settings.MODELYARD.public_url or _asked_at.get())


def predict_url() -> str:
    """Return the data plane's address without a slash at its end."""
    return str(settings.MODELYARD.predict_url or public_url())


@contextmanager
def asked_at(url: str) -> Iterator[None]:
    """Let addresses begin with `url` where the settings do not say how users reach us."""
    token = _asked_at.set(url.rstrip("/"))
    try:
        yield
    finally:
        _asked_at.reset(token)
