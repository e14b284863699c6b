"""Turning a fitted scikit-learn pipeline into an ONNX graph that gives the same answers."""

import warnings
from typing import Any

from modelyard.core.signature import Column, DataType, Role, Signature
from modelyard.core.wording import one_line
from modelyard.runtimes import columns, trees
from modelyard.runtimes.estimators import steps_of
from modelyard.runtimes.missing import MARKED
from modelyard.runtimes.steps import parts_of

_OPSET = {"": 18, "ai.onnx.ml": 3}
MATRIX_INPUT = "input"
_INSTEAD = {
    "LGBMClassifier": "HistGradientBoostingClassifier",
    "LGBMRegressor": "HistGradientBoostingRegressor",
    "XGBClassifier": "HistGradientBoostingClassifier",
    "XGBRegressor": "HistGradientBoostingRegressor",
    "RidgeClassifier": "LogisticRegression",
}
"""What may be trained in the place of an estimator that has no converter, or none in double."""


class NotConvertible(Exception):
    """No converter, or one that fails; the text says why, for people."""


def convert(estimator: Any, signature: Signature) -> bytes:
    """Return the graph: inputs are double, one matrix or one input a column; outputs are named as in the signature.

    Double inputs keep what a scaler computes; `trees` rounds where the estimator itself does.

    Raises:
        NotConvertible: with the reason.
    """
    try:
        import skl2onnx
    except ModuleNotFoundError:
        raise NotConvertible("the package skl2onnx is not installed") from None
    _check_unknown(estimator)
    inputs = _inputs(estimator, signature)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            columns.register()
            trees.register()
            graph = skl2onnx.convert_sklearn(
                estimator,
                initial_types=inputs,
                options=_options(steps_of(estimator)[-1]),
                target_opset=_OPSET,
            )
        except NotConvertible:
            raise
        except Exception as error:  # a converter may raise anything
            raise NotConvertible(_reason(error, estimator)) from error
    if signature.probabilities and any(node.op_type == "SVMClassifier" for node in graph.graph.node):
        raise NotConvertible(
            "ONNX Runtime computes the probabilities of support vector machines in float32, not near enough"
        )
    _name(graph, [name for name, _ in inputs], signature)
    if any(column.type is DataType.STRING and column.optional for column in signature.columns):
        graph.metadata_props.add(key=MARKED, value="marked")
    data: bytes = graph.SerializeToString()
    return data


def _check_unknown(estimator: Any) -> None:
    for part in parts_of(estimator):
        if type(part).__name__ == "OrdinalEncoder" and getattr(part, "handle_unknown", "") == "error":
            raise NotConvertible(
                "OrdinalEncoder refuses categories that it has not seen, and its graph would give them a place: "
                'handle_unknown="use_encoded_value" converts'
            )


def _inputs(estimator: Any, signature: Signature) -> list[tuple[str, Any]]:
    from skl2onnx.common.data_types import DoubleTensorType

    if signature.is_matrix and not _chooses_by_name(estimator):
        return [(MATRIX_INPUT, DoubleTensorType([None, len(signature.columns)]))]
    ordinal = any(type(part).__name__ == "OrdinalEncoder" for part in parts_of(estimator))
    return [(column.name, _tensor(column, exact=ordinal)) for column in signature.columns]


def _chooses_by_name(estimator: Any) -> bool:
    return any(type(step).__name__ == "ColumnTransformer" for step in steps_of(estimator)[:1]) and hasattr(
        estimator, "feature_names_in_"
    )


def _tensor(column: Column, exact: bool) -> Any:
    """Return what the graph takes: texts as they are, all else as double, so that columns can be joined.

    `exact` leaves whole numbers and truth values their types, as the converter of OrdinalEncoder needs it.
    """
    from skl2onnx.common.data_types import BooleanTensorType, DoubleTensorType, Int64TensorType, StringTensorType

    if column.shape:
        raise NotConvertible(f"column `{column.name}` holds an array in each row")
    if column.type is DataType.STRING:
        return StringTensorType([None, 1])
    if exact and not column.optional and not column.type.is_floating:
        return (BooleanTensorType if column.type is DataType.BOOL else Int64TensorType)([None, 1])
    return DoubleTensorType([None, 1])


def _options(final: Any) -> dict[int, dict[str, Any]]:
    from skl2onnx._supported_operators import _get_sklearn_operator_name
    from skl2onnx.common._registration import (
        _converter_pool,
        get_converter,  # noqa: F401 - loads the table of converters
    )

    try:
        alias = _get_sklearn_operator_name(type(final))
    except Exception:
        return {}
    known = _converter_pool[alias].get_allowed_options() or {}
    options: dict[str, Any] = {}
    if "zipmap" in known:
        options["zipmap"] = False
    if "optim" in known:
        options["optim"] = "cdist"  # else a Scan, which may not run in the serving process
    return {id(final): options} if options else {}


def _name(graph: Any, names: list[str], signature: Signature) -> None:
    """Give the graph's inputs their `names` and its outputs the signature's, and drop those that it does not have.

    The converter keeps the inputs' order, but makes words of their names: `a/b` and `a b` become `a_b` and `a_b1`.
    """
    wanted = [output.name for output in signature.outputs if output.role in (Role.PREDICTION, Role.PROBABILITIES)]
    outputs, inputs = list(graph.graph.output), list(graph.graph.input)
    if len(outputs) < len(wanted):
        raise NotConvertible(f"the graph gives {len(outputs)} outputs, the estimator {len(wanted)}")
    if len(names) != len(inputs):
        raise NotConvertible(f"the graph takes {len(inputs)} inputs, the estimator {len(names)} columns")
    if set(names) & set(wanted):
        raise NotConvertible("a column has the name of an output")
    aside = {item.name: f"modelyard_input_{number}" for number, item in enumerate(inputs)}
    aside |= {output.name: f"modelyard_output_{number}" for number, output in enumerate(outputs)}
    inner = {name: f"inner_{name}" for name in wanted}  # of a value inside that happens to have the name
    final = {f"modelyard_input_{number}": name for number, name in enumerate(names)}
    final |= {f"modelyard_output_{number}": name for number, name in enumerate(wanted)}
    for mapping in (aside, inner, final):
        for node in graph.graph.node:
            _rename(node, mapping)
    del graph.graph.output[len(wanted) :]
    for item, name in zip([*graph.graph.input, *graph.graph.output], [*names, *wanted], strict=True):
        item.name = name


def _rename(node: Any, names: dict[str, str]) -> None:
    for values in (node.input, node.output):
        for index, value in enumerate(values):
            if value in names:
                values[index] = names[value]


def _reason(error: Exception, estimator: Any) -> str:
    final = steps_of(estimator)[-1]
    members = getattr(final, "estimators_", []) if type(final).__name__ == "VotingClassifier" else []
    for name in (type(one).__name__ for one in (final, *members)):
        if name in _INSTEAD:
            return f"there is no converter for {name}: {_INSTEAD[name]} converts"
    missing = type(error).__name__ == "MissingShapeCalculator" or "Unable to find a shape calculator" in str(error)
    if missing:
        return f"there is no converter for {type(final).__name__} or a step before it"
    first = one_line(" ".join(str(error).split()).partition(" and attributes=")[0], 200)
    return f"the converter fails ({type(error).__name__}: {first})"
