"""Why a model exists and how it is looked after, in words and numbers that people agree on."""

import math
from datetime import date

import msgspec

from modelyard.core.errors import InvalidInput

MAX_TEXT = 20_000
MAX_THRESHOLDS = 50
MAX_TOLD = 50
MAX_NAME = 200


class Threshold(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a version must keep to: `at_least <= metric <= at_most`, both ends included, either may be absent."""

    metric: str
    at_least: float | None = None
    at_most: float | None = None


class Charter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is agreed of a model. Every field may be empty: a charter grows.

    Attributes:
        problem: what is predicted, for whom, and why.
        objective: what is to be reached, over what time.
        metric: the one by which versions are compared, by its name in their metrics.
        thresholds: what a version must keep to.
        may_change: what may change without a new agreement, and what may not.
        not_for: when and for what the model must not be used.
        told: who is told when something happens to it: names or addresses.
        next_review: the day by which all of this is looked at again.
    """

    problem: str = ""
    objective: str = ""
    metric: str = ""
    thresholds: tuple[Threshold, ...] = ()
    may_change: str = ""
    not_for: str = ""
    told: tuple[str, ...] = ()
    next_review: date | None = None


TEXTS = ("problem", "objective", "may_change", "not_for")


def check_charter(charter: Charter) -> Charter:
    """Return a charter that makes sense.

    Raises:
        InvalidInput: naming the field that does not.
    """
    for name in TEXTS:
        _check_text(getattr(charter, name), f"charter.{name}", MAX_TEXT)
    _check_line(charter.metric, "charter.metric")
    if len(charter.thresholds) > MAX_THRESHOLDS:
        raise InvalidInput.at("charter.thresholds", f"{len(charter.thresholds)}, expected at most {MAX_THRESHOLDS}")
    for index, threshold in enumerate(charter.thresholds):
        _check_threshold(threshold, f"charter.thresholds.{index}")
    if len(charter.told) > MAX_TOLD:
        raise InvalidInput.at("charter.told", f"{len(charter.told)}, expected at most {MAX_TOLD}")
    for index, name in enumerate(charter.told):
        _check_line(name, f"charter.told.{index}")
        if not name.strip():
            raise InvalidInput.at(f"charter.told.{index}", "expected a name or an address, got nothing")
    return charter


def _check_threshold(threshold: Threshold, place: str) -> None:
    _check_line(threshold.metric, f"{place}.metric")
    if not threshold.metric.strip():
        raise InvalidInput.at(f"{place}.metric", "expected a metric's name, as in 'accuracy'")
    low, high = threshold.at_least, threshold.at_most
    if low is None and high is None:
        raise InvalidInput.at(place, f"says nothing of {threshold.metric}: expected `at_least`, `at_most` or both")
    for name, value in (("at_least", low), ("at_most", high)):
        if value is not None and not math.isfinite(value):
            raise InvalidInput.at(f"{place}.{name}", f"got {value}, expected a finite number")
    if low is not None and high is not None and low > high:
        raise InvalidInput.at(place, f"nothing is at least {low:g} and at most {high:g}")


def _check_line(text: str, place: str) -> None:
    """Names stand one to a line wherever people type them."""
    _check_text(text, place, MAX_NAME)
    if text.splitlines() not in ([], [text]):
        raise InvalidInput.at(place, "holds a line break, expected one line")


def _check_text(text: str, place: str, maximum: int) -> None:
    if len(text) > maximum:
        raise InvalidInput.at(place, f"{len(text)} characters, expected at most {maximum}")
    if "\x00" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise InvalidInput.at(place, "holds a character that cannot be kept (zero, or half of a surrogate pair)")
