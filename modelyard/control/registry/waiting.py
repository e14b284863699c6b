"""An answer that may wait until what was uploaded was examined."""

import threading
import time
from typing import Any

from django.db import connection
from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from modelyard.core.errors import InvalidInput

LONGEST_WAIT_SECONDS = 30.0
POLL_SECONDS = 0.1
MOST_WAITING = 32
_waiting = threading.BoundedSemaphore(MOST_WAITING)
"""Places of those who wait, each in a thread of this server."""
WAIT = OpenApiParameter("wait", OpenApiTypes.NUMBER, description="seconds, at most 30, to wait for the examination")


def wait_seconds(request: Request) -> float:
    """Return how long the caller would wait. Raises `InvalidInput` when that is too long, or no number."""
    text = request.query_params.get("wait", "0")
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= LONGEST_WAIT_SECONDS:
        raise InvalidInput.at("wait", f"got {text[:40]!r}, expected a number of seconds, 0 to {LONGEST_WAIT_SECONDS:g}")
    return seconds


def wait_while(rows: QuerySet[Any], seconds: float) -> None:
    """Come back when there are no such rows any more, or `seconds` have passed, or at once where as many wait as may.

    The connection is nobody's in the meantime.
    """
    until = time.monotonic() + seconds
    if not _waiting.acquire(blocking=False):
        return
    try:
        while time.monotonic() < until and rows.exists():
            if not connection.in_atomic_block:
                connection.close()
            time.sleep(POLL_SECONDS)
    finally:
        _waiting.release()
