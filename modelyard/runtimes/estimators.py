"""What a fitted estimator says of the columns that it takes: types, categories, ranges, missing values, and the points
around which its answer changes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

_MAX_POINTS = 4000


@dataclass(slots=True)
class Facts:
    """Of one column of the input.

    Attributes:
        kind: "number", "string", "integer" or "bool".
        categories: seen in training, where an encoder kept them.
        optional: something in the way of this column takes missing values.
        missing_is_none: there they are None, else NaN: scikit-learn tells the two apart.
        low: the smallest value seen, or a value below the middle that is usual.
        high: its counterpart.
        points: raw values around which the answer may change: thresholds of trees, mapped back through scalers.
    """

    kind: str = "number"
    categories: list[Any] | None = None
    optional: bool = False
    missing_is_none: bool = False
    low: float | None = None
    high: float | None = None
    points: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Way:
    """How a feature inside a pipeline comes from a raw column: `raw = value * scale + offset`."""

    column: int
    scale: float = 1.0
    offset: float = 0.0

    def raw(self, value: float) -> float:
        return value * self.scale + self.offset


Ways = list[Way | None]


def steps_of(estimator: Any) -> list[Any]:
    """Return the steps of a pipeline (nested ones flattened), or the estimator alone."""
    if type(estimator).__name__ == "Pipeline" and hasattr(estimator, "steps"):
        return [inner for _, step in estimator.steps for inner in steps_of(step) if inner not in (None, "passthrough")]
    return [estimator]


def describe(estimator: Any) -> list[str]:
    """Return the names of the classes of the steps."""
    return [type(step).__name__ for step in steps_of(estimator)]


def facts_of(estimator: Any, names: Sequence[str]) -> list[Facts]:
    """Return the facts of each of the columns `names`; `names` also tell columns that are chosen by name."""
    facts, ways = _read(estimator, names)
    last = steps_of(estimator)[-1]
    for index in _may_be_missing(last, len(ways)):
        way = ways[index]
        if way:
            facts[way.column].optional = True
    ways = _categorised(last, ways, facts, names)
    _ends(last, ways, facts)
    return facts


def missing_as_none(estimator: Any, names: Sequence[str]) -> list[bool]:
    """Tell of each of the columns `names` whether its missing values were None in the training, not NaN."""
    return [fact.missing_is_none for fact in _read(estimator, names)[0]]


def _categorised(last: Any, ways: Ways, facts: list[Facts], names: Sequence[str]) -> Ways:
    """Return where the features of histogram gradient boosting's trees come from: it encodes categories itself, and
    puts them first."""
    encoder = getattr(last, "_preprocessor", None)
    if encoder is None:
        return ways
    parts = {name: (part, [ways[i] for i in _indices(chosen, names)]) for name, part, chosen in encoder.transformers_}
    return _through(*parts["encoder"], facts, names) + parts["numerical"][1]


def _may_be_missing(last: Any, width: int) -> set[int]:
    """Return the features that surely were missing in some rows of the training: there a tree has a threshold that is
    infinite. Histogram gradient boosting takes missing values everywhere."""
    if type(last).__name__.startswith("HistGradientBoosting"):
        return set(range(width))
    told = (tree.feature[(tree.feature >= 0) & np.isinf(tree.threshold)] for tree in _trees(last))
    return {feature for features in told for feature in features.tolist() if feature < width}


def _read(estimator: Any, names: Sequence[str]) -> tuple[list[Facts], Ways]:
    """Return what all steps but the last tell, and where the last one's features come from."""
    facts = [Facts() for _ in names]
    ways: Ways = [Way(index) for index in range(len(names))]
    for step in steps_of(estimator)[:-1]:
        ways = _through(step, ways, facts, names)
    return facts, ways


def kept_rows(estimator: Any, names: Sequence[str]) -> np.ndarray | None:
    """Return `(n, len(names))` raw rows that the predictor has kept of its training (support vectors, neighbours), at
    most 500; None when it keeps none, or they cannot be brought back to what went in."""
    _, ways = _read(estimator, names)
    points = _kept(steps_of(estimator)[-1], len(ways))
    if points is None or {way.column for way in ways if way} != set(range(len(names))) or None in ways:
        return None
    rows = np.empty((len(points), len(names)))
    for index, way in enumerate(ways):
        if way:
            rows[:, way.column] = points[:, index] * way.scale + way.offset
    return rows if np.isfinite(rows).all() else None


