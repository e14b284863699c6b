"""What is known of metrics by their names: which way is better, what was measured here, and constraints on them."""

import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from difflib import get_close_matches
from enum import StrEnum
from typing import NamedTuple

import msgspec

from modelyard.core.errors import InvalidInput

P95, SIZE = "p95_seconds", "size_bytes"
MEASURED = (P95, SIZE)
"""Known of every ready version: measured here. What whoever pushed told by such a name is not looked at."""

MAX_TEXT = 200


class Direction(StrEnum):
    """Which values of a metric are better."""

    MAXIMIZE = "maximize"
    MINIMIZE = "minimize"

    @property
    def word(self) -> str:
        return "larger" if self is Direction.MAXIMIZE else "smaller"

    def better(self, left: float, right: float) -> bool:
        """Tell whether `left` is better than `right`."""
        return left > right if self is Direction.MAXIMIZE else left < right


MAXIMIZED = frozenset(
    {
        "accuracy", "acc", "balanced_accuracy", "top_k_accuracy", "precision", "recall", "sensitivity",
        "specificity", "f1", "f1_score", "f2", "fbeta", "jaccard", "iou", "dice", "auc", "roc_auc", "auroc",
        "pr_auc", "auprc", "average_precision", "ap", "map", "mcc", "matthews_corrcoef", "cohen_kappa", "kappa",
        "r2", "r2_score", "adjusted_r2", "explained_variance", "ndcg", "mrr", "hit_rate", "silhouette", "gini",
        "ks", "lift",
    }
)  # fmt: skip
MINIMIZED = frozenset(
    {
        "loss", "log_loss", "logloss", "cross_entropy", "brier", "brier_score", "brier_score_loss", "ece",
        "hinge_loss", "zero_one_loss", "hamming_loss", "error", "error_rate", "mae", "mse", "rmse", "msle",
        "rmsle", "mape", "smape", "wape", "medae", "mean_absolute_error", "mean_squared_error",
        "root_mean_squared_error", "mean_absolute_percentage_error", "median_absolute_error", "max_error",
        "pinball_loss", "deviance", "latency", "p50_seconds", "p95_seconds", "p99_seconds", "size_bytes",
    }
)  # fmt: skip
"""Names, in lower case with underscores, without `BEFORE` and `AFTER`. What is in neither set has to be told."""

BEFORE = re.compile(r"(?:test|val|valid|validation|train|eval|cv|mean|oob)_")
AFTER = re.compile(r"_(?:macro|micro|weighted|samples|ovr|ovo|mean|test|val|cv)\Z")


def direction_of(name: str) -> Direction | None:
    """Return which way a well-known metric is better; None for one that is not.

    scikit-learn's negated scorers (`neg_log_loss`) are better when larger.
    """
    plain = re.sub(r"[\s-]+", "_", name.strip().lower())
    for _ in range(3):
        if plain in MAXIMIZED or (plain.startswith("neg_") and plain[4:] in MINIMIZED):
            return Direction.MAXIMIZE
        if plain in MINIMIZED:
            return Direction.MINIMIZE
        plain = AFTER.sub("", BEFORE.sub("", plain, count=1) if BEFORE.match(plain) else plain)
    return None


MOST_NAMED = 20


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the hint for a metric that nobody has: the nearest name, else some of those there are."""
    names = sorted(known)
    near = get_close_matches(name.lower(), {each.lower(): each for each in names}, 1, 0.5)
    if near:
        return f"did you mean `{next(each for each in names if each.lower() == near[0])}`?"
    more = f", or one of {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"expected one of {', '.join(names[:MOST_NAMED])}{more}" if names else "there are no metrics at all"


class Unit(NamedTuple):
    """`factor` leads to the metric's own unit, which its name ends in (`seconds`, `bytes`, or neither)."""

    of: str
    factor: Decimal


