"""The data plane's core in a process of the project: one, made when first asked for, stopped with the process.

Servers load a project before they fork (gunicorn's `--preload`), and threads do not come along: so nothing starts
while the project is loaded, and a child that finds a core of its parent's makes one of its own.
"""

import atexit
import os
import threading
from typing import Any

from django.conf import settings

from modelyard.config.predictor import InProcess
from modelyard.config.web import embedded_core
from modelyard.control.console.predictor import hand_in
from modelyard.control.tenancy.models import Tenant
from modelyard.core.errors import Misconfigured
from modelyard.core.settings import Settings
from modelyard.serving.core import Core

_core: Core | None = None
_lock = threading.Lock()


class Here:
    """Answers the console's try-it form by this process's core (`control.console.predictor.Predictor`)."""

    def predict(self, tenant: Tenant, reference: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
        found = core()
        return InProcess(found, found.settings.request_timeout_seconds).predict(tenant, reference, rows)

    def stored(self, tenant: Tenant, model: str, entity: str) -> dict[str, Any]:
        found = core()
        return InProcess(found, found.settings.request_timeout_seconds).stored(tenant, model, entity)


def answer_the_console() -> None:
    """Let the console ask this process's core, which is made when it does."""
    hand_in(Here())


def core() -> Core:
    """Return this process's core; the first caller makes it.

    Raises:
        Misconfigured: when its folders cannot be made.
    """
    global _core
    found = _core
    if found is not None:
        return found
    with _lock:
        if _core is None:
            _core = _started(settings.MODELYARD)
        return _core


def stop() -> None:
    """Finish what is under way, seal what was logged, and forget the core; the next question makes another."""
    global _core
    with _lock:
        found, _core = _core, None
    if found is not None:
        found.stop()


def make_home(ours: Settings) -> None:
    """Make the home folder, for the project's own user alone.

    Raises:
        Misconfigured: when it cannot be made.
    """
    try:
        ours.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise Misconfigured(f"MODELYARD['HOME']: {ours.home} cannot be made ({reason})") from error


def _started(ours: Settings) -> Core:
    make_home(ours)
    made = embedded_core(ours)
    answer_the_console()
    if made is None:
        raise AssertionError("in a project predictions are answered in process")
    made.start()
    return made


def _forget() -> None:
    """In a child: the parent's core has no threads here, and its lock may be held by one of them."""
    global _core, _lock
    _core, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
atexit.register(stop)
