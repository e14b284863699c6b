"""Short messages that the next page shows, with a way to undo what they tell of.

They wait in the session. Django's own messages carry no undo, and would need it packed into their tags.
"""

from typing import TypedDict

from django.http import HttpRequest

KEY = "modelyard_toasts"
"""In the session, which may be shared with a project's own pages."""
MAX_WAITING = 5
MAX_TEXT = 600


class Toast(TypedDict):
    """`kind` is good or bad; `undo` is the address to POST to, or empty."""

    text: str
    kind: str
    undo: str


def say(request: HttpRequest, text: str, *, kind: str = "good", undo: str = "") -> None:
    """Keep a message for the next page that this person sees."""
    toast = Toast(text=text[:MAX_TEXT], kind=kind, undo=undo)
    request.session[KEY] = [*request.session.get(KEY, []), toast][-MAX_WAITING:]


def take(request: HttpRequest) -> list[Toast]:
    """Return what waits, once."""
    waiting: list[Toast] = request.session.get(KEY, [])
    if waiting:
        del request.session[KEY]
    return waiting