UNITS: Mapping[str, Unit] = {
    "s": Unit("seconds", Decimal(1)),
    "ms": Unit("seconds", Decimal("1e-3")),
    "us": Unit("seconds", Decimal("1e-6")),
    "µs": Unit("seconds", Decimal("1e-6")),
    "b": Unit("bytes", Decimal(1)),
    **{f"{letter}b": Unit("bytes", Decimal(1000) ** power) for power, letter in enumerate("kmgt", 1)},
    **{f"{letter}ib": Unit("bytes", Decimal(1024) ** power) for power, letter in enumerate("kmgt", 1)},
    "%": Unit("", Decimal("1e-2")),
}
"""Units, in lower case: `MB` is 10^6 bytes, `MiB` is 2^20. Decimal, so that 95 % is no more than 0.95."""

OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}
_CONSTRAINT = re.compile(
    r"\s*(?P<metric>.*\S)\s*(?P<operator><=|>=|==|!=|<|>)\s*"
    r"(?P<number>[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d{1,4})?)\s*(?P<unit>[A-Za-zµ%]{0,8})\s*\Z",
    re.DOTALL,
)


class Constraint(msgspec.Struct, frozen=True):
    """What a version must keep to: `bound` is in the metric's own unit. `text` is what was written."""

    text: str
    metric: str
    operator: str
    bound: float

    def holds(self, value: float) -> bool:
        return OPERATORS[self.operator](value, self.bound)


def parse_constraint(text: str) -> Constraint:
    """Read `p95_seconds<=5ms`, `size_bytes<50MiB`, `accuracy>=0.95` or `accuracy >= 95%`.

    Raises:
        InvalidInput: when it is none, or the unit does not fit the metric.
    """
    shown = text[:MAX_TEXT]
    if len(text) > MAX_TEXT:
        raise InvalidInput.at("constraints", f"{len(text)} characters, expected at most {MAX_TEXT}")
    found = _CONSTRAINT.match(text)
    if found is None:
        raise InvalidInput.at(
            "constraints",
            f"{shown!r} is none: expected a metric, one of {', '.join(OPERATORS)} and a number, as `p95_seconds<=5ms`, "
            "`size_bytes<=50MiB` or `accuracy>=0.95`",
        )
    metric = found["metric"]
    if slip := re.search(r"[=<>]+\Z", metric):
        operators = ", ".join(OPERATORS)
        raise InvalidInput.at(
            "constraints", f"{shown!r}: `{slip[0]}{found['operator']}` is no operator: expected one of {operators}"
        )
    bound = float(Decimal(found["number"]) * _factor(metric, found["unit"], shown))
    if not math.isfinite(bound):
        raise InvalidInput.at("constraints", f"{shown!r}: the number is too large")
    return Constraint(" ".join(text.split()), metric, found["operator"], bound)


def _factor(metric: str, text: str, shown: str) -> Decimal:
    if not text:
        return Decimal(1)
    kind = next((kind for kind in ("seconds", "bytes") if metric.endswith(kind)), "")
    unit = UNITS.get(text.lower())
    if unit is None or unit.of != kind:
        fitting = [name for name, each in UNITS.items() if each.of == kind]
        expected = f"expected one of {', '.join(fitting)}" if kind else "expected a plain number, or %"
        near = get_close_matches(metric, [name for name in MEASURED if unit and name.endswith(unit.of)], 1, 0.8)
        if near and not kind:
            expected = f"did you mean `{near[0]}`?"
        raise InvalidInput.at("constraints", f"{shown!r}: `{text}` is no unit of `{metric}`; {expected}")
    return unit.factor


def amount(metric: str, value: float) -> str:
    """Write a value of a metric for people: `4.2 ms`, `1.3 MiB`, `0.973`."""
    if metric.endswith("_seconds"):
        size = abs(value)
        factor, unit = (1, "s") if size >= 1 or value == 0 else (1e3, "ms") if size >= 1e-3 else (1e6, "µs")
        return f"{value * factor:.3g} {unit}"
    return bytes_amount(value) if metric.endswith("_bytes") else f"{value:.6g}"


def bytes_amount(count: float) -> str:
    """Write a number of bytes for people, in the units of IEC 80000-13: `512 B`, `1.5 KiB`, `23.44 MiB`."""
    for power, unit in ((4, "TiB"), (3, "GiB"), (2, "MiB"), (1, "KiB")):
        if abs(count) >= 1024**power:
            return f"{count / 1024**power:.4g} {unit}"
    return f"{count:g} B"
