"""How long one row takes, measured where it will be served or in a process like it."""

import time
from collections.abc import Callable
from typing import Annotated

import msgspec
from msgspec import Meta

from modelyard.core.tensors import Answer, Batch, take

SAMPLE_ROWS = 8
"""As many as are kept with a version: the first of the sample, else of the rows that were made up."""
WARM_UP_CALLS = 20
CALLS = 400
LEAST_CALLS = 20
SECONDS, MOST_SECONDS = 2.0, 10.0
"""No call begins later than the first once there were `LEAST_CALLS`, and none at all after the second."""

_Seconds = Annotated[float, Meta(ge=0, le=3600)]
_Count = Annotated[int, Meta(ge=0, le=10_000_000)]


class Timing(msgspec.Struct, frozen=True):
    """Seconds of calls with one row each, after a warm-up.

    Attributes:
        p50_seconds: half of the calls took no longer (nearest rank).
        p95_seconds: 95 % of them did not.
        calls: that were measured.
        rows: different ones, taken in turn.
    """

    p50_seconds: _Seconds
    p95_seconds: _Seconds
    calls: _Count
    rows: _Count


def time_calls(predict: Callable[[Batch], Answer], batch: Batch) -> Timing | None:
    """Call `predict` with one row of `batch` at a time; None when it was too slow for `LEAST_CALLS`.

    Raises:
        ModelFailed: when `predict` does.
    """
    count = min(SAMPLE_ROWS, batch.n_rows)
    rows = [take(batch, slice(index, index + 1)) for index in range(count)]
    began = time.perf_counter()
    _calls(predict, rows, WARM_UP_CALLS, began)
    began = time.perf_counter()
    taken = sorted(_calls(predict, rows, CALLS, began))
    if len(taken) < LEAST_CALLS:
        return None
    return Timing(_rank(taken, 50), _rank(taken, 95), len(taken), count)


def _calls(predict: Callable[[Batch], Answer], rows: list[Batch], most: int, began: float) -> list[float]:
    taken: list[float] = []
    for number in range(most):
        start = time.perf_counter()
        if start - began > (SECONDS if len(taken) >= LEAST_CALLS else MOST_SECONDS):
            break
        predict(rows[number % len(rows)])
        taken.append(time.perf_counter() - start)
    return taken


def _rank(ordered: list[float], percent: int) -> float:
    """Return the nearest-rank percentile: the smallest value that `percent` of 100 do not exceed."""
    place = -(-len(ordered) * percent // 100)
    return ordered[max(0, place - 1)]
