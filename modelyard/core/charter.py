"""Why a model exists and how it is looked after, in words and numbers that people agree on."""

import math
from collections.abc import Collection, Mapping
from datetime import date
from typing import Any

import msgspec

from modelyard.core.errors import InvalidInput
from modelyard.core.metrics import amount, nearest
from modelyard.core.texts import check_text

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
        check_text(getattr(charter, name), f"charter.{name}", MAX_TEXT)
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


def charter_from(value: Any) -> Charter:
    """Return the charter that `value`, of JSON's types, says.

    Raises:
        InvalidInput: naming the field that does not fit.
    """
    try:
        return check_charter(msgspec.convert(value, Charter))
    except msgspec.ValidationError as error:
        said = str(error).replace("Invalid RFC3339 encoded date", "expected a day, as 2027-03-01")
        raise InvalidInput.at("charter", said) from None


def doubts(charter: Charter, known: Collection[str], today: date) -> list[str]:
    """Return what is agreed on and yet looks like a slip. `known`: the versions' metrics; none while there is none."""
    named = dict.fromkeys([charter.metric, *(threshold.metric for threshold in charter.thresholds)])
    unknown = [name for name in named if name and known and name not in known]
    said = [f"no version has the metric `{name}`; {nearest(name, known)}" for name in unknown]
    if charter.next_review is not None and charter.next_review < today:
        said.append(f"the next review, {charter.next_review}, is past")
    return said


def shortfalls(charter: Charter, values: Mapping[str, float]) -> list[str]:
    """Return which thresholds a version of these values does not keep to, and by what."""
    said = []
    for threshold in charter.thresholds:
        name, low, high = threshold.metric, threshold.at_least, threshold.at_most
        bounds = [f"at least {amount(name, low)}"] if low is not None else []
        bounds += [f"at most {amount(name, high)}"] if high is not None else []
        value = values.get(name)
        if value is None:
            said.append(f"it has no `{name}`, of which the charter asks for {' and '.join(bounds)}")
        elif low is not None and value < low:
            said.append(f"{name} is {amount(name, value)}, the charter asks for {bounds[0]}")
        elif high is not None and value > high:
            said.append(f"{name} is {amount(name, value)}, the charter asks for {bounds[-1]}")
    return said


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
    check_text(text, place, MAX_NAME)
    if text.splitlines() not in ([], [text]):
        raise InvalidInput.at(place, "holds a line break, expected one line")
