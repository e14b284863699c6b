"""What an ONNX graph may hold to run in the serving process itself: operators that end, and no file but its own.

To be called in a sandboxed child: a graph's bytes are parsed by native code.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec

from modelyard.core.errors import ModelRefused

_STANDARD = """
Abs Acos Acosh Add And ArgMax ArgMin Asin Asinh Atan Atanh AveragePool BatchNormalization BitwiseAnd BitwiseNot
BitwiseOr BitwiseXor Cast CastLike Ceil Celu Clip Compress Concat Constant ConstantOfShape Conv ConvTranspose Cos Cosh
CumSum DepthToSpace DequantizeLinear Div Dropout DynamicQuantizeLinear Einsum Elu Equal Erf Exp Expand EyeLike Flatten
Floor GRU Gather GatherElements GatherND Gelu Gemm GlobalAveragePool GlobalMaxPool Greater GreaterOrEqual
GroupNormalization HardSigmoid HardSwish Hardmax Identity InstanceNormalization IsInf IsNaN LRN LSTM
LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax LpNormalization LpPool MatMul MatMulInteger Max MaxPool
Mean MeanVarianceNormalization Min Mish Mod Mul Neg NonZero Not OneHot Or PRelu Pad Pow QLinearConv QLinearMatMul
QuantizeLinear RNN Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin
ReduceProd ReduceSum ReduceSumSquare Relu Reshape Resize Round ScatterElements ScatterND Selu Shape Shrink Sigmoid Sign
Sin Sinh Size Slice Softmax Softplus Softsign SpaceToDepth Split Sqrt Squeeze Sub Sum Tan Tanh ThresholdedRelu Tile TopK
Transpose Trilu Unsqueeze Where Xor
"""
_LEARNING = """
ArrayFeatureExtractor Binarizer CastMap CategoryMapper FeatureVectorizer Imputer LabelEncoder LinearClassifier
LinearRegressor Normalizer OneHotEncoder SVMClassifier SVMRegressor Scaler TreeEnsemble TreeEnsembleClassifier
TreeEnsembleRegressor ZipMap
"""
ALLOWED: frozenset[tuple[str, str]] = frozenset(
    [("", name) for name in _STANDARD.split()]
    + [("ai.onnx.ml", name) for name in _LEARNING.split()]
    + [("com.microsoft", "CDist")]  # distances for k-NN, as skl2onnx makes them
)
"""(domain, operator). Each does a bounded amount of work for the sizes of its inputs; none holds a subgraph. Not
StringConcat: ten of them make a text a thousand times as long, which no dry run with short texts shows."""

_SIZED: dict[tuple[str, str], tuple[int, ...]] = {
    ("", "ConstantOfShape"): (0,),
    ("", "Expand"): (1,),
    ("", "OneHot"): (1,),
    ("", "Pad"): (1,),
    ("", "Range"): (0, 1, 2),
    ("", "Resize"): (2, 3),
    ("", "Tile"): (1,),
}
"""Operators whose output is as large as the values of these inputs say. They may run in the serving process only where
those values come from constants and shapes alone: then a dry run of as many rows shows how large it gets."""

_MAX_NODES = 200_000
_MAX_DEPTH = 8


class Audit(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was found.

    Attributes:
        operators: name (with domain) to how often it is there.
        refused: reasons why it may not run in the serving process; empty when it may.
        nodes: in all, subgraphs included.
        opset: domain to version.
    """

    operators: dict[str, int]
    refused: list[str]
    nodes: int
    opset: dict[str, int]