def _kept(last: Any, width: int) -> np.ndarray | None:
    for name in ("support_vectors_", "_fit_X"):
        points = getattr(last, name, None)
        if isinstance(points, np.ndarray) and points.ndim == 2 and points.shape[1] == width and len(points):
            chosen = np.random.default_rng(0).choice(len(points), min(len(points), 500), replace=False)
            return np.asarray(points[chosen], dtype=np.float64)
    return None


def _through(step: Any, ways: Ways, facts: list[Facts], names: Sequence[str]) -> Ways:
    """Note what a transformer tells, and return where its outputs come from."""
    kind = type(step).__name__
    if step == "passthrough" or (kind == "FunctionTransformer" and step.func is None):
        return ways
    if kind == "Pipeline":
        for inner in steps_of(step):
            ways = _through(inner, ways, facts, names)
        return ways
    if kind == "ColumnTransformer":
        return _columns(step, ways, facts, names)
    if kind in ("OneHotEncoder", "OrdinalEncoder", "TargetEncoder"):
        for way, categories in zip(ways, step.categories_, strict=False):
            if way:
                _note_categories(facts[way.column], categories)
        return _unknown(step, len(ways))
    if kind in ("SimpleImputer", "KNNImputer", "IterativeImputer"):
        return _imputer(step, ways, facts)
    return _scaler(step, kind, ways, facts)


def _unknown(step: Any, width: int) -> Ways:
    try:
        return [None] * len(step.get_feature_names_out())
    except Exception:
        return [None] * width


def _columns(step: Any, ways: Ways, facts: list[Facts], names: Sequence[str]) -> Ways:
    out: Ways = [None] * max((part.stop for part in step.output_indices_.values()), default=0)
    for name, transformer, chosen in step.transformers_:
        if transformer == "drop":
            continue
        indices = _indices(chosen, names)
        inner = _through(transformer, [ways[i] if i < len(ways) else None for i in indices], facts, names)
        place = step.output_indices_.get(name, slice(0, 0))
        if place.stop - place.start == len(inner):
            out[place] = inner
    return out


def _indices(chosen: Any, names: Sequence[str]) -> list[int]:
    if isinstance(chosen, slice):
        return _sliced(chosen, names)
    listed = [chosen] if isinstance(chosen, str | int) else list(chosen)
    if listed and all(isinstance(item, bool | np.bool_) for item in listed):
        return [index for index, keep in enumerate(listed) if keep]
    places = {name: index for index, name in enumerate(names)}
    return [
        places[item] if isinstance(item, str) else int(item)
        for item in listed
        if not isinstance(item, str) or item in places
    ]


def _sliced(chosen: slice, names: Sequence[str]) -> list[int]:
    """Return the places of a slice; one of names has its end in it, as in pandas."""
    start, stop = chosen.start, chosen.stop
    if isinstance(start, str):
        start = names.index(start)
    if isinstance(stop, str):
        stop = names.index(stop) + 1
    return list(range(*slice(start, stop, chosen.step).indices(len(names))))


def _note_categories(fact: Facts, categories: np.ndarray) -> None:
    values = categories.tolist()
    present = [value for value in values if value is not None and value == value]
    fact.optional = fact.optional or len(present) < len(values)
    if len(present) < len(values):
        fact.missing_is_none = all(value is None or value == value for value in values)
    fact.categories = present
    if present and all(isinstance(value, str) for value in present):
        fact.kind = "string"
    elif present and all(isinstance(value, bool) for value in present):
        fact.kind = "bool"
    elif present and all(isinstance(value, int) for value in present):
        fact.kind = "integer"


def _imputer(step: Any, ways: Ways, facts: list[Facts]) -> Ways:
    marks = getattr(step, "missing_values", np.nan)
    missing = marks is None or (isinstance(marks, float) and np.isnan(marks)) or type(marks).__name__ == "NAType"
    statistics = getattr(step, "statistics_", None)
    for index, way in enumerate(ways):
        if way is None:
            continue
        facts[way.column].optional = facts[way.column].optional or missing
        facts[way.column].missing_is_none = facts[way.column].missing_is_none or marks is None
        if statistics is not None and isinstance(statistics[index], str):
            facts[way.column].kind = "string"
    # it drops columns in which it saw no value, and may add some that say what was missing
    through = _unknown(step, len(ways))
    return ways if len(through) == len(ways) else through


