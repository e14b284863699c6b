"""Candidates and the best of them: pure steps, the same for the same parameters."""

from typing import Any

import pytest

from modelyard.core.errors import InvalidInput
from modelyard.trainers.parameters import read
from modelyard.trainers.tabular.parameters import TabularParameters
from modelyard.trainers.tabular.searching import MOST_PARTS, Score, best, candidates, cuts


def asked(method: str, space: dict[str, Any], **more: Any) -> TabularParameters:
    search = {"method": method, "space": space, **more.pop("search", {})}
    given = {"target": "y", "estimator": "RandomForestClassifier", "search": search, **more}
    return read(TabularParameters, given)


def score(number: int, value: float | None, metric: str = "accuracy") -> Score:
    return Score(number, {"n_estimators": number}, metric, value, failure=None if value is not None else "too deep")


def test_a_grid_is_every_combination_the_last_parameter_fastest() -> None:
    found = candidates(asked("grid", {"max_depth": [2, 4], "criterion": ["gini", "entropy"]}))
    assert [(one.number, *one.parameters.values()) for one in found] == [
        (0, 2, "gini"), (1, 2, "entropy"), (2, 4, "gini"), (3, 4, "entropy"),
    ]  # fmt: skip


def test_a_grid_that_is_too_large_is_refused() -> None:
    space = {"max_depth": [1, 2, 3], "min_samples_leaf": [1, 2, 3]}
    with pytest.raises(InvalidInput, match="the grid has 9 combinations, `count` allows 8"):
        candidates(asked("grid", space, search={"count": 8}))


def test_random_draws_are_the_seeds_and_within_their_ranges() -> None:
    space = {
        "n_estimators": {"low": 5, "high": 500, "log": True},
        "min_samples_leaf": [1, 2],
        "max_features": {"low": 0.1, "high": 0.9},
    }
    first, again = (candidates(asked("random", space, search={"count": 200})) for _ in range(2))
    assert first == again
    assert first != candidates(asked("random", space, search={"count": 200}, seed=1))
    trees = [one.parameters["n_estimators"] for one in first]
    assert all(isinstance(count, int) and 5 <= count <= 500 for count in trees)
    assert 30 < sorted(trees)[len(trees) // 2] < 80  # evenly from the logarithms: 50; from the numbers: 250
    assert all(0.1 <= one.parameters["max_features"] <= 0.9 for one in first)
    assert {one.parameters["min_samples_leaf"] for one in first} == {1, 2}


def test_equal_draws_are_taken_once() -> None:
    found = candidates(asked("random", {"max_depth": [1, 2, 3]}, search={"count": 100}))
    assert sorted(one.parameters["max_depth"] for one in found) == [1, 2, 3]
    assert [one.number for one in found] == [0, 1, 2]


def test_no_search_has_no_candidates() -> None:
    with pytest.raises(InvalidInput, match="expected a method and a space"):
        candidates(read(TabularParameters, {"target": "y"}))


def test_the_best_is_told_in_the_metrics_own_direction() -> None:
    values = [(0, 0.5), (1, 0.9), (2, 0.7)]
    assert best([score(*one) for one in values]).number == 1
    assert best([score(*one, metric="rmse") for one in values]).number == 0


def test_of_equal_scores_the_first_candidate_is_the_best_in_whatever_order_they_come() -> None:
    assert best([score(3, 0.9), score(1, 0.9), score(2, 0.9)]).number == 1


def test_what_could_not_be_measured_is_never_the_best() -> None:
    assert best([score(0, None), score(1, 0.1)]).number == 1
    with pytest.raises(InvalidInput, match="no candidate could be measured: too deep"):
        best([score(0, None)])


def test_each_reason_is_told_once_when_nothing_could_be_measured() -> None:
    with pytest.raises(InvalidInput, match=r"too deep \(2 times\); no room"):
        best([score(0, None), Score(1, {}, "accuracy", None, failure="no room"), score(2, None)])


def test_a_search_is_spread_once_its_fits_read_a_million_rows() -> None:
    given = asked("grid", {"max_depth": [1, 2, 3, 4, 5]}, search={"folds": 4})
    assert cuts(given, 49_999) == []  # 5 candidates x 4 folds x rows
    assert cuts(given, 50_000) == [(0, 2), (2, 5)]
    assert cuts(given, 10**9) == [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)]
    assert cuts(read(TabularParameters, {"target": "y"}), 10**9) == []


def test_a_search_has_so_many_parts_at_most_and_each_candidate_once() -> None:
    given = asked("random", {"n_estimators": {"low": 5, "high": 5000}}, search={"count": 500})
    found = cuts(given, 10**6)
    assert len(found) == MOST_PARTS
    assert [number for first, last in found for number in range(first, last)] == list(range(len(candidates(given))))
    sizes = {last - first for first, last in found}
    assert max(sizes) - min(sizes) <= 1


def test_rows_that_are_not_read_do_not_count() -> None:
    space, few = {"max_depth": [1, 2, 3, 4, 5]}, {"max_rows": 1_000}
    assert cuts(asked("grid", space, **few), 10**9) == []
