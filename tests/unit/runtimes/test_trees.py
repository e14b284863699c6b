"""Trees convert exactly: not one row differs, ties between classes and rows on thresholds included."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import ensemble, tree
from sklearn.datasets import load_digits, load_iris
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from modelyard.core.tensors import Batch
from modelyard.runtimes import conversion
from modelyard.runtimes.asking import Asked
from modelyard.runtimes.audit import audit
from modelyard.runtimes.onnx import OnnxRuntime, open_session
from modelyard.runtimes.opening import describe_io

X, Y = load_iris(return_X_y=True)
TEXTS = np.array(["setosa", "versicolor", "virginica"], dtype=object)[Y]

ESTIMATORS: dict[str, tuple[Any, Any]] = {
    "tree": (tree.DecisionTreeClassifier(random_state=0), Y),
    "shallow tree": (tree.DecisionTreeClassifier(max_depth=2, random_state=0), TEXTS),
    "regression tree": (tree.DecisionTreeRegressor(random_state=0), X[:, 0]),
    "extra tree": (tree.ExtraTreeRegressor(random_state=0), X[:, 0]),
    "forest of texts": (ensemble.RandomForestClassifier(10, random_state=0), TEXTS),
    "forest of truth values": (ensemble.RandomForestClassifier(10, random_state=0), Y == 1),
    "shallow forest": (ensemble.RandomForestClassifier(10, max_depth=2, random_state=0), Y),
    "extra trees": (ensemble.ExtraTreesClassifier(10, random_state=0), Y),
    "forest regression": (ensemble.RandomForestRegressor(10, random_state=0), X[:, 0] * 1e6),
    "boosting, two classes": (ensemble.GradientBoostingClassifier(n_estimators=5), Y == 1),
    "boosting, three classes": (ensemble.GradientBoostingClassifier(n_estimators=5), TEXTS),
    "boosting from zero": (ensemble.GradientBoostingRegressor(n_estimators=5, init="zero"), X[:, 0]),
    "boosting regression": (ensemble.GradientBoostingRegressor(n_estimators=5), X[:, 0]),
    "histograms, two classes": (ensemble.HistGradientBoostingClassifier(max_iter=5), Y == 1),
    "histograms, three classes": (ensemble.HistGradientBoostingClassifier(max_iter=5), TEXTS),
    "histograms, regression": (ensemble.HistGradientBoostingRegressor(max_iter=5), X[:, 0]),
    "histograms, poisson": (ensemble.HistGradientBoostingRegressor(max_iter=5, loss="poisson"), X[:, 0]),
}


def served(estimator: Any, folder: Path) -> tuple[Any, Any, Any]:
    """Return rows around every threshold, the estimator's answer and the graph's."""
    batch, signature = describe_io(estimator, None, None)
    graph = conversion.convert(estimator, signature)
    assert audit(graph).refused == []
    path = folder / "model.onnx"
    path.write_bytes(graph)
    expected = Asked(estimator, signature.columns, signature.outputs).predict(batch)
    return batch, expected, OnnxRuntime(open_session(path), signature).predict(batch)


@pytest.mark.parametrize("scaled", [True, False])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_not_one_row_differs(name: str, scaled: bool, tmp_path: Path) -> None:
    estimator, target = ESTIMATORS[name]
    steps = [StandardScaler(), estimator] if scaled else [estimator]
    batch, expected, given = served(make_pipeline(*steps).fit(X, target), tmp_path)
    assert batch.n_rows > 256
    assert given["prediction"].shape == expected["prediction"].shape
    if expected["prediction"].dtype.kind == "f":
        np.testing.assert_allclose(given["prediction"], expected["prediction"], rtol=1e-13)
    else:
        assert given["prediction"].tolist() == expected["prediction"].tolist()
    if "probabilities" in expected:
        np.testing.assert_allclose(given["probabilities"], expected["probabilities"], rtol=1e-12, atol=1e-14)


def test_equal_votes_go_to_the_same_class(tmp_path: Path) -> None:
    """Few trees and ten classes: many rows have a tie, which a float32 sum of divided votes breaks wrongly."""
    digits, target = load_digits(return_X_y=True)
    forest = make_pipeline(StandardScaler(), ensemble.RandomForestClassifier(6, random_state=1)).fit(digits, target)
    _, expected, given = served(forest, tmp_path)
    top = np.sort(expected["probabilities"], axis=1)
    assert (top[:, -1] == top[:, -2]).sum() > 20
    assert (expected["prediction"] == given["prediction"]).all()


def test_missing_values_go_the_same_way(tmp_path: Path) -> None:
    holes = X.copy()
    holes[np.random.default_rng(0).random(X.shape) < 0.2] = np.nan
    model = ensemble.HistGradientBoostingClassifier(max_iter=5).fit(holes, Y)
    batch, expected, given = served(model, tmp_path)
    assert batch.matrix is not None
    assert np.isnan(batch.matrix).any()
    assert expected["prediction"].tolist() == given["prediction"].tolist()
    np.testing.assert_allclose(given["probabilities"], expected["probabilities"], rtol=1e-12)


@pytest.mark.parametrize(
    "model", [ensemble.HistGradientBoostingRegressor(max_iter=5), ensemble.RandomForestRegressor(10, random_state=0)]
)
def test_a_split_of_missing_values_from_all_others(model: Any, tmp_path: Path) -> None:
    """Its threshold is infinite, and an infinite number is not above it."""
    holes = X.copy()
    holes[::3, 0] = np.nan
    model.fit(holes, np.isnan(holes[:, 0]).astype(float))
    _, signature = describe_io(model, None, None)
    path = tmp_path / "model.onnx"
    path.write_bytes(conversion.convert(model, signature))
    most = np.inf if "Hist" in type(model).__name__ else 3e38  # forests take no infinite numbers
    odd = np.tile(X[0], (4, 1))
    odd[:, 0] = [most, -most, np.nan, 5.0]
    given = OnnxRuntime(open_session(path), signature).predict(Batch(4, matrix=odd))
    np.testing.assert_allclose(given["prediction"], model.predict(odd), rtol=1e-12)
    assert len(set(given["prediction"].tolist())) > 1


@pytest.mark.parametrize(
    "estimator",
    [
        ensemble.HistGradientBoostingClassifier(max_iter=2, categorical_features=[0]),
        ensemble.GradientBoostingClassifier(n_estimators=2, loss="exponential"),
        ensemble.GradientBoostingRegressor(n_estimators=2, init=tree.DecisionTreeRegressor()),
        ensemble.RandomForestRegressor(2),
    ],
)
def test_what_cannot_be_exact_does_not_convert(estimator: Any) -> None:
    several = type(estimator) is ensemble.RandomForestRegressor
    target = np.column_stack([Y, Y]).astype(float) if several else (Y > 0).astype(int)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = estimator.fit(np.round(X), target)
    _, signature = describe_io(model, None, None)
    with pytest.raises(conversion.NotConvertible):
        conversion.convert(model, signature)