def _scaler(step: Any, kind: str, ways: Ways, facts: list[Facts]) -> Ways:
    width = len(ways)

    def numbers(name: str, default: float) -> list[float]:
        values = getattr(step, name, None)
        return [default] * width if values is None else [float(value) for value in values]

    if kind == "StandardScaler":
        scale, middle = numbers("scale_", 1.0), numbers("mean_", 0.0)
        offset = middle if step.with_mean else [0.0] * width  # without, it knows the mean but takes nothing off
        spread = np.sqrt(step.var_).tolist() if step.var_ is not None else scale
        low = [m - 3 * s for m, s in zip(middle, spread, strict=True)]
        high = [m + 3 * s for m, s in zip(middle, spread, strict=True)]
    elif kind == "MinMaxScaler":
        scale = [1 / s if s else 1.0 for s in numbers("scale_", 1.0)]
        offset = [-m * s for m, s in zip(numbers("min_", 0.0), scale, strict=True)]
        low, high = numbers("data_min_", 0.0), numbers("data_max_", 1.0)
    elif kind == "MaxAbsScaler":
        scale, offset = numbers("scale_", 1.0), [0.0] * width
        low, high = [-s for s in scale], scale
    elif kind == "RobustScaler":
        scale, offset = numbers("scale_", 1.0), numbers("center_", 0.0)
        low = [o - 3 * s for o, s in zip(offset, scale, strict=True)]
        high = [o + 3 * s for o, s in zip(offset, scale, strict=True)]
    else:
        return _unknown(step, width)
    for index, way in enumerate(ways):
        if way:
            _note_range(facts[way.column], way.raw(low[index]), way.raw(high[index]))
    return [way and Way(way.column, scale[i] * way.scale, way.raw(offset[i])) for i, way in enumerate(ways)]


def _note_range(fact: Facts, low: float, high: float) -> None:
    if fact.low is None and np.isfinite([low, high]).all() and low <= high:
        fact.low, fact.high = low, high


def _ends(last: Any, ways: Ways, facts: list[Facts]) -> None:
    """Note the points around which the predictor changes its mind, and from them the ranges not yet known."""
    for index, values in enumerate(_turning_points(last, len(ways))):
        way = ways[index]
        if way is None or not len(values):
            continue
        raw = [point for point in (way.raw(float(value)) for value in values) if np.isfinite(point)]
        fact = facts[way.column]
        fact.points.extend(raw[: _MAX_POINTS // max(1, len(ways)) + 1])
        if raw:
            room = (max(raw) - min(raw)) or abs(max(raw)) or 1.0
            _note_range(fact, min(raw) - room / 4, max(raw) + room / 4)


def _turning_points(last: Any, width: int) -> list[np.ndarray]:
    found: list[list[float]] = [[] for _ in range(width)]
    for tree in _trees(last):
        inner = tree.feature >= 0
        for feature, threshold in zip(tree.feature[inner].tolist(), tree.threshold[inner].tolist(), strict=True):
            if feature < width:
                if not np.isfinite(threshold):
                    continue  # it tells missing values from all others
                # trees compare float32(x) with the threshold: the neighbours in float32 matter too
                near = np.float32(threshold)
                found[feature] += [
                    threshold,
                    float(np.nextafter(near, np.float32(np.inf))),
                    float(np.nextafter(near, np.float32(-np.inf))),
                ]
    for iteration in getattr(last, "_predictors", ()):
        for predictor in iteration:
            for node in predictor.nodes[(predictor.nodes["is_leaf"] == 0) & (predictor.nodes["is_categorical"] == 0)]:
                if node["feature_idx"] < width:
                    found[int(node["feature_idx"])].append(float(node["num_threshold"]))
    points = _kept(last, width)
    if points is not None:
        for index in range(width):
            found[index] += points[:, index].tolist()
    random = np.random.default_rng(0)
    return [random.permutation(np.unique(values)) for values in found]


def _trees(last: Any) -> list[Any]:
    """Return the fitted trees of a tree or a forest, boosted or not, also within votes and wrappers."""
    if hasattr(last, "tree_"):
        return [last.tree_]
    members = getattr(last, "estimators_", None)
    if members is None:
        return []
    return [tree for member in np.asarray(members, dtype=object).ravel().tolist() for tree in _trees(member)]
