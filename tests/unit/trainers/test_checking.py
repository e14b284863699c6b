"""What is refused before a row is read, from the dataset's summary alone."""

from typing import Any

import pytest

from modelyard.core.errors import InvalidInput
from modelyard.trainers.parameters import read
from modelyard.trainers.schema import Schema
from modelyard.trainers.tabular.trainer import TabularTrainer

SUMMARY: list[dict[str, Any]] = [
    {"name": "species", "type": "string", "count": 344, "missing": 0, "distinct": 3, "exact": True, "method": "",
     "top": [{"value": "Adelie", "count": 152}]},
    {"name": "sex", "type": "string", "count": 333, "missing": 11, "distinct": 2},
    {"name": "bill_mm", "type": "float64", "count": 342, "missing": 2, "min": 32.1, "max": 59.6,
     "quantiles": {"0.5": 44.4}, "histogram": {"edges": [32.1, 59.6], "counts": [342]}},
    {"name": "share", "type": "float64", "count": 344, "missing": 0, "min": 0.0, "max": 1.0, "mean": 0.4987},
    {"name": "stars", "type": "float64", "count": 343, "missing": 1, "min": 1.0, "max": 90.0, "mean": 1000 / 343},
    {"name": "year", "type": "int64", "count": 344, "missing": 0, "min": 2007, "max": 2009},
    {"name": "seen", "type": "timestamp", "count": 344, "missing": 0},
    {"name": "island", "type": "string", "count": 344, "missing": 0, "distinct": 1},
    {"name": "empty", "type": "float64", "count": 0, "missing": 344},
    {"name": "endless", "type": "float64", "count": 344, "missing": 0, "infinite": 2},
    {"name": "ring", "type": "string", "count": 344, "missing": 0, "distinct": 2_000},
    {"name": "adult", "type": "bool", "count": 344, "missing": 0, "distinct": 2},
]  # fmt: skip
TABULAR = TabularTrainer()
FEATURES = ["bill_mm", "sex", "year"]


def check(n_rows: int = 344, **given: Any) -> None:
    given = {"target": "species", "features": FEATURES, **given}
    TABULAR.check(read(TABULAR.Parameters, given), Schema.of(n_rows, SUMMARY))


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"estimator": "LogisticRegression", "parameters": {"C": 2}},
        {"target": "bill_mm", "features": ["year"], "estimator": "Ridge"},
        {"target": "adult"},
        {"target": "stars", "estimator": "Ridge"},
        {"target": "stars", "task": "classification", "estimator": "SVC"},
        {"target": "year", "features": ["sex"], "task": "classification", "estimator": "SVC"},
        {"features": None, "exclude": ["endless"]},
        {"estimator": "HistGradientBoostingClassifier", "impute_numbers": "none"},
        {"estimator": "SVC", "search": {"space": {"C": [1, 10], "kernel": ["rbf", "linear"]}, "metric": "accuracy"}},
        {"estimator": "SVC", "search": {"method": "random", "space": {"C": {"low": 0.1, "high": 10, "log": True}}}},
        {"estimator": "KNeighborsClassifier",
         "search": {"method": "random", "space": {"n_neighbors": {"low": 1, "high": 9}}}},
    ],
)  # fmt: skip
def test_what_can_be_trained_passes(given: dict[str, Any]) -> None:
    check(**given)


@pytest.mark.parametrize(
    ("given", "place", "said"),
    [
        ({"target": "specis"}, "parameters.target", "no column `specis`; did you mean `species`"),
        ({"target": "seen"}, "parameters.target", "holds times"),
        ({"target": "empty"}, "parameters.target", "all values of column `empty` are missing"),
        ({"target": "species", "task": "regression"}, "parameters.target", "holds texts: a regression needs numbers"),
        ({"target": "adult", "task": "regression"}, "parameters.target", "holds truth values"),
        ({"target": "island"}, "parameters.target", "one class only"),
        ({"target": "ring"}, "parameters.target", "2000 classes, expected at most 1000"),
        ({"target": "endless"}, "parameters.target", "2 infinite values"),
        ({"estimator": "Ridge"}, "parameters.estimator", "`Ridge` is for a regression, and this is a classification"),
        ({"target": "bill_mm", "features": ["year"], "estimator": "SVC"},
         "parameters.estimator", "`SVC` is for a classification, and this is a regression"),
        ({"target": "bill_mm", "task": "classification"}, "parameters.target", "holds fractions, which are no classes"),
        ({"target": "share", "task": "classification"}, "parameters.target", "holds fractions, which are no classes"),
        ({"target": "share", "estimator": "SVC"}, "parameters.estimator", "and this is a regression"),
        ({"target": "year", "features": ["sex"], "estimator": "Ridge"},
         "parameters.estimator", "`Ridge` is for a regression, and this is a classification"),
        ({"estimator": "LogisticRegresion"}, "parameters.estimator", "did you mean `LogisticRegression`"),
        ({"estimator": "SVC", "parameters": {"c": 1}}, "parameters.parameters.c", "did you mean `C`"),
        ({"estimator": "SVC", "parameters": {"C": -1}}, "parameters.parameters.C", "expected a number"),
        ({"target": "year", "parameters": {"C": 1}}, "parameters.estimator", "expected one"),
        ({"search": {"method": "random", "space": {"max_depth": {"low": 1, "high": 9}}}},
         "parameters.estimator", "expected one"),
        ({"features": ["bil_mm"]}, "parameters.features", "did you mean `bill_mm`"),
        ({"features": ["species", "sex"]}, "parameters.features", "is the target"),
        ({"features": ["seen", "empty"]}, "parameters.features", "no column is left"),
        ({"exclude": ["yer"]}, "parameters.exclude", "did you mean `year`"),
        ({"features": ["endless"]}, "dataset", "column `endless` has 2 infinite values"),
        ({"estimator": "SVC", "impute_numbers": "none"}, "parameters.impute_numbers", "`bill_mm` lacks values"),
        ({"estimator": "SVC", "search": {"space": {"gama": [1]}}}, "parameters.search.space.gama", "`gamma`"),
        ({"estimator": "SVC", "search": {"space": {"C": [1, -1]}}}, "parameters.search.space.C", "got -1"),
        ({"estimator": "SVC", "search": {"space": {"C": {"low": 1, "high": 2}}}},
         "parameters.search.space.C", "a grid has no ranges"),
        ({"estimator": "SVC", "search": {"method": "random", "space": {"C": {"low": 2, "high": 1}}}},
         "parameters.search.space.C", "`low` below `high`"),
        ({"estimator": "SVC", "search": {"method": "random", "space": {"kernel": {"low": 1, "high": 2}}}},
         "parameters.search.space.kernel", "it is no number"),
        ({"estimator": "SVC", "search": {"space": {"C": [1]}, "metric": "acuracy"}},
         "parameters.search.metric", "did you mean `accuracy`"),
        ({"estimator": "SVC", "search": {"space": {"C": [1, 2, 3], "tol": [0.1, 0.2]}, "count": 5}},
         "parameters.search", "the grid has 6 combinations, `count` allows 5"),
        ({"estimator": "SVC", "search": {"space": {"C": [1, 2, 3]}, "metric": "rmse"}},
         "parameters.search.metric", "no `rmse` of a classification"),
    ],
)  # fmt: skip
def test_what_cannot_be_trained_is_refused_with_its_place(given: dict[str, Any], place: str, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check(**given)
    assert said in caught.value.message
    assert caught.value.details["places"][0]["place"] == place


def test_a_dataset_without_rows_is_refused() -> None:
    with pytest.raises(InvalidInput, match="it has 0 rows"):
        check(n_rows=0)
