"""The estimators that may be trained, of scikit-learn and, where they are installed, of the packages of `boosting`.
Nothing else is imported by a name that a request holds.

Defaults are each package's own, and a test compares them. Ranges keep a mistake from holding a worker for hours.
"""

from typing import Any

from modelyard.core.errors import InvalidInput
from modelyard.core.metrics import nearest
from modelyard.trainers.tabular import boosting
from modelyard.trainers.tabular.estimators import Estimator, Kind, Parameter, Task, Value

C, R = Task.CLASSIFICATION, Task.REGRESSION


def _whole(name: str, default: Value, low: int, high: int, help: str, **more: Any) -> Parameter:
    return Parameter(name, Kind.INTEGER, default, help, low, high, **more)


def _number(name: str, default: Value, low: float, high: float, help: str, **more: Any) -> Parameter:
    return Parameter(name, Kind.NUMBER, default, help, low, high, **more)


def _choice(name: str, default: Value, choices: str, help: str, **more: Any) -> Parameter:
    return Parameter(name, Kind.STRING, default, help, choices=tuple(choices.split()), **more)


def _flag(name: str, default: bool, help: str) -> Parameter:
    return Parameter(name, Kind.BOOLEAN, default, help)


def _alpha(default: float) -> Parameter:
    return _number("alpha", default, 0, 1e6, "strength of the regularisation; 0 is none")


def _rounds(default: int) -> Parameter:
    return _whole("max_iter", default, 1, 100_000, "passes at most")


def _tolerance(default: float) -> Parameter:
    return _number("tol", default, 1e-12, 1, "gain below which fitting ends")


def _depth(default: int | None) -> Parameter:
    return _whole("max_depth", default, 1, 100, "levels of a tree; null: no bound", optional=True)


def _width(default: Value) -> Parameter:
    return _number("max_features", default, 0.01, 1.0, "share of the features that a split looks at",
                   choices=("sqrt", "log2"), optional=True)  # fmt: skip


def _trees(default: int) -> Parameter:
    return _whole("n_estimators", default, 1, 5_000, "trees")


def _rate(default: float) -> Parameter:
    return _number("learning_rate", default, 1e-4, 10, "share of each step that counts")


def _leaves(default: int | None) -> Parameter:
    return _whole("max_leaf_nodes", default, 2, 100_000, "leaves of a tree; null: no bound", optional=True)


