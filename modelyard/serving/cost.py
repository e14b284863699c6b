"""What a batch of a version costs, as measured: seconds of its thread's processor time.

What disturbs a measurement only ever adds to it, so the estimate follows cheap runs at once and dear ones slowly.
It is not of the clock, which on a busy machine also counts others' work: a quick model would be sent to a thread just
when crossing to one is dearest. A runtime that may wait or use threads of its own never runs inline.
"""

FALL = 0.5
RISE = 0.02
OUTLIER = 8.0
"""A measurement counts at most this many times what was expected: one pause of the machine is soon forgotten."""


class Cost:
    """Seconds for a batch of n rows: a weighted mean, near the low end, for each power of two."""

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
            weight = FALL if seconds < mean else RISE
            self._means[slot] = mean + weight * (min(seconds, mean * OUTLIER) - mean)

    def expected(self, rows: int) -> float:
        """Return the mean for batches of this size; else what the nearest smaller and larger ones allow; else infinity.

        A batch costs no more than a larger one, nor more a row than a smaller one.
        """
        slot = min(rows.bit_length(), 31)
        mean = self._means[slot]
        if mean is not None:
            return mean
        bounds = [mean for mean in self._means[slot + 1 :] if mean is not None][:1]
        for smaller in range(slot - 1, -1, -1):
            mean = self._means[smaller]
            if mean is not None:
                bounds.append(mean * (1 << (slot - smaller)))
                break
        return min(bounds, default=float("inf"))
