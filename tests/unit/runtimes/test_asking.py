"""What is asked of estimators, and what is made of their answers, in our environment and in others."""

from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

from modelyard.core.errors import ModelFailed, ModelRefused
from modelyard.core.signature import Column, DataType, Output, Role
from modelyard.core.tensors import Answer, Batch, take
from modelyard.runtimes.asking import Asked, answered
from modelyard.runtimes.elsewhere import Estimator

X = np.random.default_rng(4).normal(size=(40, 2))
TEXTS = np.where(X[:, 0] > 0, "yes", "no")
COLUMNS = (Column("x0", DataType.FLOAT64), Column("x1", DataType.FLOAT64))
BATCH = Batch(len(X), matrix=X)


class Own(BaseEstimator):  # type: ignore[misc]
    """Answers as it is told, and nothing where the first value is one of those that it stumbles over."""

    def __init__(self, answer: Any, stumbles: tuple[float, ...] = ()) -> None:
        self.answer = answer
        self.stumbles = stumbles

    def predict(self, rows: np.ndarray) -> np.ndarray:
        if np.isin(rows[:, 0], self.stumbles).any():
            raise ValueError("a stumbling block")
        return np.array([self.answer] * len(rows))


def shown(estimator: Any, batch: Batch = BATCH) -> tuple[Output, ...]:
    return msgspec.convert(Asked(estimator, COLUMNS).outputs(batch), tuple[Output, ...])


def test_outputs_keep_their_classes() -> None:
    prediction, probabilities = shown(LogisticRegression().fit(X, TEXTS))
    assert (prediction.type, prediction.role, prediction.shape) == (DataType.STRING, Role.PREDICTION, ())
    assert (probabilities.shape, probabilities.role, probabilities.classes) == ((2,), Role.PROBABILITIES, ("no", "yes"))


def test_outputs_are_the_same_elsewhere() -> None:
    """There the columns are JSON values, and what says nothing new is left out of them."""
    for estimator in (LogisticRegression().fit(X, TEXTS), LinearRegression().fit(X, X)):
        here, there = Asked(estimator, COLUMNS), Estimator(estimator, msgspec.to_builtins(COLUMNS))
        outputs = here.outputs(BATCH)
        assert there.outputs(BATCH) == outputs
        ours = Asked(estimator, COLUMNS, msgspec.convert(outputs, tuple[Output, ...])).predict(BATCH)
        theirs = Estimator(estimator, msgspec.to_builtins(COLUMNS), outputs).predict(BATCH)
        assert {name: array.tolist() for name, array in ours.items()} == {
            name: array.tolist() for name, array in theirs.items()
        }


def test_a_first_row_without_an_answer_hides_no_output() -> None:
    """One row of the sample that the estimator stumbles over is no reason to refuse the model."""
    for place in range(4):
        (prediction,) = shown(Own(1.5, (X[place, 0],)))
        assert prediction.type is DataType.FLOAT64
    with pytest.raises(ModelRefused, match=r"answers no row of its signature \(ValueError: a stumbling block\)"):
        shown(Own(1.5, tuple(X[:, 0])))


def test_values_that_no_signature_can_say() -> None:
    with pytest.raises(ModelRefused, match=r"answers with complex128 values"):
        shown(Own(1j))
    with pytest.raises(ModelRefused, match=r"answers with datetime64\[D\] values"):
        shown(Own(np.datetime64("2026-01-31")))


def test_an_answer_of_another_type_is_the_models_failure() -> None:
    """It must not end the child that serves it, which takes seconds to start again."""
    numbers = (Output("prediction", DataType.FLOAT64, role=Role.PREDICTION),)
    with pytest.raises(ModelFailed, match=r"ValueError: could not convert"):
        Asked(Own("a text"), COLUMNS, numbers).predict(BATCH)


def test_columns_have_the_type_that_they_were_fitted_with() -> None:
    class Types(Own):
        feature_names_in_ = np.array(["count", "share"], dtype=object)

        def predict(self, rows: pd.DataFrame) -> np.ndarray:
            return np.array([" ".join(f"{name}:{kind}" for name, kind in rows.dtypes.items())] * len(rows))

    columns = (Column("count", DataType.INT64), Column("share", DataType.INT64, optional=True))
    outputs = (Output("prediction", DataType.STRING, role=Role.PREDICTION),)
    asked = Asked(Types(0), columns, outputs)
    other_order = {"share": np.array([np.nan]), "count": np.array([3])}
    for batch in (Batch(1, matrix=np.array([[3.0, np.nan]])), Batch(1, columns=other_order)):
        assert asked.predict(batch)["prediction"].tolist() == ["count:int64 share:float64"]


