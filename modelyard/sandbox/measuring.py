"""How fast a version answers that is served from a child: measured through the child's own door, as it is served."""

from pathlib import Path
from typing import Any

import msgspec

from modelyard.core.errors import ModelyardError
from modelyard.core.signature import Signature
from modelyard.runtimes import parity
from modelyard.runtimes.timing import Timing, time_calls
from modelyard.sandbox.isolated import IsolatedRuntime
from modelyard.sandbox.limits import Limits

TOO_SLOW = "the calls that are measured took too long"
_CALL_SECONDS = 10.0


def measure_isolated(
    path: Path, signature: Signature, runtime: str, sample: list[dict[str, Any]], limits: Limits
) -> dict[str, Any]:
    """Serve the file from a child for a moment, and return what `measured` makes of it.

    The child only answers: the time is taken here, and cannot be forged by what the file holds. A version is not
    refused because it could not be measured.
    """
    try:
        batch = parity.from_rows(sample, signature)
    except (KeyError, TypeError, ValueError, OverflowError):
        return measured(None, "its sample rows do not fit its signature")
    try:
        served = IsolatedRuntime.load(path, signature, runtime=runtime, limits=limits.within(_CALL_SECONDS))
    except ModelyardError as error:
        return measured(None, error.message)
    except OSError:
        return measured(None, "the machine has no process, memory or disk left")
    try:
        return measured(time_calls(served.predict, batch), TOO_SLOW)
    except ModelyardError as error:
        return measured(None, error.message)
    finally:
        served.unload()


def measured(timing: Timing | None, reason: str = TOO_SLOW) -> dict[str, Any]:
    """Return seconds, calls and rows as JSON values; without them, why there are none."""
    if timing is None:
        return {"p50_seconds": None, "p95_seconds": None, "calls": 0, "rows": 0, "reason": reason[:500]}
    return msgspec.to_builtins(timing)  # type: ignore[no-any-return]
