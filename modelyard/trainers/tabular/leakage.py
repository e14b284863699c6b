"""What makes metrics look better than the model is, and classes that are hard to learn."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from modelyard.trainers.tabular.estimators import Task
from modelyard.trainers.tabular.features import Feature, Kind
from modelyard.trainers.trainer import Remark

RARE = 0.05
"""A class with a smaller share of the rows is named; of more than ten, one with less than half of an even share."""
PERFECT = 0.99
"""A feature that alone reaches this balanced accuracy, or R2, on the hold-out is named."""
_MOST_FEATURES, _MOST_ROWS, _LEAVES = 200, 10_000, 64


def imbalance(truth: np.ndarray) -> list[Remark]:
    """Say which class is rare."""
    classes, counts = np.unique(truth, return_counts=True)
    least = int(counts.argmin())
    share = counts[least] / len(truth)
    if share >= min(RARE, 0.5 / len(classes)):
        return []
    message = f"class `{classes[least]}` has {counts[least]:,} of {len(truth):,} rows ({share:.1%}); look at f1_macro"
    return [Remark("class_imbalance", f"{message} and balanced_accuracy, or set class_weight to balanced")]


def leaks(
    frame: Any, features: Sequence[Feature], truth: np.ndarray, train: np.ndarray, test: np.ndarray, task: Task
) -> list[Remark]:
    """Say which features are the target or tell it alone, and how many rows of the hold-out were learnt from."""
    found = _repeated(frame, truth, train, test)
    few_train, few_test = _few(train), _few(test)
    for feature in features[:_MOST_FEATURES]:
        values = _codes(frame[feature.name], feature)
        if np.array_equal(frame[feature.name].to_numpy(), truth):
            found.append(Remark("equals_target", "has the values of the target: exclude it", feature.name))
            continue
        score = _alone(values, truth, few_train, few_test, task)
        if score >= PERFECT:
            what = "balanced accuracy" if task is Task.CLASSIFICATION else "R2"
            message = f"alone tells the target ({what} {score:.3f} on the hold-out): will it be known in time?"
            found.append(Remark("leakage", message, feature.name))
    return found


def _few(rows: np.ndarray) -> np.ndarray:
    """Return at most `_MOST_ROWS` of the rows, drawn uniformly: the first ones of a sorted table have one class."""
    if len(rows) <= _MOST_ROWS:
        return rows
    return np.random.default_rng(0).choice(rows, _MOST_ROWS, replace=False, shuffle=False)


def _codes(values: Any, feature: Feature) -> np.ndarray:
    """Return the column as numbers `(n_rows, 1)`, with places for texts and truth values."""
    if feature.kind is Kind.NUMBER:
        array = values.to_numpy(dtype=np.float64)
        codes: np.ndarray = np.where(np.isnan(array), np.nanmin(array) - 1.0, array)
    else:
        codes = np.asarray(values.factorize(sort=True)[0], dtype=np.float64)
    return codes[:, np.newaxis]


def _alone(values: np.ndarray, truth: np.ndarray, train: np.ndarray, test: np.ndarray, task: Task) -> float:
    from sklearn.metrics import r2_score, recall_score
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    if task is Task.REGRESSION:
        tree: Any = DecisionTreeRegressor(max_leaf_nodes=_LEAVES, random_state=0)
        return float(r2_score(truth[test], tree.fit(values[train], truth[train]).predict(values[test])))
    tree = DecisionTreeClassifier(max_leaf_nodes=_LEAVES, random_state=0)
    predicted = tree.fit(values[train], truth[train]).predict(values[test])
    return float(recall_score(truth[test], predicted, labels=np.unique(truth[test]), average="macro"))


def _repeated(frame: Any, truth: np.ndarray, train: np.ndarray, test: np.ndarray) -> list[Remark]:
    import pandas as pd

    rows = pd.util.hash_pandas_object(frame, index=False, categorize=False).to_numpy()
    target = pd.util.hash_array(truth, categorize=False)
    keys = rows ^ (target * np.uint64(0x9E3779B97F4A7C15))
    again = int(np.isin(keys[test], keys[train]).sum())
    if not again:
        return []
    message = f"{again:,} of {len(test):,} rows of the hold-out are among those learnt from, value by value"
    return [Remark("duplicate_rows", message)]
