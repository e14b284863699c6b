"""The estimators of XGBoost and LightGBM, which are extras: `listed` offers those that are installed.

Fitted with one thread, so that the same rows give the same bytes.
"""

from importlib.util import find_spec

from modelyard.trainers.tabular.estimators import Estimator, Kind, Parameter, Task, Value

C, R = Task.CLASSIFICATION, Task.REGRESSION
_INTEGER, _NUMBER = Kind.INTEGER, Kind.NUMBER


def _xgboost(name: str, kind: Kind, default: float, low: float, high: float, help: str) -> Parameter:
    """Return a parameter that XGBoost itself gives the default where it is null."""
    return Parameter(name, kind, None, f"{help}; null: {default:g}", low, high, optional=True)


def _lightgbm(name: str, kind: Kind, default: Value, low: float, high: float, help: str) -> Parameter:
    return Parameter(name, kind, default, help, low, high)


XGBOOST = (
    _xgboost("n_estimators", _INTEGER, 100, 1, 5_000, "trees"),
    _xgboost("learning_rate", _NUMBER, 0.3, 1e-4, 1, "share of each step that counts"),
    _xgboost("max_depth", _INTEGER, 6, 1, 100, "levels of a tree"),
    _xgboost("min_child_weight", _NUMBER, 1, 0, 1e6, "weight that a leaf must have"),
    _xgboost("gamma", _NUMBER, 0, 0, 1e6, "gain that a split must have"),
    _xgboost("subsample", _NUMBER, 1, 0.01, 1, "share of the rows that each tree sees"),
    _xgboost("colsample_bytree", _NUMBER, 1, 0.01, 1, "share of the features that each tree sees"),
    _xgboost("reg_alpha", _NUMBER, 0, 0, 1e6, "strength of the L1 regularisation"),
    _xgboost("reg_lambda", _NUMBER, 1, 0, 1e6, "strength of the L2 regularisation"),
)
LIGHTGBM = (
    _lightgbm("n_estimators", _INTEGER, 100, 1, 5_000, "trees"),
    _lightgbm("learning_rate", _NUMBER, 0.1, 1e-4, 10, "share of each step that counts"),
    _lightgbm("num_leaves", _INTEGER, 31, 2, 100_000, "leaves of a tree"),
    _lightgbm("max_depth", _INTEGER, -1, -1, 100, "levels of a tree; -1: no bound"),
    _lightgbm("min_child_samples", _INTEGER, 20, 1, 100_000, "rows that a leaf must have"),
    _lightgbm("subsample", _NUMBER, 1.0, 0.01, 1, "share of the rows that a draw sees, if `subsample_freq` is not 0"),
    _lightgbm("subsample_freq", _INTEGER, 0, 0, 1_000, "trees after which rows are drawn again; 0: never"),
    _lightgbm("colsample_bytree", _NUMBER, 1.0, 0.01, 1, "share of the features that each tree sees"),
    _lightgbm("reg_alpha", _NUMBER, 0.0, 0, 1e6, "strength of the L1 regularisation"),
    _lightgbm("reg_lambda", _NUMBER, 0.0, 0, 1e6, "strength of the L2 regularisation"),
)
WEIGHTS = Parameter(
    "class_weight", Kind.STRING, None, "`balanced`: rare classes weigh more", choices=("balanced",), optional=True
)
_QUIET_XGBOOST = {"n_jobs": 1, "verbosity": 0}
_QUIET_LIGHTGBM = {"n_jobs": 1, "verbosity": -1, "deterministic": True, "force_row_wise": True}

ALL = (
    Estimator("XGBClassifier", "xgboost", C, XGBOOST, takes_missing=True, fixed=_QUIET_XGBOOST, counts_classes=True),
    Estimator("LGBMClassifier", "lightgbm", C, (*LIGHTGBM, WEIGHTS), takes_missing=True, fixed=_QUIET_LIGHTGBM),
    Estimator("XGBRegressor", "xgboost", R, XGBOOST, takes_missing=True, fixed=_QUIET_XGBOOST),
    Estimator("LGBMRegressor", "lightgbm", R, LIGHTGBM, takes_missing=True, fixed=_QUIET_LIGHTGBM),
)
EXTRAS = {estimator.name: estimator.module for estimator in ALL}
"""Estimator to the extra that brings it."""
INSTALLED = tuple(estimator for estimator in ALL if find_spec(estimator.module) is not None)
