"""What a column holds, in the words of `core.table.Summary`."""

import math
from collections import Counter
from typing import Any

import numpy as np

from modelyard.core.table import BINS, MAX_TEXT, QUANTILES, TOP, Bins, Frequent, Summary
from modelyard.trainers.schema import FLAG, TEXT


def word_of(values: Any) -> str:
    """Return the type of a Series or array as `reading.frame_of` makes them."""
    kind = np.asarray(values).dtype
    if kind.kind == "O":
        first = next((value for value in values if value is not None), "")
        return FLAG if isinstance(first, bool | np.bool_) else TEXT
    return FLAG if kind.kind == "b" else str(kind) if kind.kind in "iuf" else TEXT


def summarised(name: str, values: Any) -> Summary:
    """Return the summary of a column of numbers, texts or truth values."""
    array = np.asarray(values)
    word = word_of(array)
    return _values(name, word, array) if word in (TEXT, FLAG) else _numbers(name, word, array)


def _values(name: str, word: str, array: np.ndarray) -> Summary:
    there = [value for value in array.tolist() if value is not None]
    counts = Counter(there)
    top = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))[:TOP]
    return Summary(
        name,
        word,
        len(there),
        len(array) - len(there),
        distinct=len(counts),
        top=[Frequent(value if isinstance(value, bool) else _shown(value), count) for value, count in top],
    )


def _shown(value: Any) -> str:
    return str(value).replace("\0", "\ufffd")[:MAX_TEXT]


def _numbers(name: str, word: str, array: np.ndarray) -> Summary:
    there = array[~np.isnan(array)]
    exact = there[np.isfinite(there)]
    finite = exact.astype(np.float64)
    given: dict[str, Any] = {"infinite": len(there) - len(finite), "quantiles": {}}
    if len(finite):
        low, high = number(exact.min(), word), number(exact.max(), word)
        with np.errstate(over="ignore", invalid="ignore"):
            quantiles = np.quantile(finite, QUANTILES)
            std = float(finite.std(ddof=1)) if len(finite) > 1 else math.nan
            mean = float(finite.mean())
        given |= {
            "mean": _finite(mean),
            "std": _finite(std),
            "min": low,
            "max": high,
            "quantiles": {f"{part:g}": _finite(float(at)) for part, at in zip(QUANTILES, quantiles, strict=True)},
            "histogram": _histogram(finite),
        }
    return Summary(name, word, len(there), len(array) - len(there), **given)


def number(value: Any, word: str) -> int | float:
    """Return a number as JSON has it, whole where the type is."""
    return int(value) if "int" in word else float(value)


def _histogram(finite: np.ndarray) -> Bins | None:
    low, high = float(finite.min()), float(finite.max())
    if not math.isfinite(high - low):
        return None
    if low == high:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, BINS + 1)
    if not np.all(np.diff(edges) > 0):  # too near to one another for 20 bins between them
        return None
    return Bins(edges.tolist(), np.histogram(finite, bins=edges)[0].tolist())


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
