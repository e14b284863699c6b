"""How good predictions are, by task. Names are those that `core.metrics` knows the direction of."""

import math
from typing import Any

import numpy as np

from modelyard.core.metrics import direction_of
from modelyard.trainers.tabular.estimators import Task

METRICS = {
    Task.CLASSIFICATION: ("accuracy", "balanced_accuracy", "f1_macro", "log_loss", "roc_auc"),
    Task.REGRESSION: ("r2", "rmse", "mae", "mape"),
}
DEFAULT = {Task.CLASSIFICATION: "balanced_accuracy", Task.REGRESSION: "rmse"}
_SHOWN_CLASSES = 100


def measured(estimator: Any, table: Any, truth: np.ndarray, task: Task) -> dict[str, float]:
    """Return the metrics that are defined: probabilities or decisions where the estimator has them, every class in
    `truth`, no zero in it for `mape`."""
    predicted = estimator.predict(table)
    found = _regression(truth, predicted) if task is Task.REGRESSION else _classes(estimator, table, truth, predicted)
    return {name: float(value) for name, value in found.items() if math.isfinite(value)}


def _regression(truth: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    from sklearn import metrics

    found = {
        "r2": metrics.r2_score(truth, predicted),
        "rmse": math.sqrt(metrics.mean_squared_error(truth, predicted)),
        "mae": metrics.mean_absolute_error(truth, predicted),
    }
    return found if (truth == 0).any() else {**found, "mape": metrics.mean_absolute_percentage_error(truth, predicted)}


def _classes(estimator: Any, table: Any, truth: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    from sklearn import metrics

    found = {
        "accuracy": metrics.accuracy_score(truth, predicted),
        "balanced_accuracy": metrics.recall_score(truth, predicted, labels=np.unique(truth), average="macro"),
        "f1_macro": metrics.f1_score(truth, predicted, average="macro", zero_division=0),
    }
    classes = estimator.classes_
    if hasattr(estimator, "predict_proba"):
        scores = estimator.predict_proba(table)
        places = np.searchsorted(classes, truth)  # of any labels: scikit-learn would sort texts in its own way
        found["log_loss"] = metrics.log_loss(places, scores, labels=np.arange(len(classes)))
    elif hasattr(estimator, "decision_function"):
        scores = estimator.decision_function(table)
    else:
        return found
    if len(np.unique(truth)) == len(classes):
        found["roc_auc"] = _area(truth, scores, classes)
    return found


def _area(truth: np.ndarray, scores: np.ndarray, classes: np.ndarray) -> float:
    """Return the area under the ROC curve: of the second class, or the mean of each class against the others."""
    from sklearn import metrics

    if len(classes) == 2:
        second = scores[:, 1] if scores.ndim == 2 else scores
        return float(metrics.roc_auc_score(truth == classes[1], second))
    return float(np.mean([metrics.roc_auc_score(truth == one, scores[:, i]) for i, one in enumerate(classes)]))


def confusion(truth: np.ndarray, predicted: np.ndarray, classes: np.ndarray) -> dict[str, Any] | None:
    """Return rows of the truth by columns of the prediction, None where there are too many classes to look at."""
    from sklearn import metrics

    if len(classes) > _SHOWN_CLASSES:
        return None
    counts = metrics.confusion_matrix(truth, predicted, labels=classes)
    return {"classes": classes.tolist(), "counts": counts.tolist()}


def baseline(truth: np.ndarray, task: Task, training: np.ndarray) -> dict[str, float]:
    """Return the metrics of whoever always says the most frequent class, or the mean, of the training rows."""
    from sklearn.dummy import DummyClassifier, DummyRegressor

    dummy = DummyClassifier(strategy="prior") if task is Task.CLASSIFICATION else DummyRegressor(strategy="mean")
    dummy.fit(np.zeros((len(training), 1)), training)
    return measured(dummy, np.zeros((len(truth), 1)), truth, task)


def better(metric: str, left: float, right: float) -> bool:
    """Tell whether `left` is the better value of one of `METRICS`."""
    direction = direction_of(metric)
    assert direction is not None, metric  # noqa: S101
    return direction.better(left, right)
