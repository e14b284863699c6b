"""Metrics by their names, and constraints as people write them."""

import pytest

from modelyard.core.errors import InvalidInput
from modelyard.core.metrics import Direction, amount, direction_of, nearest, parse_constraint


@pytest.mark.parametrize(
    ("text", "metric", "operator", "bound"),
    [
        ("p95_seconds<=0.005", "p95_seconds", "<=", 0.005),
        ("p95_seconds<=5ms", "p95_seconds", "<=", 0.005),
        ("p95_seconds < 250 us", "p95_seconds", "<", 0.00025),
        ("p95_seconds < 250µs", "p95_seconds", "<", 0.00025),
        ("size_bytes<=50MB", "size_bytes", "<=", 50_000_000),
        ("size_bytes<=50MiB", "size_bytes", "<=", 50 * 1024**2),
        ("size_bytes<=1.5kb", "size_bytes", "<=", 1500),
        ("size_bytes>2GB", "size_bytes", ">", 2e9),
        ("accuracy>=0.95", "accuracy", ">=", 0.95),
        ("accuracy >= 95%", "accuracy", ">=", 0.95),
        (" f1\t==.5 ", "f1", "==", 0.5),
        ("bias!=-1e-3", "bias", "!=", -0.001),
        ("mean latency<3", "mean latency", "<", 3),
        ("a<b<=3", "a<b", "<=", 3),
        ("F1 (größer)>+1.", "F1 (größer)", ">", 1),
    ],
)
def test_a_constraint_is_read(text: str, metric: str, operator: str, bound: float) -> None:
    found = parse_constraint(text)
    assert (found.metric, found.operator, found.bound) == (metric, operator, bound)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is none: expected a metric"),
        ("accuracy", "is none"),
        ("<=3", "is none"),
        ("accuracy=0.9", "one of <=, >=, ==, !=, <, >"),
        ("accuracy<=nan", "is none"),
        ("accuracy<=inf", "is none"),
        ("accuracy<=0x10", "`x10` is no unit|is none"),
        ("accuracy<=1e999", "too large"),
        ("accuracy<=3 4", "is none"),
        ("p95_seconds<=5MB", "`MB` is no unit of `p95_seconds`; expected one of s, ms, us"),
        ("size_bytes<=5ms", "`ms` is no unit of `size_bytes`; expected one of b, kb"),
        ("size_bytes<=5%", "`%` is no unit"),
        ("accuracy<=5ms", "expected one of %|a plain number, or %"),
        ("p95_second<=5ms", "did you mean `p95_seconds`?"),
        ("p95_seconds=<5ms", "`=<` is no operator: expected one of <=, >="),
        ("accuracy=>0.9", "`=>` is no operator: expected one of <=, >="),
        ("a" * 300 + "<=1", "303 characters, expected at most 200"),
    ],
)
def test_what_is_no_constraint_is_refused_with_what_is_one(text: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said) as refused:
        parse_constraint(text)
    assert refused.value.details["places"][0]["place"] == "constraints"


@pytest.mark.parametrize(
    ("operator", "below", "same", "above"),
    [
        ("<", True, False, False), ("<=", True, True, False), ("==", False, True, False), ("!=", True, False, True),
        (">=", False, True, True), (">", False, False, True),
    ],
)  # fmt: skip
def test_a_constraint_holds(operator: str, below: bool, same: bool, above: bool) -> None:
    constraint = parse_constraint(f"x{operator}2")
    assert [constraint.holds(value) for value in (1.9, 2.0, 2.1)] == [below, same, above]


def test_a_percentage_is_not_off_by_a_rounding() -> None:
    assert all(parse_constraint(f"x>={percent}%").holds(percent / 100) for percent in range(101))


@pytest.mark.parametrize(
    ("name", "direction"),
    [
        ("accuracy", "maximize"), ("Accuracy", "maximize"), ("test_f1_macro", "maximize"), ("val-AUC", "maximize"),
        ("roc_auc_ovr", "maximize"), ("r2", "maximize"), ("neg_log_loss", "maximize"),
        ("test_neg_mean_squared_error", "maximize"), ("log_loss", "minimize"), ("Log Loss", "minimize"),
        ("cv_rmse_mean", "minimize"), ("mean_absolute_error", "minimize"), ("p95_seconds", "minimize"),
        ("size_bytes", "minimize"), ("score", None), ("profit", None), ("", None), ("neg_profit", None),
    ],
)  # fmt: skip
def test_which_way_is_better(name: str, direction: str | None) -> None:
    assert direction_of(name) == direction


def test_better_is_strict() -> None:
    assert Direction.MAXIMIZE.better(2, 1)
    assert Direction.MINIMIZE.better(1, 2)
    assert not any(each.better(1, 1) for each in Direction)


def test_the_nearest_name_is_told_else_those_there_are() -> None:
    assert nearest("acuracy", ["f1", "accuracy"]) == "did you mean `accuracy`?"
    assert nearest("ACCURACY", ["Accuracy"]) == "did you mean `Accuracy`?"
    assert nearest("profit", ["f1", "recall"]) == "expected one of f1, recall"
    assert nearest("profit", [f"k{number:02}" for number in range(22)]).endswith(" k18, k19, or one of 2 more")
    assert nearest("profit", []) == "there are no metrics at all"


@pytest.mark.parametrize(
    ("metric", "value", "shown"),
    [
        ("p95_seconds", 0.00412, "4.12 ms"), ("p95_seconds", 4e-5, "40 µs"), ("p95_seconds", 1.5, "1.5 s"),
        ("p95_seconds", 0, "0 s"), ("p95_seconds", -0.002, "-2 ms"), ("size_bytes", 999, "999 B"),
        ("size_bytes", 1_234_567, "1.177 MiB"), ("size_bytes", -5e9, "-4.657 GiB"), ("accuracy", 0.97, "0.97"),
        ("accuracy", 0.9777777, "0.977778"),
    ],
)  # fmt: skip
def test_amounts_are_written_with_their_units(metric: str, value: float, shown: str) -> None:
    assert amount(metric, value) == shown
