"""What is told of the steps of fitted estimators."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, OneHotEncoder, PolynomialFeatures, StandardScaler

from modelyard.runtimes.steps import features, outline, plain

ROWS = pd.DataFrame(
    {"age": [41.0, 30.0, np.nan, 55.0], "income": [3.0, 2.0, 1.0, 5.0], "plan": list("abac"), "unused": [1, 2, 3, 4]}
)
TARGET = [0, 1, 0, 1]


def fitted() -> Pipeline:
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    columns = ColumnTransformer([("numbers", numbers, ["age", "income"]), ("plans", OneHotEncoder(), ["plan"])])
    return Pipeline([("columns", columns), ("nothing", "passthrough"), ("last", LogisticRegression(C=2.0))]).fit(
        ROWS, TARGET
    )


def test_steps_are_named_by_their_path_with_columns_and_parameters() -> None:
    told = outline(fitted())
    assert [(step["name"], step["class"].rpartition(".")[2]) for step in told] == [
        ("columns", "ColumnTransformer"),
        ("columns.numbers.simpleimputer", "SimpleImputer"),
        ("columns.numbers.standardscaler", "StandardScaler"),
        ("columns.plans", "OneHotEncoder"),
        ("last", "LogisticRegression"),
    ]
    assert told[1]["parameters"]["columns"] == ["age", "income"]
    assert told[1]["parameters"]["strategy"] == "mean"
    assert told[4]["parameters"]["C"] == 2.0
    json.dumps(told, allow_nan=False)


def test_an_estimator_alone_is_one_step() -> None:
    told = outline(RandomForestClassifier(3, random_state=7).fit([[1], [2]], [0, 1]))
    assert [step["name"] for step in told] == ["randomforestclassifier"]
    assert told[0]["parameters"]["random_state"] == 7


def test_the_same_estimator_is_told_the_same_twice() -> None:
    def named(rows: Any) -> Any:
        return rows

    pipeline = make_pipeline(FunctionTransformer(named), StandardScaler())
    assert outline(pipeline) == outline(pipeline)
    assert "0x" not in json.dumps(outline(pipeline))


def test_features_that_reach_the_predictor_keep_the_names_of_their_columns() -> None:
    assert features(fitted(), list(ROWS)) == ["age", "income", "plan_a", "plan_b", "plan_c"]


def test_names_that_would_fall_together_keep_their_parts() -> None:
    both = FeatureUnion([("standard", StandardScaler()), ("between", MinMaxScaler())])
    pipeline = make_pipeline(both, LogisticRegression()).fit(ROWS[["income"]], TARGET)
    assert features(pipeline, ["income"]) == ["standard__income", "between__income"]


def test_a_columns_own_underscores_are_its_own() -> None:
    rows = ROWS.rename(columns={"income": "net__income"})[["net__income", "unused"]]
    columns = ColumnTransformer([("part", StandardScaler(), ["net__income"])], remainder="passthrough")
    pipeline = make_pipeline(columns, LogisticRegression()).fit(rows, TARGET)
    assert features(pipeline, list(rows)) == ["net__income", "unused"]


def test_made_features_are_named_and_unnamed_ones_unknown() -> None:
    rows = ROWS[["income"]].to_numpy()
    made = make_pipeline(PolynomialFeatures(2, include_bias=False), LogisticRegression()).fit(rows, TARGET)
    assert features(made, ["x0"]) == ["x0", "x0^2"]
    nameless = make_pipeline(FunctionTransformer(np.abs), LogisticRegression()).fit(rows, TARGET)
    assert features(nameless, ["x0"]) is None
    assert features(LogisticRegression(), ["x0"]) == ["x0"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (np.int64(3), 3), (np.float32(0.5), 0.5), (float("nan"), "nan"), (True, True), ("x" * 500, "x" * 200),
        ((1, 2), [1, 2]), ({"a": {"b": {"c": {"d": 1}}}}, {"a": {"b": {"c": "builtins.dict"}}}),
        (np.array([1, 2]), [1, 2]), (np.zeros((2, 2)), "array (2, 2)"), (np.float64, "numpy.float64"),
        (list(range(50)), list(range(20))), (object(), "builtins.object"), ({"b", "a"}, ["a", "b"]),
    ],
)  # fmt: skip
def test_parameters_become_plain_and_bounded(value: Any, shown: Any) -> None:
    assert plain(value) == shown
