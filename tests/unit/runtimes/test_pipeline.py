"""What files hold, joined into one predictor, or refused with what is wrong and what helps."""

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import Perceptron
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from modelyard.core.errors import ModelRefused
from modelyard.runtimes.pipeline import join

X, Y = load_iris(return_X_y=True)
SCALER = StandardScaler().fit(X)
NARROW = StandardScaler().fit(X[:, :3])
BARE = Perceptron(random_state=0).fit(SCALER.transform(X), Y)


def test_one_predictor_stays_itself() -> None:
    assert join([("model.pkl", BARE)]) is BARE


def test_a_scaler_and_a_predictor_make_a_pipeline() -> None:
    joined = join([("scaler.pkl", SCALER), ("model.pkl", BARE)])
    assert isinstance(joined, Pipeline)
    assert joined.predict(X).tolist() == BARE.predict(SCALER.transform(X)).tolist()


REFUSED: dict[str, tuple[list[tuple[str, Any]], str]] = {
    "a scaler alone": (
        [("s.pkl", SCALER)],
        r"holds a StandardScaler, which .* predicts nothing: add the file",
    ),
    "wrong order": ([("p.pkl", BARE), ("s.pkl", SCALER)], r"`p\.pkl` before it does.*the predictor last"),
    "two predictors": ([("p.pkl", BARE), ("q.pkl", BARE)], r"`p\.pkl` holds a Perceptron, which transforms nothing"),
    "another width": ([("s.pkl", NARROW), ("p.pkl", BARE)], r"`s\.pkl` gives 3 features, but `p\.pkl` takes 4"),
    "a dict": ([("d.pkl", {"model": BARE})], r"holds a dict.*not the container"),
    "a list": ([("l.pkl", [BARE])], r"holds a list.*not the container"),
    "nothing": ([("n.pkl", None)], r"holds a NoneType: expected a fitted scikit-learn estimator"),
    "an array": ([("a.pkl", X)], r"holds a ndarray"),
    "a class": ([("c.pkl", Perceptron)], r"holds the class Perceptron"),
    "not fitted": ([("n.pkl", Perceptron())], r"holds a Perceptron that is not fitted: call `fit`"),
    "a part that is not fitted": ([("s.pkl", StandardScaler()), ("p.pkl", BARE)], r"`s\.pkl`.*not fitted"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    parts, said = REFUSED[name]
    with pytest.raises(ModelRefused, match=said):
        join(parts)


def test_an_estimator_of_another_library_is_taken() -> None:
    class Own:
        """Not of scikit-learn's family, but with its verbs."""

        def fit(self, rows: Any) -> "Own":
            return self

        def predict(self, rows: Any) -> np.ndarray:
            return np.zeros(len(rows))

    own = Own()
    assert join([("own.pkl", own)]) is own
