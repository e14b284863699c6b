"""What fitted estimators say of their columns, in the forms that their fitters choose."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from modelyard.runtimes.estimators import facts_of
from modelyard.runtimes.opening import describe_io

NAMES = ["a", "b", "c"]
X = np.random.default_rng(5).normal(50, 3, size=(60, 3))
Y = X[:, 1] > 50


def frame() -> pd.DataFrame:
    return pd.DataFrame(X, columns=NAMES)


def columns(chosen: Any) -> Pipeline:
    chooser = ColumnTransformer([("scaled", StandardScaler(), chosen)], remainder="passthrough")
    return make_pipeline(chooser, DecisionTreeClassifier(max_depth=2, random_state=0)).fit(frame(), Y)


@pytest.mark.parametrize("chosen", [slice("a", "b"), slice(None, "b"), slice(0, 2), ["a", "b"]])
def test_columns_chosen_by_a_slice(chosen: Any) -> None:
    """A slice of names has its end in it."""
    facts = facts_of(columns(chosen), NAMES)
    assert [fact.low is not None for fact in facts[:2]] == [True, True]
    threshold = facts[1].points[0]
    assert 45 < threshold < 55


def test_what_passes_through_is_what_it_was() -> None:
    facts = facts_of(columns(["a"]), NAMES)
    assert facts[1].points
    assert all(45 < point < 55 for point in facts[1].points)


def test_an_imputer_that_drops_a_column() -> None:
    """A column without a single value goes, and what follows has one column less."""
    empty = X.copy()
    empty[:, 0] = np.nan
    with pytest.warns(UserWarning, match="without any observed values"):
        model = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression()).fit(empty, Y)
    assert [fact.optional for fact in facts_of(model, NAMES)] == [True, True, True]


def test_a_scaler_that_takes_no_mean_off() -> None:
    """It keeps the mean all the same; thresholds behind it are not moved by it."""
    scaler = StandardScaler(with_mean=False)
    model = make_pipeline(scaler, DecisionTreeClassifier(max_depth=1, random_state=0)).fit(X, Y)
    facts = facts_of(model, NAMES)
    assert facts[1].points
    assert all(45 < point < 55 for point in facts[1].points)
    assert facts[1].low == pytest.approx(X[:, 1].mean() - 3 * X[:, 1].std())


def test_a_forest_fitted_with_missing_values_says_so() -> None:
    """Where a value is missing decides, the threshold is infinite: no point to stand beside, and no bound."""
    holes = X.copy()
    holes[::3, 0] = np.nan
    facts = facts_of(RandomForestClassifier(5, random_state=0).fit(holes, np.isnan(holes[:, 0])), NAMES)
    assert [fact.optional for fact in facts] == [True, False, False]
    assert all(40 < point < 60 for fact in facts for point in fact.points)


def test_categories_that_boosting_encodes_itself() -> None:
    """It puts them first, so the features of its trees are not in the columns' order."""
    rows = frame().assign(b=pd.Categorical(["red", "green", "blue"] * 20))
    model = HistGradientBoostingClassifier(max_iter=3, min_samples_leaf=2).fit(rows, X[:, 2] > 50)
    facts = facts_of(model, NAMES)
    assert (facts[1].kind, sorted(facts[1].categories or [])) == ("string", ["blue", "green", "red"])
    assert facts[2].points
    assert all(49 < point < 51 for point in facts[2].points)
    batch, signature = describe_io(model, None, None)
    assert [column.type.value for column in signature.columns] == ["float64", "string", "float64"]
    assert batch.n_rows > 100
