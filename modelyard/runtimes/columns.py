"""ONNX for what prepares columns before an estimator: one-hot encoding and imputing, exactly as scikit-learn does them.

skl2onnx's own one-hot encoder gives float32 beside the doubles of scaled numbers, which ONNX Runtime refuses to join,
and knows no rare categories that are one; its imputer knows no missing texts, and rounds what it fills in to float32.
Here a category is only looked up, and what scikit-learn itself gives it is set.
"""

from copy import copy
from typing import Any

import numpy as np

from modelyard.runtimes.graph import Graph
from modelyard.runtimes.missing import MISSING_TEXT, is_missing

_REFUSAL = "a_category_that_OneHotEncoder_has_not_seen"
_MOST_WHOLE = 2**53
"""Doubles hold all whole numbers below it."""


def _encode(scope: Any, operator: Any, container: Any) -> None:
    """One-hot encoding; rare, dropped and unknown categories as the fitted encoder has them."""
    encoder = operator.raw_operator
    graph = Graph(scope, container)
    columns = _columns(graph, operator.inputs)
    if len(columns) != len(encoder.categories_):
        raise RuntimeError(f"it encodes {len(encoder.categories_)} columns, and {len(columns)} come to it")
    parts = []
    for (name, is_text), categories, (chosen, width) in zip(
        columns, encoder.categories_, _chosen(encoder), strict=True
    ):
        place = _place(graph, name, is_text, categories)
        output = graph.add("Gather", graph.constant(chosen), place, axis=0, called=_REFUSAL)
        values, depth = np.array([0, 1], dtype=np.float32), np.array([width], dtype=np.int64)
        if width:  # past the last output ONNX sets none
            hot = graph.add("OneHot", output, graph.constant(depth), graph.constant(values), axis=-1)
            parts.append(_double(graph, hot))
    if not parts:
        raise RuntimeError("it gives no column: leave it out")
    graph.add("Concat", *parts, axis=1, output=operator.outputs[0].full_name)


def _columns(graph: Graph, inputs: Any) -> list[tuple[str, bool]]:
    """Return the name `(n_rows, 1)` of each column, and whether it holds texts."""
    from skl2onnx.common.data_types import StringTensorType

    found = []
    for variable in inputs:
        width, is_text = variable.type.shape[1], isinstance(variable.type, StringTensorType)
        for place in range(width):
            name = variable.full_name
            if width > 1:
                name = graph.add("Gather", name, graph.constant(np.array([place], dtype=np.int64)), axis=1)
            found.append((name if is_text else _double(graph, name), is_text))
    return found


def _double(graph: Graph, name: str) -> str:
    from onnx import TensorProto

    return graph.add("Cast", name, to=TensorProto.DOUBLE)


def _place(graph: Graph, name: str, is_text: bool, categories: np.ndarray) -> str:
    """Return `(n_rows,)`: the place of each value among the categories, their number where it is none of them."""
    from onnx import TensorProto

    count = len(categories)
    if is_text:
        keys = [MISSING_TEXT if is_missing(one) else one for one in categories.tolist()]
        if not all(isinstance(key, str) for key in keys) or len(set(keys)) < count:
            raise RuntimeError("its categories are not all texts")
        places = graph.add(
            "LabelEncoder",
            name,
            domain="ai.onnx.ml",
            version=2,
            keys_strings=[key.encode() for key in keys],
            values_int64s=list(range(count)),
            default_int64=count,
        )
        return graph.add("Reshape", places, graph.constant(np.array([-1], dtype=np.int64)))
    numbers = categories.astype(np.float64)
    if not (np.abs(numbers) < _MOST_WHOLE).all():
        raise RuntimeError("its categories have a missing number, or one too large for a double")
    equal = graph.add("Cast", graph.add("Equal", name, graph.constant(numbers.reshape(1, -1))), to=TensorProto.INT64)
    before_end = np.arange(-count, 0, dtype=np.int64).reshape(1, -1)
    chosen = graph.add("Mul", equal, graph.constant(before_end))
    axis, end = graph.constant(np.array([1], dtype=np.int64)), graph.constant(np.array([count], dtype=np.int64))
    return graph.add("Add", graph.add("ReduceSum", chosen, axis, keepdims=0), end)


