"""Each listed estimator fits a real table and predicts from what it left."""

import numpy as np
import pytest

from modelyard.trainers.tabular.estimators import Task
from modelyard.trainers.tabular.listed import TABLE
from tests.integration.trainers.conftest import Train, real

FAST = {
    "MLPClassifier": {"hidden_layer_sizes": [16], "solver": "lbfgs"},
    "MLPRegressor": {"hidden_layer_sizes": [16], "solver": "lbfgs"},
    **{name: {"n_estimators": 10} for name in TABLE if name.startswith(("Random", "Extra", "Gradient", "XGB", "LGBM"))},
    **{name: {"max_iter": 10} for name in TABLE if name.startswith("Hist")},
}
CLASSIFIERS = [name for name, one in TABLE.items() if one.task is Task.CLASSIFICATION]
REGRESSORS = [name for name, one in TABLE.items() if one.task is Task.REGRESSION]


@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.parametrize("data", ["wine", "penguins"])
def test_a_classifier_fits_and_predicts(train: Train, name: str, data: str) -> None:
    target = "species" if data == "penguins" else "target"
    trained = train(data, target=target, estimator=name, parameters=FAST.get(name, {}))
    predicted = trained.model.predict(trained.sample[[column.name for column in trained.fitted.columns]])
    assert set(predicted) <= set(real(data)[target])
    if name != "DummyClassifier":
        assert trained.fitted.metrics["balanced_accuracy"] > 0.75
        assert trained.fitted.metrics["accuracy"] > trained.fitted.report["baseline"]["accuracy"]


@pytest.mark.parametrize("name", REGRESSORS)
def test_a_regressor_fits_and_predicts(train: Train, name: str) -> None:
    trained = train("diabetes", target="target", estimator=name, parameters=FAST.get(name, {}))
    predicted = trained.model.predict(trained.sample)
    assert np.isfinite(predicted).all()
    assert list(trained.fitted.metrics) == ["r2", "rmse", "mae", "mape"]
    if name not in ("DummyRegressor", "DecisionTreeRegressor", "ElasticNet"):  # with their defaults, poor on this table
        assert trained.fitted.metrics["rmse"] < trained.fitted.report["baseline"]["rmse"]
