"""What a batch of a version costs, as measured."""

DECAY = 0.1
OUTLIER = 8.0
"""A measurement counts at most this many times what was expected: one pause of the machine is soon forgotten."""


class Cost:
    """Seconds for a batch of n rows: an exponentially weighted mean for each power of two."""

    __slots__ = ("_means",)

    def __init__(self) -> None:
        self._means: list[float | None] = [None] * 32

    def measured(self, rows: int, seconds: float) -> None:
        """Learn from a run."""
        slot = min(rows.bit_length(), 31)
        mean = self._means[slot]
        if mean is None:
            self._means[slot] = seconds
        else:
            self._means[slot] = mean + DECAY * (min(seconds, mean * OUTLIER) - mean)

    def expected(self, rows: int) -> float:
        """Return the mean for batches of this size; else the next smaller's, scaled up with the rows; else infinity."""
        slot = min(rows.bit_length(), 31)
        mean = self._means[slot]
        if mean is not None:
            return mean
        for smaller in range(slot - 1, -1, -1):
            mean = self._means[smaller]
            if mean is not None:
                return mean * (1 << (slot - smaller))
        return float("inf")
