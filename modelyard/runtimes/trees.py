"""ONNX for trees and ensembles of them, exactly as scikit-learn computes them.

skl2onnx's own converters sum float32 leaf weights that were divided first, so that two classes with equally many votes
are told apart by rounding (42 of 1,564 rows of a digits forest), and its histogram gradient boosting does not convert.
Here the ensemble only finds each tree's leaf, with thresholds in double; what the leaves hold is looked up in a table
of doubles, summed, and only then divided.

Forests, trees and gradient boosting round the input to float32 first, as `sklearn.tree` does; histogram gradient
boosting compares doubles.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from modelyard.runtimes.graph import Graph

_MAX_LEAVES = 1 << 24
"""The number of a leaf travels as a float32, which holds whole numbers up to here."""


@dataclass(slots=True)
class _Forest:
    """The nodes of all trees, and what each leaf holds: `leaves` has one row `(n_values,)` a leaf."""

    treeids: list[int] = field(default_factory=list)
    nodeids: list[int] = field(default_factory=list)
    features: list[int] = field(default_factory=list)
    thresholds: list[float] = field(default_factory=list)
    modes: list[str] = field(default_factory=list)
    lefts: list[int] = field(default_factory=list)
    rights: list[int] = field(default_factory=list)
    missing_left: list[int] = field(default_factory=list)
    leaf_trees: list[int] = field(default_factory=list)
    leaf_nodes: list[int] = field(default_factory=list)
    leaves: list[np.ndarray] = field(default_factory=list)
    n_trees: int = 0

    def add(self, nodes: "list[_Node]") -> None:
        for number, node in enumerate(nodes):
            self.treeids.append(self.n_trees)
            self.nodeids.append(number)
            self.features.append(max(0, node.feature))
            self.thresholds.append(node.threshold)
            self.modes.append("LEAF" if node.leaf is not None else "BRANCH_LEQ")
            self.lefts.append(max(0, node.left))
            self.rights.append(max(0, node.right))
            self.missing_left.append(int(node.missing_left))
            if node.leaf is not None:
                self.leaf_trees.append(self.n_trees)
                self.leaf_nodes.append(number)
                self.leaves.append(node.leaf)
        self.n_trees += 1


@dataclass(frozen=True, slots=True)
class _Node:
    feature: int
    threshold: float
    left: int
    right: int
    missing_left: bool
    leaf: np.ndarray | None


def _nodes(tree: Any, value: Callable[[int], np.ndarray]) -> list[_Node]:
    """Return the nodes of a `sklearn.tree._tree.Tree`."""
    missing = getattr(tree, "missing_go_to_left", None)
    return [
        _Node(
            int(tree.feature[i]),
            float(tree.threshold[i]),
            int(tree.children_left[i]),
            int(tree.children_right[i]),
            bool(missing is not None and missing[i]),
            value(i) if tree.children_left[i] < 0 else None,
        )
        for i in range(tree.node_count)
    ]


def _histogram_nodes(nodes: np.ndarray, place: int, width: int) -> list[_Node]:
    """Return the nodes of a `TreePredictor` of histogram gradient boosting (PREDICTOR_RECORD_DTYPE)."""
    made = []
    for node in nodes:
        if node["is_categorical"]:
            raise RuntimeError("its trees split on categories, which the graph has no operator for")
        leaf = _at(place, float(node["value"]), width) if node["is_leaf"] else None
        # a threshold of infinity sends all numbers to the left, missing ones aside
        threshold = float(node["num_threshold"])
        feature, left, right = int(node["feature_idx"]), int(node["left"]), int(node["right"])
        made.append(_Node(feature, threshold, left, right, bool(node["missing_go_to_left"]), leaf))
    return made


def _at(place: int, value: float, width: int) -> np.ndarray:
    row = np.zeros(width)
    row[place] = value
    return row


class _Graph(Graph):
    """With what an ensemble of trees needs."""

    def sums(self, taken: str, forest: _Forest, rounded: bool) -> str:
        """Return `(n_rows, n_values)` double: the sum over the trees of what the leaves hold."""
        from onnx import TensorProto, helper

        if len(forest.leaves) > _MAX_LEAVES:
            raise RuntimeError(f"it has more than {_MAX_LEAVES} leaves")
        value = self.add("Cast", taken, to=TensorProto.FLOAT) if rounded else taken
        value = self.add("Cast", value, to=TensorProto.DOUBLE)
        count = len(forest.leaves)
        found = self.add(
            "TreeEnsembleRegressor",
            value,
            domain="ai.onnx.ml",
            version=3,
            n_targets=forest.n_trees,
            aggregate_function="SUM",
            post_transform="NONE",
            nodes_treeids=forest.treeids,
            nodes_nodeids=forest.nodeids,
            nodes_featureids=forest.features,
            nodes_modes=forest.modes,
            nodes_truenodeids=forest.lefts,
            nodes_falsenodeids=forest.rights,
            nodes_missing_value_tracks_true=forest.missing_left,
            nodes_values_as_tensor=helper.make_tensor(
                "thresholds", TensorProto.DOUBLE, [len(forest.thresholds)], forest.thresholds
            ),
            target_treeids=forest.leaf_trees,
            target_nodeids=forest.leaf_nodes,
            target_ids=forest.leaf_trees,
            target_weights_as_tensor=helper.make_tensor(
                "leaves", TensorProto.DOUBLE, [count], [float(i) for i in range(count)]
            ),
        )
        places = self.add("Cast", found, to=TensorProto.INT64)
        held = self.add("Gather", self.constant(np.array(forest.leaves, dtype=np.float64)), places, axis=0)
        return self.add("ReduceSum", held, self.constant(np.array([1], dtype=np.int64)), keepdims=0)

    def label(self, places: str, classes: np.ndarray, output: str) -> None:
        """Turn places among the classes into the classes."""
        kept = classes.astype(np.int64) if classes.dtype.kind in "iub" else classes
        self.add("Gather", self.constant(kept), places, axis=0, output=output)


def _trees_of(model: Any) -> list[Any]:
    return list(np.asarray(model.estimators_, dtype=object).ravel()) if hasattr(model, "estimators_") else [model]


def _mean(scope: Any, operator: Any, container: Any) -> None:
    """A tree or a forest: the mean over the trees of a leaf's class shares, or of its value."""
    model = operator.raw_operator
    if model.n_outputs_ != 1:
        raise RuntimeError("it has several outputs")
    graph, forest = _Graph(scope, container), _Forest()
    for member in _trees_of(model):
        values = member.tree_.value[:, 0, :]
        forest.add(_nodes(member.tree_, values.__getitem__))
    total = graph.sums(operator.inputs[0].full_name, forest, rounded=True)
    outputs = [variable.full_name for variable in operator.outputs]
    divisor = graph.constant(np.array([forest.n_trees], dtype=np.float64))
    shares = graph.add("Div", total, divisor, output=outputs[-1])
    if hasattr(model, "classes_"):
        graph.label(graph.add("ArgMax", shares, axis=1, keepdims=0), model.classes_, outputs[0])


