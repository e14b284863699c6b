"""ONNX files that want something else than to be a model, and honest ones that may not run in the serving process."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from modelyard.core.errors import Misconfigured, ModelRefused, ModelyardError
from modelyard.core.settings import MIB
from modelyard.sandbox import layers
from modelyard.sandbox.limits import Limits

FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


def info(name: str, kind: int, shape: list[Any]) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


def model(
    nodes: list[Any], outputs: list[Any], constants: dict[str, np.ndarray] | None = None, **domains: int
) -> bytes:
    """Return a graph of one float input `x` (n, 2)."""
    stored = [numpy_helper.from_array(value, name) for name, value in (constants or {}).items()]
    graph = helper.make_graph(nodes, "graph", [info("x", FLOAT, [None, 2])], outputs, stored)
    imports = [helper.make_opsetid("", 18), *(helper.make_opsetid(name, version) for name, version in domains.items())]
    made = helper.make_model(graph, opset_imports=imports, ir_version=9)
    return bytes(made.SerializeToString())


def doubled() -> bytes:
    return model([helper.make_node("Add", ["x", "x"], ["y"])], [info("y", FLOAT, [None, 2])])


def loop(times: int) -> bytes:
    """A Loop whose condition never turns false, `times` over."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["go_in"], ["go"]), helper.make_node("Add", ["v_in", "v_in"], ["v"])],
        "body",
        [info("i", INT64, []), info("go_in", BOOL, []), info("v_in", FLOAT, [None, 2])],
        [info("go", BOOL, []), info("v", FLOAT, [None, 2])],
    )
    constants = {"times": np.array(times, dtype=np.int64), "always": np.array(True)}
    return model(
        [helper.make_node("Loop", ["times", "always", "x"], ["y"], body=body)], [info("y", FLOAT, [None, 2])], constants
    )


def test_plain_graph_runs_in_process(examine_bytes: Any) -> None:
    examined = examine_bytes(("model.onnx", doubled()))
    assert (examined.format, examined.runtime, examined.isolated) == ("onnx", "onnx", False)
    assert [column.name for column in examined.signature.columns] == ["x0", "x1"]
    assert examined.report["audit"]["operators"] == {"Add": 1}


def test_endless_loop(examine_bytes: Any) -> None:
    with pytest.raises(ModelRefused, match=r"took longer than 5 s"):
        examine_bytes(("model.onnx", loop(2**62)), limits=Limits(seconds=5))


def test_a_loop_that_ends_is_isolated(examine_bytes: Any) -> None:
    examined = examine_bytes(("model.onnx", loop(2)))
    assert examined.isolated
    assert "Loop" in examined.report["reason"]


def test_where_a_layer_is_missing_plain_graphs_are_taken(examine_bytes: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "_missing", lambda: ("landlock: not here",))
    assert examine_bytes(("model.onnx", doubled())).report["served"] == "onnx"


@pytest.mark.parametrize(("name", "data"), [("model.onnx", loop(2)), ("model.pkl", pickle.dumps({}, protocol=4))])
def test_where_a_layer_is_missing_nothing_else_is(
    name: str, data: bytes, examine_bytes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layers, "_missing", lambda: ("landlock: not here",))
    with pytest.raises(Misconfigured, match="landlock: not here"):
        examine_bytes((name, data))


def test_external_data(examine_bytes: Any, outside: Any) -> None:
    made = onnx.ModelProto.FromString(
        model(
            [helper.make_node("Add", ["x", "w"], ["y"])], [info("y", FLOAT, [None, 2])], {"w": np.zeros(2, np.float32)}
        )
    )
    tensor = made.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", str(outside.secret)), ("offset", "0"), ("length", "8")):
        tensor.external_data.add(key=key, value=value)
    with pytest.raises(ModelRefused, match=r"in another file"):
        examine_bytes(("model.onnx", made.SerializeToString()))
    outside.check_untouched()


def test_custom_operator(examine_bytes: Any) -> None:
    data = model([helper.make_node("Evil", ["x"], ["y"], domain="evil")], [info("y", FLOAT, [None, 2])], evil=1)
    with pytest.raises(ModelRefused, match=r"ONNX Runtime does not take the file"):
        examine_bytes(("model.onnx", data))


