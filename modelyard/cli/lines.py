"""Where the lines go that the processes of `modelyard up` write."""

import json
import logging
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path

COLOURS = {"web": 36, "worker": 33, "tend": 35, "serve": 32}
FILE = "up.log"
MAX_BYTES = 10 << 20
QUIET = frozenset({"debug", "info"})
OF_REQUESTS = frozenset({"django.request", "django_structlog.middlewares.request"})


def show(name: str, line: str) -> None:
    """Print a line on standard error."""
    colour = COLOURS.get(name) if sys.stderr.isatty() else None
    label = f"\x1b[{colour}m{name:6} |\x1b[0m" if colour else f"{name:6} |"
    print(f"{label} {line}\n", end="", file=sys.stderr, flush=True)


class Kept:
    """Keeps all lines in a file of the home, 20 MiB at most with the one before, and shows only what is no routine."""

    def __init__(self, file: Path) -> None:
        self._handler = RotatingFileHandler(file, maxBytes=MAX_BYTES, backupCount=1, encoding="utf-8")

    def __call__(self, name: str, line: str) -> None:
        record = logging.LogRecord(name, logging.INFO, "", 0, f"{name:6} | {line}", None, None)
        self._handler.handle(record)
        if not is_routine(line):
            show(name, line)

    def close(self) -> None:
        """Close the file."""
        self._handler.close()


def is_routine(line: str) -> bool:
    """Tell whether a line is an event below a warning, or of a request that was refused; no event is none.

    A refusal is told to whoever asked; what breaks here, 500 and above, is shown.
    """
    try:
        event = json.loads(line)
    except ValueError:
        return not line.strip()
    if not isinstance(event, dict):
        return False
    status = event.get("code", event.get("status_code"))
    refused = event.get("logger") in OF_REQUESTS and isinstance(status, int) and 400 <= status < 500
    return refused or event.get("level") in QUIET
