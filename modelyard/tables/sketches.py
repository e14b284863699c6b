"""What is kept of a column of any length in a bounded space: exact up to a bound, then an estimate that says so.

- Quantiles: a uniform sample of the values, those with the smallest random keys (the order of Vitter, "Random sampling
  with a reservoir", ACM TOMS 11, 1985, section 1, with a fixed seed). The standard error of the rank of a quantile q is
  sqrt(q (1 - q) / MOST_VALUES), at most 0.14 %.
- Distinct values: the `MOST_HASHES` smallest hashes (Bar-Yossef et al., "Counting distinct elements in a data stream",
  RANDOM 2002, algorithm 1; the unbiased form of Beyer et al., SIGMOD 2007). The standard error is about 1.6 %.
- Frequent values: counters, of which the rarest go when there are too many (Misra and Gries, "Finding repeated
  elements", 1982): a count is then too small by at most what was taken off.
"""

import hashlib
import heapq
from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np

MOST_VALUES = 1 << 17
MOST_DISTINCT = 1 << 16
_COUNTERS = 1 << 13
MOST_HASHES = 4096
SEED = 0
_KEPT_TEXT = 200


class ValueSample:
    """Of numbers: all of them up to `MOST_VALUES`, then as many, drawn uniformly. The same values, in the same order,
    give the same sample."""

    def __init__(self) -> None:
        self._random = np.random.default_rng(SEED)
        self._values = np.empty(0)
        self._keys = np.empty(0)
        self.seen = 0

    @property
    def is_whole(self) -> bool:
        return self.seen <= MOST_VALUES

    @property
    def values(self) -> np.ndarray:
        """Return the sample `(n,) float64`."""
        return self._values

    def add(self, values: np.ndarray) -> None:
        """Take in float64 values `(n,)`."""
        self.seen += len(values)
        keys = self._random.random(len(values))
        if len(self._keys) == MOST_VALUES:
            chosen = keys < self._keys.max()
            keys, values = keys[chosen], values[chosen]
        self._values = np.concatenate([self._values, values])
        self._keys = np.concatenate([self._keys, keys])
        if len(self._keys) > MOST_VALUES:
            kept = np.sort(np.argpartition(self._keys, MOST_VALUES)[:MOST_VALUES])
            self._values, self._keys = self._values[kept], self._keys[kept]


class ValueCounts:
    """Of texts and truth values: how many distinct ones, and which are most frequent."""

    def __init__(self) -> None:
        self._counts: Counter[str | bool] = Counter()
        self._hashes: set[int] = set()
        self._largest = 1 << 64
        self.is_whole = True

    @property
    def distinct(self) -> int:
        """Return how many distinct values there were; an estimate where not all could be counted."""
        if self.is_whole:
            return len(self._counts)
        return round((MOST_HASHES - 1) / (max(self._hashes) / 2**64))

    def most_common(self, most: int) -> list[tuple[str | bool, int]]:
        """Return the most frequent values with their counts; among equals, in the order of the values."""
        return heapq.nsmallest(most, self._counts.items(), key=lambda item: (-item[1], str(item[0])))

    def add(self, counts: Mapping[str | bool, int]) -> None:
        """Take in values, each with how often it came."""
        self._hash(counts)
        for value, count in counts.items():
            self._counts[_short(value)] += count
        if len(self._counts) > MOST_DISTINCT:
            self._prune()

    def _prune(self) -> None:
        self.is_whole = False
        taken_off = sorted(self._counts.values(), reverse=True)[_COUNTERS]
        kept = {value: count - taken_off for value, count in self._counts.items() if count > taken_off}
        self._counts = Counter(kept)

    def _hash(self, values: Iterable[str | bool]) -> None:
        for value in values:
            digest = hashlib.blake2b(str(value).encode(), digest_size=8).digest()
            number = int.from_bytes(digest, "big")
            if number < self._largest:
                self._hashes.add(number)
        if len(self._hashes) > MOST_HASHES:
            self._hashes = set(sorted(self._hashes)[:MOST_HASHES])
            self._largest = max(self._hashes)


def _short(value: str | bool) -> str | bool:
    """Return a value as it is kept; of a long text the beginning, and a digest that tells it from its like."""
    if isinstance(value, bool) or len(value) <= _KEPT_TEXT:
        return value
    digest = hashlib.blake2b(value.encode(), digest_size=8).hexdigest()
    return f"{value[: _KEPT_TEXT - 20]}… ({digest})"