INTERCEPT = _flag("fit_intercept", True, "learn a constant too")
WEIGHTS = _choice("class_weight", None, "balanced", "`balanced`: rare classes weigh more", optional=True)
STRENGTH = _number("C", 1.0, 1e-6, 1e6, "inverse of the strength of the regularisation")
SPLIT = _whole("min_samples_split", 2, 2, 100_000, "rows that a node must have to be split")
LEAF = _whole("min_samples_leaf", 1, 1, 100_000, "rows that a leaf must have")
L1 = _number("l1_ratio", 0.5, 0, 1, "share of L1 in the penalty")
L1_SGD = _number("l1_ratio", 0.15, 0, 1, "share of L1 in the penalty, where it is `elasticnet`")
PENALTY = "l2 l1 elasticnet"
SUBSAMPLE = _number("subsample", 1.0, 0.01, 1, "share of the rows that each tree sees")
KERNEL = _choice("kernel", "rbf", "linear poly rbf sigmoid", "the kernel")
DEGREE = _whole("degree", 3, 1, 10, "of the kernel `poly`")
GAMMA = _number("gamma", "scale", 1e-9, 1e6, "width of the kernel", choices=("scale", "auto"))
EPSILON = _number("epsilon", 0.1, 0, 1e6, "error that costs nothing")
NEIGHBOURS = (
    _whole("n_neighbors", 5, 1, 10_000, "neighbours that are asked"),
    _choice("weights", "uniform", "uniform distance", "`distance`: nearer ones weigh more"),
    _number("p", 2, 1, 10, "power of the distance: 1 Manhattan, 2 Euclid"),
)
BOOSTING = (
    _trees(100), _rate(0.1), _depth(3), SUBSAMPLE, SPLIT, LEAF, _width(None),
    _whole("n_iter_no_change", None, 1, 1_000, "rounds without gain after which it ends; null: never", optional=True),
)  # fmt: skip
HISTOGRAMS = (
    _rate(0.1), _whole("max_iter", 100, 1, 5_000, "trees"), _leaves(31), _depth(None),
    _whole("min_samples_leaf", 20, 1, 100_000, "rows that a leaf must have"),
    _number("l2_regularization", 0.0, 0, 1e6, "strength of the regularisation"),
    _whole("max_bins", 255, 2, 255, "bins of a feature"),
    Parameter("early_stopping", Kind.BOOLEAN, "auto", choices=("auto",),
              help="end when a tenth of the rows, held back, gains no more; `auto`: with more than 10,000 rows"),
)  # fmt: skip
NETWORK = (
    Parameter("hidden_layer_sizes", Kind.INTEGERS, [100], "neurons of each hidden layer", 1, 5_000),
    _choice("activation", "relu", "identity logistic tanh relu", "of the hidden layers"),
    _choice("solver", "adam", "adam sgd lbfgs", "how the weights are found"),
    _alpha(0.0001), _rounds(200), _tolerance(1e-4),
    _number("learning_rate_init", 0.001, 1e-6, 1, "size of the first steps"),
    _flag("early_stopping", False, "end when a tenth of the rows, held back, gains no more"),
)  # fmt: skip
DESCENT = (_choice("penalty", "l2", PENALTY, "the penalty", optional=True), _alpha(0.0001), L1_SGD, INTERCEPT,
           _rounds(1000), _tolerance(1e-3))  # fmt: skip


def _criterion(task: Task) -> Parameter:
    words = "gini entropy log_loss" if task is C else "squared_error absolute_error"
    return _choice("criterion", words.split()[0], words, "what a split shall lessen")


def _forest(name: str, task: Task) -> Estimator:
    width: Value = "sqrt" if task is C else 1.0
    bootstrap = _flag("bootstrap", name.startswith("Random"), "each tree sees a draw of the rows, with repetition")
    parts = (_trees(100), _criterion(task), _depth(None), SPLIT, LEAF, _leaves(None), _width(width), bootstrap)
    return Estimator(name, "sklearn.ensemble", task, (*parts, WEIGHTS) if task is C else parts, takes_missing=True)


def _tree(name: str, task: Task) -> Estimator:
    parts = (_criterion(task), _depth(None), SPLIT, LEAF, _leaves(None))
    return Estimator(name, "sklearn.tree", task, (*parts, WEIGHTS) if task is C else parts, takes_missing=True)


