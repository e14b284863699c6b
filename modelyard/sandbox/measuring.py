"""How fast a version answers that is served from a child: measured through the child's own door, as it is served."""

from pathlib import Path
from typing import Any

import msgspec

from modelyard.core.errors import ModelFailed, ModelRefused, ModelyardError
from modelyard.core.signature import Signature
from modelyard.runtimes import parity
from modelyard.runtimes.timing import Timing, time_calls
from modelyard.sandbox.isolated import IsolatedRuntime
from modelyard.sandbox.limits import Limits

TOO_SLOW = "the calls that are measured took too long"
_CALL_SECONDS = 10.0


def measure_isolated(
    path: Path,
    signature: Signature,
    runtime: str,
    sample: list[dict[str, Any]],
    limits: Limits,
    python: Path | None = None,
) -> dict[str, Any]:
    """Serve the file from a child for a moment, with `python` one of that interpreter, and return what `measured` makes
    of it.

    The child only answers: the time is taken here, and cannot be forged by what the file holds. That it could not be
    measured refuses no version; that it does not load or fails here does: a data plane could never load it either.

    Raises:
        ModelRefused: it does not load, or fails on rows that it has answered when it was opened.
    """
    try:
        batch = parity.from_rows(sample, signature)
    except (KeyError, TypeError, ValueError, OverflowError):
        return measured(None, "its sample rows do not fit its signature")
    try:
        within = limits.within(_CALL_SECONDS)
        served = IsolatedRuntime.load(path, signature, runtime=runtime, limits=within, python=python)
    except ModelRefused:
        raise
    except ModelyardError as error:
        return measured(None, error.message)
    except OSError:
        return measured(None, "the machine has no process, memory or disk left")
    try:
        return measured(time_calls(served.predict, batch), TOO_SLOW)
    except ModelFailed as error:
        raise ModelRefused(f"the model fails on rows of its own: {error.message}") from None
    except ModelyardError as error:
        return measured(None, error.message)
    finally:
        served.unload()


def measured(timing: Timing | None, reason: str = TOO_SLOW) -> dict[str, Any]:
    """Return seconds, calls and rows as JSON values; without them, why there are none."""
    if timing is None:
        return {"p50_seconds": None, "p95_seconds": None, "calls": 0, "rows": 0, "reason": reason[:500]}
    return msgspec.to_builtins(timing)  # type: ignore[no-any-return]
