import math
from datetime import date
from typing import Any

import msgspec
import pytest

from modelyard.core.charter import Charter, Threshold, charter_from, check_charter, doubts, shortfalls
from modelyard.core.errors import InvalidInput


def test_a_whole_charter_goes_to_json_and_back() -> None:
    charter = Charter(
        problem="Who leaves?",
        objective="a tenth fewer by spring",
        metric="f1",
        thresholds=(Threshold(metric="f1", at_least=0.8), Threshold(metric="p95_seconds", at_most=0.005)),
        may_change="features, not the label",
        not_for="prices",
        told=("ada",),
        next_review=date(2027, 3, 1),
    )
    assert check_charter(charter) is charter
    assert msgspec.json.decode(msgspec.json.encode(charter), type=Charter) == charter


def test_an_empty_charter_is_one() -> None:
    assert check_charter(Charter()) == Charter()
    assert msgspec.json.encode(Charter()) == b"{}"


@pytest.mark.parametrize(
    ("fields", "place", "said"),
    [
        ({"problem": "x" * 20_001}, "charter.problem", "20001 characters"),
        ({"not_for": "zero \x00"}, "charter.not_for", "cannot be kept"),
        ({"metric": "m" * 201}, "charter.metric", "at most 200"),
        ({"told": ["ada", " "]}, "charter.told.1", "expected a name"),
        ({"told": ["a"] * 51}, "charter.told", "at most 50"),
        ({"thresholds": [{"metric": "a", "at_least": 1.0}] * 51}, "charter.thresholds", "at most 50"),
        ({"thresholds": [{"metric": " ", "at_least": 1.0}]}, "charter.thresholds.0.metric", "expected a metric"),
        ({"thresholds": [{"metric": "f1"}]}, "charter.thresholds.0", "says nothing of f1"),
        ({"thresholds": [{"metric": "f1", "at_least": 2.0, "at_most": 1.0}]}, "charter.thresholds.0", "nothing is"),
    ],
)
def test_what_makes_no_sense_is_named(fields: dict[str, Any], place: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said) as caught:
        check_charter(msgspec.convert(fields, Charter))
    assert caught.value.details["places"][0]["place"] == place


@pytest.mark.parametrize("bound", [math.inf, -math.inf, math.nan])
def test_bounds_are_finite(bound: float) -> None:
    with pytest.raises(InvalidInput, match="finite"):
        check_charter(Charter(thresholds=(Threshold(metric="f1", at_most=bound),)))


@pytest.mark.parametrize(
    "charter",
    [
        Charter(metric="a\nb"),
        Charter(told=("ada\r\nbob",)),
        Charter(thresholds=(Threshold(metric="a\u2028b", at_least=1),)),
    ],
)
def test_names_keep_to_one_line(charter: Charter) -> None:
    with pytest.raises(InvalidInput, match="line break"):
        check_charter(charter)


def test_a_day_that_is_none_is_told_in_our_words() -> None:
    with pytest.raises(InvalidInput) as refused:
        charter_from({"next_review": "tomorrow"})
    assert refused.value.message == "charter: expected a day, as 2027-03-01 - at `$.next_review`"


@pytest.mark.parametrize(
    ("charter", "said"),
    [
        (Charter(), []),
        (Charter(metric="accuracy", next_review=date(2027, 3, 1)), []),
        (Charter(metric="acuracy"), ["no version has the metric `acuracy`; did you mean `accuracy`?"]),
        (
            Charter(thresholds=(Threshold(metric="acuracy", at_least=0.9), Threshold(metric="p95_seconds", at_most=1))),
            ["no version has the metric `acuracy`; did you mean `accuracy`?"],
        ),
        (Charter(next_review=date(2027, 2, 28)), ["the next review, 2027-02-28, is past"]),
    ],
)
def test_what_is_doubtful_is_told(charter: Charter, said: list[str]) -> None:
    assert doubts(charter, {"accuracy", "p95_seconds"}, date(2027, 3, 1)) == said


def test_a_metric_is_no_slip_before_there_is_any_version() -> None:
    assert doubts(Charter(metric="accuracy"), set(), date(2027, 3, 1)) == []


def test_what_a_version_does_not_keep_to_is_told() -> None:
    charter = Charter(
        thresholds=(
            Threshold(metric="accuracy", at_least=0.95, at_most=1.0),
            Threshold(metric="p95_seconds", at_most=0.005),
            Threshold(metric="recall", at_least=0.5),
        )
    )
    assert shortfalls(charter, {"accuracy": 0.95, "p95_seconds": 0.005, "recall": 0.5}) == []
    assert shortfalls(charter, {"accuracy": 0.847, "p95_seconds": 0.03}) == [
        "accuracy is 0.847, the charter asks for at least 0.95",
        "p95_seconds is 30 ms, the charter asks for at most 5 ms",
        "it has no `recall`, of which the charter asks for at least 0.5",
    ]