def _boosted(scope: Any, operator: Any, container: Any) -> None:
    """Gradient boosting, with histograms or without: a start, and the sum of the trees of each class."""
    model = operator.raw_operator
    graph, forest = _Graph(scope, container), _Forest()
    histogram = hasattr(model, "_predictors")
    start = _histogram_start(model, forest) if histogram else _plain_start(model, forest)
    total = graph.sums(operator.inputs[0].full_name, forest, rounded=not histogram)
    raw = graph.add("Add", total, graph.constant(start.reshape(1, -1)))
    outputs = [variable.full_name for variable in operator.outputs]
    if hasattr(model, "classes_"):
        _decide(graph, raw, model, outputs, ties_up=not histogram)
        return
    link = type(model._loss.link).__name__
    if link not in ("IdentityLink", "LogLink"):
        raise RuntimeError(f"its loss has the link {link}")
    graph.add("Exp" if link == "LogLink" else "Identity", raw, output=outputs[0])


def _histogram_start(model: Any, forest: _Forest) -> np.ndarray:
    if getattr(model, "_preprocessor", None) is not None:
        raise RuntimeError("it takes categories, which the graph has no operator for")
    width = model.n_trees_per_iteration_
    for iteration in model._predictors:
        for place, predictor in enumerate(iteration):
            forest.add(_histogram_nodes(predictor.nodes, place, width))
    start: np.ndarray = np.asarray(model._baseline_prediction, dtype=np.float64).reshape(-1)
    return start