def _chosen(encoder: Any) -> list[tuple[np.ndarray, int]]:
    """Return for each column which of its outputs is 1, the number of them where none is, and that number: for each
    category, and at the end for a value that it has not seen. Where it refuses such a value there is no last one: ONNX
    Runtime then fails, too."""
    rare = getattr(encoder, "infrequent_categories_", None) or [None] * len(encoder.categories_)
    longest = max(len(categories) for categories in encoder.categories_)
    rows = np.empty((longest, len(encoder.categories_)), dtype=object)
    for place, categories in enumerate(encoder.categories_):
        rows[:, place] = [categories[min(row, len(categories) - 1)] for row in range(longest)]
    sparse = copy(encoder).set_params(sparse_output=True)  # of many categories the whole matrix would be large
    encoded = sparse.transform(_typed(rows, encoder.categories_)).tocsc()
    found, begin = [], 0
    for place, categories in enumerate(encoder.categories_):
        merged = len(rare[place]) - 1 if rare[place] is not None else 0
        dropped = encoder.drop_idx_ is not None and encoder.drop_idx_[place] is not None
        width = len(categories) - merged - int(dropped)
        ones = encoded[: len(categories), begin : begin + width].tocoo()
        chosen = np.full(len(categories), width, dtype=np.int64)
        chosen[ones.row] = ones.col
        begin += width
        found.append((np.concatenate([chosen, _unseen(encoder, chosen, width, categories, rare[place])]), width))
    if begin != encoded.shape[1]:
        raise RuntimeError("its outputs are not told by its categories")
    return found


def _typed(rows: np.ndarray, categories: list[np.ndarray]) -> np.ndarray:
    """Return rows of numbers alone as numbers, which is how the encoder looks them up."""
    kinds = {array.dtype.kind for array in categories}
    return rows if "O" in kinds or "U" in kinds else rows.astype(np.result_type(*categories))


def _unseen(
    encoder: Any, chosen: np.ndarray, width: int, categories: np.ndarray, rare: np.ndarray | None
) -> np.ndarray:
    if encoder.handle_unknown == "error":
        return chosen[:0]
    if encoder.handle_unknown == "ignore" or rare is None:
        return np.array([width])
    return chosen[categories.tolist().index(rare[0]) :][:1]


def _impute(scope: Any, operator: Any, container: Any) -> None:
    """Filling in one value a column, where a text or a number is missing."""
    imputer = operator.raw_operator
    graph = Graph(scope, container)
    columns = _columns(graph, operator.inputs)
    if getattr(imputer, "indicator_", None) is not None:
        raise RuntimeError("it tells what was missing in columns of their own: leave add_indicator out")
    fills = np.asarray(imputer.statistics_, dtype=object).tolist()
    if len(fills) != len(columns) or any(is_missing(fill) for fill in fills):
        raise RuntimeError("it drops columns of which all values were missing: leave them out")
    parts = []
    for (name, is_text), fill in zip(columns, fills, strict=True):
        lacking = _lacking(graph, name, is_text, imputer.missing_values)
        value = np.array([fill], dtype=object) if is_text else np.array([float(fill)])
        parts.append(graph.add("Where", lacking, graph.constant(value), name, version=16))
    graph.add("Concat", *parts, axis=1, output=operator.outputs[0].full_name)


def _lacking(graph: Graph, name: str, is_text: bool, mark: Any) -> str:
    """Return `(n_rows, 1)` bool: the values that are filled in."""
    from onnx import TensorProto

    if not is_text:
        if is_missing(mark):
            return graph.add("IsNaN", name)
        return graph.add("Equal", name, graph.constant(np.array([float(mark)])))
    key = MISSING_TEXT if is_missing(mark) else str(mark)
    found = graph.add(
        "LabelEncoder",
        name,
        domain="ai.onnx.ml",
        version=2,
        keys_strings=[key.encode()],
        values_int64s=[1],
        default_int64=0,
    )
    return graph.add("Cast", found, to=TensorProto.BOOL)


def _encoded_shape(operator: Any) -> None:
    from skl2onnx.common.data_types import DoubleTensorType

    operator.outputs[0].type = DoubleTensorType([None, len(operator.raw_operator.get_feature_names_out())])


def _imputed_shape(operator: Any) -> None:
    from skl2onnx.common.data_types import DoubleTensorType, StringTensorType

    is_text = isinstance(operator.inputs[0].type, StringTensorType)
    width = len(operator.raw_operator.statistics_)
    operator.outputs[0].type = (StringTensorType if is_text else DoubleTensorType)([None, width])


def register() -> None:
    """Put these converters in the place of skl2onnx's own, in this process."""
    from skl2onnx import update_registered_converter
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import OneHotEncoder

    update_registered_converter(OneHotEncoder, "ModelyardOneHotEncoder", _encoded_shape, _encode)
    update_registered_converter(SimpleImputer, "ModelyardSimpleImputer", _imputed_shape, _impute)