_LISTED = (
    Estimator("LogisticRegression", "sklearn.linear_model", C,
              (STRENGTH, INTERCEPT, WEIGHTS, _rounds(100), _tolerance(1e-4),
               _choice("solver", "lbfgs", "lbfgs newton-cg newton-cholesky sag saga", "how the weights are found"))),
    Estimator("RidgeClassifier", "sklearn.linear_model", C, (_alpha(1.0), INTERCEPT, WEIGHTS)),
    Estimator("Perceptron", "sklearn.linear_model", C,
              (_choice("penalty", None, PENALTY, "the penalty", optional=True), _alpha(0.0001), L1_SGD, INTERCEPT,
               _rounds(1000), _tolerance(1e-3), _number("eta0", 1.0, 1e-9, 1e6, "size of the steps"), WEIGHTS)),
    Estimator("SGDClassifier", "sklearn.linear_model", C,
              (_choice("loss", "hinge", "hinge log_loss modified_huber squared_hinge perceptron", "the loss"),
               *DESCENT, WEIGHTS)),
    _forest("RandomForestClassifier", C),
    _forest("ExtraTreesClassifier", C),
    Estimator("GradientBoostingClassifier", "sklearn.ensemble", C, BOOSTING),
    Estimator("HistGradientBoostingClassifier", "sklearn.ensemble", C, (*HISTOGRAMS, WEIGHTS), takes_missing=True),
    Estimator("KNeighborsClassifier", "sklearn.neighbors", C, NEIGHBOURS),
    Estimator("SVC", "sklearn.svm", C, (STRENGTH, KERNEL, DEGREE, GAMMA, _tolerance(1e-3), WEIGHTS)),
    Estimator("LinearSVC", "sklearn.svm", C,
              (STRENGTH, _choice("loss", "squared_hinge", "hinge squared_hinge", "the loss"), INTERCEPT,
               _rounds(1000), _tolerance(1e-4), WEIGHTS)),
    Estimator("GaussianNB", "sklearn.naive_bayes", C,
              (_number("var_smoothing", 1e-9, 0, 1, "share of the largest variance that is added to all"),)),
    Estimator("MLPClassifier", "sklearn.neural_network", C, NETWORK),
    _tree("DecisionTreeClassifier", C),
    Estimator("DummyClassifier", "sklearn.dummy", C,
              (_choice("strategy", "prior", "most_frequent prior stratified uniform", "what it says"),)),
    Estimator("LinearRegression", "sklearn.linear_model", R,
              (INTERCEPT, _flag("positive", False, "no weight below 0"))),
    Estimator("Ridge", "sklearn.linear_model", R, (_alpha(1.0), INTERCEPT)),
    Estimator("Lasso", "sklearn.linear_model", R, (_alpha(1.0), INTERCEPT, _rounds(1000), _tolerance(1e-4))),
    Estimator("ElasticNet", "sklearn.linear_model", R,
              (_alpha(1.0), L1, INTERCEPT, _rounds(1000), _tolerance(1e-4))),
    Estimator("SGDRegressor", "sklearn.linear_model", R,
              (_choice("loss", "squared_error",
                       "squared_error huber epsilon_insensitive squared_epsilon_insensitive", "the loss"), *DESCENT)),
    _forest("RandomForestRegressor", R),
    _forest("ExtraTreesRegressor", R),
    Estimator("GradientBoostingRegressor", "sklearn.ensemble", R,
              (_choice("loss", "squared_error", "squared_error absolute_error huber quantile", "the loss"),
               _number("alpha", 0.9, 0.001, 0.999, "the quantile, of the losses `huber` and `quantile`"), *BOOSTING)),
    Estimator("HistGradientBoostingRegressor", "sklearn.ensemble", R,
              (_choice("loss", "squared_error", "squared_error absolute_error gamma poisson", "the loss"),
               *HISTOGRAMS), takes_missing=True),
    Estimator("KNeighborsRegressor", "sklearn.neighbors", R, NEIGHBOURS),
    Estimator("SVR", "sklearn.svm", R, (STRENGTH, EPSILON, KERNEL, DEGREE, GAMMA, _tolerance(1e-3))),
    Estimator("MLPRegressor", "sklearn.neural_network", R, NETWORK),
    _tree("DecisionTreeRegressor", R),
    Estimator("DummyRegressor", "sklearn.dummy", R, (_choice("strategy", "mean", "mean median", "what it says"),)),
)  # fmt: skip

TABLE = {estimator.name: estimator for estimator in (*_LISTED, *boosting.INSTALLED)}
DEFAULT = {C: "RandomForestClassifier", R: "RandomForestRegressor"}


def find(name: str, place: str) -> Estimator:
    """Return a listed estimator.

    Raises:
        InvalidInput: with the nearest name, when it is none.
    """
    if name not in TABLE and name in boosting.EXTRAS:
        extra = boosting.EXTRAS[name]
        message = f"`{name}` is not installed here: have the operator install `modelyard[{extra}]`"
        raise InvalidInput.at(place, message, "unknown")
    if name not in TABLE:
        shown = name[:100]
        raise InvalidInput.at(place, f"`{shown}` is no estimator that is listed; {nearest(shown, TABLE)}", "unknown")
    return TABLE[name]