def _plain_start(model: Any, forest: _Forest) -> np.ndarray:
    kind = type(model.init_).__name__
    if model.init_ != "zero" and kind not in ("DummyClassifier", "DummyRegressor"):
        raise RuntimeError(f"it starts from a {kind}")
    width = model.estimators_.shape[1]
    for stage in model.estimators_:
        for place, member in enumerate(stage):
            values = member.tree_.value[:, 0, 0] * model.learning_rate
            forest.add(_nodes(member.tree_, lambda i, p=place, v=values: _at(p, float(v[i]), width)))  # type: ignore[misc]
    start: np.ndarray = np.asarray(
        model._raw_predict_init(np.zeros((1, model.n_features_in_), dtype=np.float32)), dtype=np.float64
    ).reshape(-1)
    return start


def _decide(graph: _Graph, raw: str, model: Any, outputs: list[str], ties_up: bool) -> None:
    """Turn raw scores into a class and probabilities: logistic for two classes, softmax for more."""
    from onnx import TensorProto

    if type(model._loss).__name__ not in ("HalfBinomialLoss", "HalfMultinomialLoss"):
        raise RuntimeError(f"its loss is {type(model._loss).__name__}")
    if type(model._loss).__name__ == "HalfMultinomialLoss":
        graph.add("Softmax", raw, axis=1, output=outputs[1])
        graph.label(graph.add("ArgMax", raw, axis=1, keepdims=0), model.classes_, outputs[0])
        return
    second = graph.add("Sigmoid", raw)
    first = graph.add("Sub", graph.constant(np.array([[1.0]])), second)
    graph.add("Concat", first, second, axis=1, output=outputs[1])
    above = graph.add(
        "GreaterOrEqual" if ties_up else "Greater",
        raw,
        graph.constant(np.array([[0.0]])),
        version=16 if ties_up else 13,
    )
    place = graph.add("Cast", above, to=TensorProto.INT64)
    flat = graph.add("Reshape", place, graph.constant(np.array([-1], dtype=np.int64)))
    graph.label(flat, model.classes_, outputs[0])


def _classifier_shape(operator: Any) -> None:
    from skl2onnx.common.data_types import DoubleTensorType
    from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes

    calculate_linear_classifier_output_shapes(operator)
    operator.outputs[1].type = DoubleTensorType([None, len(operator.raw_operator.classes_)])


def _regressor_shape(operator: Any) -> None:
    from skl2onnx.common.data_types import DoubleTensorType

    operator.outputs[0].type = DoubleTensorType([None, 1])


def register() -> None:
    """Put these converters in the place of skl2onnx's own, in this process."""
    from skl2onnx import update_registered_converter
    from sklearn import ensemble, tree

    options = {
        "zipmap": [True, False, "columns"],
        "nocl": [True, False],
        "output_class_labels": [False, True],
        "raw_scores": [True, False],
    }
    means = (tree.DecisionTreeClassifier, tree.DecisionTreeRegressor, tree.ExtraTreeClassifier, tree.ExtraTreeRegressor)
    forests = (
        ensemble.RandomForestClassifier,
        ensemble.RandomForestRegressor,
        ensemble.ExtraTreesClassifier,
        ensemble.ExtraTreesRegressor,
    )
    boosted = (
        ensemble.GradientBoostingClassifier,
        ensemble.GradientBoostingRegressor,
        ensemble.HistGradientBoostingClassifier,
        ensemble.HistGradientBoostingRegressor,
    )
    for kind in (*means, *forests, *boosted):
        classifies = kind.__name__.endswith("Classifier")
        update_registered_converter(
            kind,
            f"Modelyard{kind.__name__}",
            _classifier_shape if classifies else _regressor_shape,
            _boosted if kind in boosted else _mean,
            options=options if classifies else {},
        )
