"""How large a fitted model may be, which is told before the last fit: a forest's takes minutes."""

import pickle
from contextvars import ContextVar
from typing import Any

from modelyard.core.errors import TooLarge
from modelyard.core.metrics import bytes_amount

PROTOCOL = 4
"""Of the pickle. Readable by every supported release of Python; the same object gives the same bytes."""
MOST_BYTES: ContextVar[int] = ContextVar("most_bytes", default=0)
"""That the model's files may have where it is trained; 0: no bound."""


class _Full(Exception):
    """More was written than the sink takes."""


class _Sink:
    """Counts what is written, and keeps nothing."""

    def __init__(self, most: int) -> None:
        self._left = most

    def write(self, data: bytes) -> int:
        self._left -= len(data)
        if self._left < 0:
            raise _Full
        return len(data)


def check_size(estimator: Any, smaller: str) -> None:
    """Let pass a fitted estimator that may be kept; `smaller` says what makes it so.

    Raises:
        TooLarge: when its pickle has more than `MOST_BYTES`.
    """
    most = MOST_BYTES.get()
    if not most:
        return
    try:
        pickle.dump(estimator, _Sink(most), protocol=PROTOCOL)
    except _Full:
        raise too_large(most, smaller) from None


def too_large(most: int, smaller: str) -> TooLarge:
    """Return the refusal of a model that is larger than `most` bytes."""
    setting = "MODELYARD_MAX_UPLOAD_BYTES"
    return TooLarge(
        f"the fitted model is larger than the {bytes_amount(most)} that a version may have: {smaller}, or have the "
        f"operator allow more by the setting {setting}",
        max_bytes=most,
        setting=setting,
    )