def audit(data: bytes, filename: str = "the graph") -> Audit:
    """Look through a serialized `ModelProto`.

    Raises:
        ModelRefused: it is none, or it names data outside of its own file.
    """
    import onnx

    try:
        model = onnx.ModelProto.FromString(data)
    except Exception as error:
        raise ModelRefused(f"`{filename}` is cut off or broken: it is not an ONNX model") from error
    if not model.graph.node:
        raise ModelRefused(f"`{filename}` is not an ONNX model, or one without a single operator")
    counted: Counter[tuple[str, str]] = Counter()
    refused: list[str] = []
    for node, depth in _nodes(model):
        counted[(_domain(node.domain), node.op_type)] += 1
        if sum(counted.values()) > _MAX_NODES or depth > _MAX_DEPTH:
            raise ModelRefused(
                f"`{filename}` has more than {_MAX_NODES} operators, or subgraphs nested deeper than {_MAX_DEPTH}"
            )
    for tensor in _tensors(model):
        _check_tensor(tensor, filename)
    refused += [
        f"operator {_shown(key)} is not on the list of those that surely end"
        for key in sorted(counted)
        if key not in ALLOWED
    ]
    refused += _sized_by_data(model)
    if model.functions:
        refused.append("it defines functions of its own")
    if model.graph.sparse_initializer:
        refused.append("it holds sparse tensors")
    return Audit(
        operators={_shown(key): count for key, count in sorted(counted.items())},
        refused=refused[:50],
        nodes=sum(counted.values()),
        opset={_domain(entry.domain) or "ai.onnx": entry.version for entry in model.opset_import},
    )


def _sized_by_data(model: Any) -> list[str]:
    """Return a reason for each operator whose output a request's values could make arbitrarily large."""
    fixed = {tensor.name for tensor in model.graph.initializer} - {taken.name for taken in model.graph.input} | {""}
    reasons = []
    for node in model.graph.node:
        places = _SIZED.get((_domain(node.domain), node.op_type), ())
        if any(place < len(node.input) and node.input[place] not in fixed for place in places):
            reasons.append(f"operator {node.op_type} makes an output whose size a request's values decide")
        if node.op_type in ("Shape", "Size") or all(name in fixed for name in node.input):
            fixed.update(node.output)
    return sorted(set(reasons))


def _domain(domain: str) -> str:
    return "" if domain == "ai.onnx" else domain


def _shown(key: tuple[str, str]) -> str:
    return f"{key[0]}.{key[1]}"[:100] if key[0] else key[1][:100]


def _graphs(model: Any) -> Iterator[tuple[Any, int]]:
    """Give every list of nodes, with its depth: the graph, subgraphs, functions."""
    pending = [(model.graph, 0), *((function, 0) for function in model.functions)]
    while pending:
        graph, depth = pending.pop()
        yield graph, depth
        if depth > _MAX_DEPTH:
            continue  # any node in it is refused; what else is pending is looked at all the same
        for node in graph.node:
            for attribute in node.attribute:
                pending += [
                    (inner, depth + 1)
                    for inner in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else []))
                ]


def _nodes(model: Any) -> Iterator[tuple[Any, int]]:
    for graph, depth in _graphs(model):
        for node in graph.node:
            yield node, depth


def _tensors(model: Any) -> Iterator[Any]:
    for graph, _ in _graphs(model):
        yield from getattr(graph, "initializer", ())
        for sparse in getattr(graph, "sparse_initializer", ()):
            yield from (sparse.values, sparse.indices)
        for node in graph.node:
            for attribute in node.attribute:
                yield from attribute.tensors
                if attribute.HasField("t"):
                    yield attribute.t
                for sparse in (
                    *attribute.sparse_tensors,
                    *([attribute.sparse_tensor] if attribute.HasField("sparse_tensor") else []),
                ):
                    yield from (sparse.values, sparse.indices)


def _check_tensor(tensor: Any, filename: str) -> None:
    import onnx

    if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
        raise ModelRefused(
            f"`{filename}` keeps the tensor `{tensor.name[:100]}` in another file: expected one file that holds all; "
            "save it with onnx.save_model(model, path, save_as_external_data=False)"
        )
    if any(size < 0 for size in tensor.dims):
        raise ModelRefused(f"`{filename}` holds a tensor of negative size")