def imputed(missing: Any, fill: str | None = None) -> Any:
    strategy = "constant" if fill else "most_frequent"
    return make_pipeline(SimpleImputer(strategy=strategy, fill_value=fill, missing_values=missing), OneHotEncoder())


@pytest.mark.parametrize(
    ("kind", "mark", "prepared"),
    [
        ("str", np.nan, imputed(np.nan)),
        (object, np.nan, imputed(np.nan)),
        (object, None, imputed(None)),
        (object, pd.NA, imputed(pd.NA)),
        ("str", np.nan, imputed(np.nan, "?")),
        (object, None, imputed(None, "?")),
        ("str", np.nan, OneHotEncoder()),
        (object, np.nan, OneHotEncoder()),
        (object, None, OneHotEncoder()),
        (object, np.nan, OneHotEncoder(handle_unknown="ignore")),
        (object, None, make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder())),
        (object, np.nan, OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=9, encoded_missing_value=7)),
    ],
)
@pytest.mark.parametrize("named", [True, False])
def test_a_missing_text_is_what_it_was_in_the_training(named: bool, kind: Any, mark: Any, prepared: Any) -> None:
    """A batch holds None; scikit-learn tells that from NaN, which pandas has. A row that lacks it may come alone."""
    texts = pd.Series([mark, "red", "blue", "red", mark, "green"], dtype=kind)
    frame = pd.DataFrame({"colour": texts, "size": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]})
    fitted = frame if named else frame.to_numpy(dtype=object)
    chosen = ColumnTransformer([("texts", prepared, ["colour"] if named else [0])], remainder="passthrough")
    estimator = make_pipeline(chosen, LinearRegression()).fit(fitted, [1.0, 20.0, 300.0, 21.0, 2.0, 4000.0])
    columns = (Column("colour", DataType.STRING, optional=True), Column("size", DataType.FLOAT64))
    asked = Asked(estimator, columns, (Output("prediction", DataType.FLOAT64, role=Role.PREDICTION),))
    held = np.array([None if pd.isna(text) else text for text in texts], dtype=object)
    batch = Batch(len(held), columns={"colour": held, "size": frame["size"].to_numpy()})
    expected = estimator.predict(fitted)
    assert asked.predict(batch)["prediction"].tolist() == pytest.approx(expected.tolist(), rel=1e-12)
    for row, wanted in enumerate(expected):
        alone = asked.predict(take(batch, slice(row, row + 1)))["prediction"]
        assert alone.tolist() == pytest.approx([wanted], rel=1e-12)


def test_a_missing_number_is_none_where_it_was() -> None:
    frame = pd.DataFrame({"size": pd.Series([None, 2.0, 3.0, None], dtype=object)})
    filled = SimpleImputer(strategy="constant", fill_value=7.0, missing_values=None)
    estimator = make_pipeline(filled, LinearRegression()).fit(frame, [1.0, 2.0, 3.0, 4.0])
    asked = Asked(
        estimator,
        (Column("size", DataType.FLOAT64, optional=True),),
        (Output("prediction", DataType.FLOAT64, role=Role.PREDICTION),),
    )
    answer = asked.predict(Batch(4, matrix=np.array([[np.nan], [2.0], [3.0], [np.nan]])))["prediction"]
    assert answer.tolist() == pytest.approx(estimator.predict(frame).tolist())


@pytest.mark.parametrize("bad", [(), (0,), (39,), (7, 8, 30), tuple(range(20))])
def test_only_rows_without_an_answer_are_left_out(bad: tuple[int, ...]) -> None:
    outputs = (Output("prediction", DataType.FLOAT64, role=Role.PREDICTION),)
    places, answer = answered(Asked(Own(1.5, tuple(X[list(bad), 0])), COLUMNS, outputs).predict, BATCH, 100)
    assert places.tolist() == [place for place in range(40) if place not in bad]
    assert len(answer["prediction"]) == len(places)


def test_the_search_for_rows_has_an_end() -> None:
    calls = 0

    def stubborn(batch: Batch) -> Answer:
        nonlocal calls
        calls += 1
        raise ModelFailed("no")

    with pytest.raises(ModelRefused, match=r"answers no row of its signature: no"):
        answered(stubborn, Batch(10_000, matrix=np.zeros((10_000, 2))), 50)
    assert calls == 51
