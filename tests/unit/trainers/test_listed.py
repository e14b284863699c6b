"""The listed estimators are what their packages have: constructors, defaults, missing values."""

from importlib import import_module
from typing import Any

import pytest
from sklearn.base import is_classifier
from sklearn.utils._param_validation import InvalidParameterError, validate_parameter_constraints

from modelyard.core.errors import InvalidInput
from modelyard.trainers.tabular import listed
from modelyard.trainers.tabular.boosting import EXTRAS
from modelyard.trainers.tabular.estimators import Estimator, Kind, Parameter, Task
from modelyard.trainers.tabular.listed import DEFAULT, TABLE, find

LISTED = list(TABLE.values())
PARAMETERS = [(estimator, parameter) for estimator in LISTED for parameter in estimator.parameters]


def kind_of(estimator: Estimator) -> Any:
    return getattr(import_module(estimator.module), estimator.name)


def ends(parameter: Parameter) -> list[Any]:
    """Return every word, and the least and the most number, that a parameter may be."""
    values: list[Any] = [*parameter.choices, *([None] if parameter.optional else [])]
    if parameter.kind is Kind.BOOLEAN:
        values += [True, False]
    if parameter.low is not None and parameter.high is not None:
        whole = parameter.kind in (Kind.INTEGER, Kind.INTEGERS)
        found = [int(parameter.low), int(parameter.high)] if whole else [parameter.low, parameter.high]
        values += [(one,) for one in found] if parameter.kind is Kind.INTEGERS else found
    return values


@pytest.mark.parametrize("estimator", LISTED, ids=lambda estimator: estimator.name)
def test_an_estimator_is_where_the_table_says_and_for_the_task_it_says(estimator: Estimator) -> None:
    made = kind_of(estimator)()
    assert is_classifier(made) is (estimator.task is Task.CLASSIFICATION)
    assert made.__sklearn_tags__().input_tags.allow_nan is estimator.takes_missing


@pytest.mark.parametrize(
    ("estimator", "parameter"), PARAMETERS, ids=lambda one: one.name if hasattr(one, "name") else str(one)
)
def test_a_parameter_has_the_constructors_default_and_every_end_of_its_range_is_valid(
    estimator: Estimator, parameter: Parameter
) -> None:
    kind = kind_of(estimator)
    default = kind().get_params()[parameter.name]
    assert parameter.default == (list(default) if isinstance(default, tuple) else default)
    parameter.check(parameter.default, parameter.name)
    if estimator.name in EXTRAS:  # which tell no ranges
        return
    constraints = {parameter.name: kind._parameter_constraints[parameter.name]}
    for value in ends(parameter):
        validate_parameter_constraints(constraints, {parameter.name: value}, estimator.name)


def test_the_check_of_ranges_would_find_a_wrong_one() -> None:
    constraints = {"alpha": kind_of(TABLE["Ridge"])._parameter_constraints["alpha"]}
    with pytest.raises(InvalidParameterError):
        validate_parameter_constraints(constraints, {"alpha": -1}, "Ridge")


def test_no_parameter_is_listed_twice() -> None:
    for estimator in LISTED:
        names = [parameter.name for parameter in estimator.parameters]
        assert len(names) == len(set(names)), estimator.name


def test_each_task_has_a_default_of_its_own() -> None:
    assert {task: TABLE[name].task for task, name in DEFAULT.items()} == {task: task for task in Task}


def test_the_seed_reaches_what_draws_random_numbers() -> None:
    assert TABLE["RandomForestClassifier"].make({}, 7).random_state == 7
    assert not hasattr(TABLE["KNeighborsClassifier"].make({}, 7), "random_state")
    assert TABLE["MLPClassifier"].make({"hidden_layer_sizes": [3, 4]}, 0).hidden_layer_sizes == (3, 4)


def test_an_estimator_that_is_not_listed_is_refused_with_the_nearest() -> None:
    with pytest.raises(InvalidInput, match="did you mean `RandomForestClassifier`") as caught:
        find("RandomForrestClassifier", "parameters.estimator")
    assert caught.value.details["places"][0]["place"] == "parameters.estimator"
    with pytest.raises(InvalidInput, match="no estimator that is listed"):
        find("os.system", "parameters.estimator")


def test_a_parameter_that_is_not_listed_is_refused_with_the_nearest() -> None:
    with pytest.raises(InvalidInput, match=r"parameters\.parameters\.n_estimator: .* did you mean `n_estimators`"):
        TABLE["RandomForestClassifier"].parameter("n_estimator", "parameters.parameters")


@pytest.mark.parametrize(
    ("estimator", "name", "value", "expected"),
    [
        ("RandomForestClassifier", "n_estimators", 0, "a whole number, 1 to 5000"),
        ("RandomForestClassifier", "n_estimators", True, "a whole number"),
        ("RandomForestClassifier", "n_estimators", 10.0, "a whole number"),
        ("RandomForestClassifier", "n_estimators", None, "a whole number"),
        ("RandomForestClassifier", "max_features", "cube", "`sqrt`, `log2` or null"),
        ("RandomForestClassifier", "bootstrap", 1, "true or false"),
        ("RandomForestClassifier", "class_weight", {"a": 1}, "`balanced` or null"),
        ("Ridge", "alpha", float("nan"), "a number, 0 to"),
        ("Ridge", "alpha", "1", "a number"),
        ("MLPClassifier", "hidden_layer_sizes", [], "whole numbers in a list"),
        ("MLPClassifier", "hidden_layer_sizes", [10, 2.5], "whole numbers in a list"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_what_does(
    estimator: str, name: str, value: Any, expected: str
) -> None:
    with pytest.raises(InvalidInput, match="at: got") as caught:
        TABLE[estimator].parameter(name, "p").check(value, "at")
    assert expected in caught.value.message


def test_the_schema_says_ranges_choices_defaults_and_help() -> None:
    properties = TABLE["RandomForestClassifier"].schema()["properties"]
    assert properties["n_estimators"] == {
        "type": "integer", "minimum": 1, "maximum": 5000, "default": 100, "description": "trees",
    }  # fmt: skip
    assert properties["max_features"]["anyOf"] == [
        {"type": "number", "minimum": 0.01, "maximum": 1.0},
        {"enum": ["sqrt", "log2"]},
        {"type": "null"},
    ]


def test_what_is_not_installed_says_what_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(EXTRAS) <= set(TABLE)  # the tests install them
    monkeypatch.setattr(listed, "TABLE", {name: one for name, one in TABLE.items() if name not in EXTRAS})
    with pytest.raises(InvalidInput, match=r"have the operator install `modelyard\[xgboost\]`"):
        find("XGBRegressor", "parameters.estimator")