def test_giant_constant(examine_bytes: Any) -> None:
    constants = {"shape": np.array([1 << 20, 1 << 14], dtype=np.int64), "zero": np.array([0], dtype=np.int64)}
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["big"]),
        helper.make_node("ReduceSum", ["big"], ["sum"], keepdims=0),
        helper.make_node("Add", ["x", "sum"], ["y"]),
    ]
    with pytest.raises(ModelRefused):
        examine_bytes(("model.onnx", model(nodes, [info("y", FLOAT, [None, 2])], constants)))


def test_doubling_graph(examine_bytes: Any) -> None:
    """Forty nodes that each double their input: a terabyte from sixteen bytes."""
    nodes = [helper.make_node("Concat", [f"v{n}", f"v{n}"], [f"v{n + 1}"], axis=1) for n in range(40)]
    nodes[0].input[:] = ["x", "x"]
    nodes += [helper.make_node("ReduceSum", ["v40"], ["y"], keepdims=1)]
    with pytest.raises(ModelRefused):
        examine_bytes(
            ("model.onnx", model(nodes, [info("y", FLOAT, [None, 1])])),
            limits=Limits(seconds=30, memory_bytes=512 * MIB),
        )


def test_quadratic_graph(examine_bytes: Any) -> None:
    """Harmless with the sample's rows; with as many as a request may have, it needs 400 MB for each node."""
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"]),
        helper.make_node("MatMul", ["x", "t"], ["big"]),
        helper.make_node("Exp", ["big"], ["exp"]),
        helper.make_node("Add", ["exp", "big"], ["both"]),
        helper.make_node("MatMul", ["both", "x"], ["y"]),
    ]
    with pytest.raises(ModelRefused, match=r"memory|does not answer 10000 rows"):
        examine_bytes(
            ("model.onnx", model(nodes, [info("y", FLOAT, [None, 2])])),
            limits=Limits(seconds=60, memory_bytes=512 * MIB),
        )


def test_size_by_value_is_isolated(examine_bytes: Any) -> None:
    """A request could ask for any size: not in the serving process."""
    nodes = [
        helper.make_node("ReduceMax", ["x"], ["most"], keepdims=0),
        helper.make_node("Cast", ["most"], ["limit"], to=FLOAT),
        helper.make_node("Range", ["zero", "limit", "one"], ["range"]),
        helper.make_node("ReduceSum", ["range"], ["sum"], keepdims=0),
        helper.make_node("Add", ["x", "sum"], ["y"]),
    ]
    constants = {"zero": np.array(0, np.float32), "one": np.array(1, np.float32)}
    examined = examine_bytes(("model.onnx", model(nodes, [info("y", FLOAT, [None, 2])], constants)))
    assert examined.isolated
    assert "Range" in examined.report["reason"]


def test_fixed_number_of_rows(examine_bytes: Any) -> None:
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "x"], ["y"])], "g", [info("x", FLOAT, [1, 2])], [info("y", FLOAT, [1, 2])]
    )
    data = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9).SerializeToString()
    with pytest.raises(ModelRefused, match=r"free first axis"):
        examine_bytes(("model.onnx", data))


def test_bit_flips_end_no_process(examine_bytes: Any, tmp_path: Path, limits: Limits) -> None:
    """Each flipped file is refused or examined: never an error of another kind, never the end of this process."""
    random = np.random.default_rng(20)
    whole = bytearray(doubled())
    for number in range(6):
        flipped = bytearray(whole)
        place = int(random.integers(0, len(flipped)))
        flipped[place] ^= 1 << int(random.integers(0, 8))
        folder = tmp_path / f"flip-{number}"
        folder.mkdir()
        try:
            examine_bytes(("model.onnx", bytes(flipped)), scratch=folder)
        except ModelyardError as error:
            assert error.code in ("model_refused", "invalid_input"), error  # noqa: PT017


@pytest.mark.parametrize("data", [b"\x08", b"\x08\x09" + b"\xff" * 100, b"\x08\x09", doubled()[:-20]])
def test_broken(examine_bytes: Any, data: bytes) -> None:
    with pytest.raises(ModelRefused, match=r"broken|not an ONNX model|bytes are|does not take"):
        examine_bytes(("model.onnx", data))
