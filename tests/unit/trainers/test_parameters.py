"""Parameters as JSON: read into what a trainer declares, refused with a place and a hint, described."""

from typing import Any

import pytest

from modelyard.core.errors import InvalidInput
from modelyard.trainers.function import FunctionParameters
from modelyard.trainers.parameters import read, schema_of
from modelyard.trainers.tabular.parameters import Range, TabularParameters


def test_what_is_not_given_is_its_default() -> None:
    found = read(TabularParameters, {"target": "species"})
    assert (found.holdout, found.refit, found.seed, found.max_rows) == (0.2, "all", 0, 1_000_000)


def test_a_space_holds_lists_and_ranges() -> None:
    given = {"target": "y", "search": {"method": "random", "space": {"C": {"low": 0.1, "high": 10}, "tol": [0.1]}}}
    search = read(TabularParameters, given).search
    assert search is not None
    assert search.space == {"C": Range(0.1, 10), "tol": [0.1]}


@pytest.mark.parametrize(
    ("given", "place", "said"),
    [
        ({"target": "y", "hold_out": 0.5}, "parameters.hold_out", "did you mean `holdout`"),
        ({}, "parameters.target", "it must be given"),
        ({"target": "y", "search": {"method": "grid"}}, "parameters.search.space", "it must be given"),
        ({"target": "y", "holdout": 1.5}, "parameters.holdout", "got 1.5, expected a number from 0.01 to 0.9"),
        ({"target": "y", "seed": -1}, "parameters.seed", "expected a whole number from 0 to 4294967295"),
        ({"target": "y", "seed": "1"}, "parameters.seed", "got '1', expected a whole number from 0 to"),
        (
            {"target": "y", "scale": "log"},
            "parameters.scale",
            "got 'log', expected minmax or none or robust or",
        ),
        (
            {"target": "y", "search": {"method": "bayes", "space": {"C": [1]}}},
            "parameters.search.method",
            "got 'bayes', expected grid or random",
        ),
        ({"target": "y", "search": "grid"}, "parameters.search", "got 'grid', expected an object of method, space, "),
        (
            {"target": "y", "features": "bill"},
            "parameters.features",
            """got 'bill', expected a list or null; did you mean `["bill"]`?""",
        ),
        ({"target": "y", "features": [1]}, "parameters.features[0]", "got 1, expected a text"),
        ({"target": "y", "folds": 1}, "parameters.folds", "expected a whole number from 2 to 20 or null"),
        (
            {"target": "y", "search": {"space": {"C": [1]}, "count": 0}},
            "parameters.search.count",
            "got 0, expected a whole number from 1 to 1000",
        ),
        (
            {"target": "y", "estimator": "ElasticNet", "alpha": 1},
            "parameters.alpha",
            'which goes one level deeper; did you mean `{"parameters": {"alpha": ...}}`, by command',
        ),
        ({"target": "y", "n_estimators": 5}, "parameters.n_estimators", '`{"parameters": {"n_estimators": ...}}`'),
        ({"target": "y", "estimator": "SVC", "alpha": 1}, "parameters.alpha", "expected one of estimator"),
        ({"target": "y", "estimator": ["SVC"], "alpha": 1}, "parameters.alpha", "expected one of estimator"),
        ({"target": "y", "search": {"space": {}}}, "parameters.search.space", "expected an object of 1 or more"),
        ({"target": "y", "search": {"space": {"C": []}}}, "parameters.search.space.C", "a list of 1 or more"),
        (
            {"target": "y", "search": {"space": {"tol": [0.1], "C": 5}}},
            "parameters.search.space.C",
            "got 5, expected a list or an object of low, high, log; did you mean `[5]`?",
        ),
        (
            {"target": "y", "search": {"space": {"tol": [0.1], "C": {"low": "a", "high": 1}}}},
            "parameters.search.space.C.low",
            "got 'a', expected a number",
        ),
        ({"target": "y", "search": {"space": {"C": {"low": 1}}}}, "parameters.search.space.C.high", "it must be given"),
        ({"target": "y", "search": {"space": {"a.b": 5}}}, "parameters.search.space.a.b", "got 5, expected a list or"),
        (
            {"target": "y", "search": {"space": {"": [1]}}},
            "parameters.search.space",
            "a name in it does not fit: expected a text of 1 or more",
        ),
        ({"target": "y" * 201}, "parameters.target", "expected a text of 200 or fewer"),
        ({"target": "y", "search": {"space": {"C": [1]}, "kind": "grid"}}, "parameters.search", "unknown field `kind`"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(given: dict[str, Any], place: str, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(TabularParameters, given)
    assert said in caught.value.message
    assert caught.value.details["places"][0]["place"] == place


@pytest.mark.parametrize("given", [5, [1], ["target"], "target", None])
def test_what_is_no_object_is_refused(given: Any) -> None:
    with pytest.raises(InvalidInput, match=r"parameters: got .*, expected an object of names and values"):
        read(TabularParameters, given)


@pytest.mark.parametrize("kind", [TabularParameters, FunctionParameters])
def test_the_schema_has_help_for_each_parameter(kind: Any) -> None:
    found = schema_of(kind)["$defs"][kind.__name__]
    assert list(found["properties"]) == list(kind.__struct_fields__)
    for name, described in found["properties"].items():
        assert described.get("description"), name
    assert found["additionalProperties"] is False
