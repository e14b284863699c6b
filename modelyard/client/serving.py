"""Whether the data plane follows what was decided."""

import time
from collections.abc import Callable

from modelyard.client.transport import Transport
from modelyard.core.errors import Conflict, ModelyardError, NotFound, Unauthenticated, Unavailable

POLL_SECONDS = 0.05
SERVED_SECONDS = 10.0
LOADED_SECONDS = 30.0


def await_served(data: Transport, reference: str, number: int | None) -> None:
    """Return when `reference` is answered by the version `number` (None: by none) without a load before.

    Returns too when the data plane will not tell, and when it takes longer than 10 seconds to hear of the change, or
    30 more to load: the change holds nevertheless.
    """
    if await_named(data, reference, number) and number is not None:
        _becomes_true(lambda: _is_loaded(data, reference), LOADED_SECONDS)


def await_named(data: Transport, reference: str, number: int | None) -> bool:
    """Return when the data plane knows `reference` as the version `number`; False after 10 seconds without."""
    return _becomes_true(lambda: _is_named(data, reference, number), SERVED_SECONDS)


def _becomes_true(check: Callable[[], bool], seconds: float) -> bool:
    """Ask until the answer is yes, for some seconds."""
    end = time.monotonic() + seconds
    while not check():
        if time.monotonic() > end:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _is_named(data: Transport, reference: str, number: int | None) -> bool:
    try:
        document = data.get(f"/predict/{reference}")
        return bool(document["info"]["version"] == str(number))
    except (Conflict, NotFound):
        return number is None
    except (Unauthenticated, Unavailable):
        return False  # a key may be younger than what the data plane knows
    except (ModelyardError, KeyError, TypeError, ValueError):
        return True


def _is_loaded(data: Transport, reference: str) -> bool:
    """Tell whether a request would be answered without a load; where not, asking begins one."""
    try:
        data.send("GET", f"/v2/models/{reference}/ready")
    except Unavailable:
        return False
    except ModelyardError:
        return True
    return True
