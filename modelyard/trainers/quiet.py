"""Fitting with one thread, and what libraries warn of kept instead of printed."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from modelyard.core.wording import one_line
from modelyard.trainers.trainer import Remark

_MOST = 20


@contextmanager
def quiet() -> Iterator[list[warnings.WarningMessage]]:
    """Give the list in which warnings end up. Linear algebra and OpenMP have one thread: with more, sums are added in
    another order each time."""
    from threadpoolctl import threadpool_limits

    with warnings.catch_warnings(record=True) as caught, threadpool_limits(1):
        warnings.simplefilter("always")
        yield caught


def remarks_of(caught: Sequence[warnings.WarningMessage]) -> list[Remark]:
    """Return what was warned of, each thing once."""
    found: dict[tuple[str, str], int] = {}
    for warning in caught:
        code = "not_converged" if warning.category.__name__ == "ConvergenceWarning" else "library"
        key = (code, one_line(warning.message, 300))
        found[key] = found.get(key, 0) + 1
    times = [(code, text, f" ({count} times)" if count > 1 else "") for (code, text), count in found.items()]
    return [Remark(code, f"{text}{count}") for code, text, count in times[:_MOST]]
