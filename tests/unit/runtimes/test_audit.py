"""What an audit says of graphs, made node by node."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from modelyard.core.errors import ModelRefused
from modelyard.runtimes.audit import ALLOWED, audit

FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


def info(name: str, kind: int = FLOAT) -> Any:
    return helper.make_tensor_value_info(name, kind, [None, 2])


def model(nodes: list[Any], constants: dict[str, np.ndarray] | None = None, **given: Any) -> Any:
    stored = [numpy_helper.from_array(value, name) for name, value in (constants or {}).items()]
    graph = helper.make_graph(nodes, "graph", [info("x")], [info("y")], stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], **given)


def node(operator: str, *inputs: str, **given: Any) -> Any:
    return helper.make_node(operator, list(inputs), ["y"], **given)


def refused(made: Any) -> str:
    return "; ".join(audit(made.SerializeToString()).refused)


def test_a_plain_graph_may_run() -> None:
    found = audit(model([node("Add", "x", "x")]).SerializeToString())
    assert (found.refused, found.operators, found.nodes, found.opset) == ([], {"Add": 1}, 1, {"ai.onnx": 18})


@pytest.mark.parametrize(
    "operator", ["Loop", "Scan", "If", "SequenceMap", "Optional", "RandomNormal", "Print", "StringConcat"]
)
def test_what_is_not_on_the_list(operator: str) -> None:
    assert ("", operator) not in ALLOWED
    assert f"operator {operator} is not on the list" in refused(model([node(operator, "x")]))


def test_a_known_name_in_another_domain() -> None:
    assert "operator evil.Add is not on the list" in refused(model([node("Add", "x", "x", domain="evil")]))


def test_inside_subgraphs_too() -> None:
    """Each level is counted, and its operators are judged."""
    inner = helper.make_graph([node("Evil", "x")], "inner", [], [info("y")])
    outer = node("If", "x", then_branch=inner, else_branch=inner)
    found = audit(model([outer]).SerializeToString())
    assert found.nodes == 3
    assert [reason.split()[1] for reason in found.refused] == ["Evil", "If"]


def test_what_lies_beside_an_empty_depth_is_looked_at() -> None:
    """A nest so deep that nobody goes on hides nothing: a subgraph beside it is judged like any other."""
    deep = helper.make_graph([], "empty", [], [info("y")])
    for _ in range(8):
        deep = helper.make_graph([node("If", "x", then_branch=deep, else_branch=deep)], "deep", [], [info("y")])
    evil = helper.make_graph([node("Evil", "x")], "inner", [], [info("y")])
    assert "operator Evil is not" in refused(model([node("If", "x", then_branch=deep, else_branch=evil)]))


def test_nested_deeper_than_anything_honest() -> None:
    graph = helper.make_graph([node("Add", "x", "x")], "inner", [], [info("y")])
    for _ in range(12):
        graph = helper.make_graph([node("If", "x", then_branch=graph)], "outer", [], [info("y")])
    with pytest.raises(ModelRefused, match=r"nested deeper"):
        audit(model(list(graph.node)).SerializeToString())


@pytest.mark.parametrize(
    ("operator", "place"), [("Expand", 1), ("Tile", 1), ("ConstantOfShape", 0), ("Range", 1), ("OneHot", 1), ("Pad", 1)]
)
def test_sizes_that_a_request_decides(operator: str, place: int) -> None:
    inputs = ["fixed"] * 3
    constants = {"fixed": np.array([2], dtype=np.int64)}
    assert refused(model([node(operator, *inputs)], constants)) == ""
    inputs[place] = "x"
    assert f"operator {operator} makes an output whose size a request's values decide" in refused(
        model([node(operator, *inputs)], constants)
    )


def test_a_constant_that_a_request_may_replace_is_none() -> None:
    made = model([node("Tile", "x", "times")], {"times": np.array([1, 1], dtype=np.int64)})
    made.graph.input.append(info("times", INT64))
    assert "Tile" in refused(made)


def test_sizes_from_shapes_are_fixed() -> None:
    nodes = [helper.make_node("Shape", ["x"], ["shape"]), node("Expand", "x", "shape")]
    assert refused(model(nodes)) == ""


def test_functions_of_its_own() -> None:
    function = helper.make_function(
        "own", "F", ["a"], ["b"], [helper.make_node("Add", ["a", "a"], ["b"])], [helper.make_opsetid("", 18)]
    )
    assert "functions of its own" in refused(model([node("Add", "x", "x")], functions=[function]))


def test_data_outside_of_its_file() -> None:
    made = model([node("Add", "x", "w")], {"w": np.zeros(2, np.float32)})
    tensor = made.graph.initializer[0]
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    with pytest.raises(ModelRefused, match=r"keeps the tensor `w` in another file.*save_as_external_data=False"):
        audit(made.SerializeToString(), "model.onnx")


def test_data_outside_of_its_file_in_an_attribute() -> None:
    tensor = numpy_helper.from_array(np.zeros(2, np.float32), "hidden")
    tensor.external_data.add(key="location", value="/etc/passwd")
    with pytest.raises(ModelRefused, match=r"`hidden` in another file"):
        audit(model([node("Constant", value=tensor)]).SerializeToString())


def test_negative_sizes() -> None:
    made = model([node("Add", "x", "w")], {"w": np.zeros(2, np.float32)})
    made.graph.initializer[0].dims[0] = -2
    with pytest.raises(ModelRefused, match=r"negative size"):
        audit(made.SerializeToString())


@pytest.mark.parametrize("data", [b"\xff\xff\xff", onnx.ModelProto().SerializeToString(), b"\x08\x09"])
def test_no_model(data: bytes) -> None:
    with pytest.raises(ModelRefused, match=r"`m\.onnx` is (cut off or broken|not an ONNX model)"):
        audit(data, "m.onnx")
