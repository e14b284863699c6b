"""The web process under WSGI: as `modelyard.config.asgi`, for servers such as gunicorn."""

import atexit
import os
import threading
from collections.abc import Callable, Iterable
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "modelyard.config.settings")

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from modelyard.config.bounds import WsgiBound
from modelyard.config.plane import embedded_core
from modelyard.config.predictor import predictor_for
from modelyard.control.console.predictor import hand_in
from modelyard.core.settings import Settings
from modelyard.serving.core import Core
from modelyard.serving.doors.wsgi import WsgiDoor
from modelyard.serving.paths import is_data_path


class Web:
    """One WSGI application out of the two planes.

    The core starts with the first request: servers load the application before they fork, and its threads would not
    come along.
    """

    def __init__(self, django: Callable[..., Iterable[bytes]], core: Core | None) -> None:
        self.django = WsgiBound(django)
        self.core = core
        self.door = WsgiDoor(core) if core else None
        self._lock = threading.Lock()
        self._started_in: int | None = None

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if self.core and self._started_in != os.getpid():
            self._start(self.core)
        if self.door and is_data_path(environ.get("PATH_INFO", "").encode("latin-1").decode(errors="replace")):
            return self.door(environ, start_response)
        return self.django(environ, start_response)

    def _start(self, core: Core) -> None:
        with self._lock:
            if self._started_in != os.getpid():
                core.start()
                atexit.register(core.stop)
                self._started_in = os.getpid()


def compose(given: Settings) -> Web:
    """Put the web process together, and let the console ask its data plane."""
    django = get_wsgi_application()
    core = embedded_core(given)
    hand_in(predictor_for(given, core))
    return Web(django, core)


application = compose(settings.MODELYARD)
