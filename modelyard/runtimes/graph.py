"""Nodes and constants added to the graph that skl2onnx builds, for converters of our own."""

from typing import Any

import numpy as np


class Graph:
    """Adds to skl2onnx's container, with names of their own."""

    def __init__(self, scope: Any, container: Any) -> None:
        self._scope = scope
        self._container = container

    def constant(self, values: np.ndarray) -> str:
        from onnx import TensorProto, numpy_helper

        name: str = self._scope.get_unique_variable_name("modelyard_constant")
        if values.dtype.kind in "OUS":
            texts = [str(value).encode() for value in values.tolist()]
            self._container.add_initializer(name, TensorProto.STRING, list(values.shape), texts)
        else:
            self._container.add_initializer(name, None, None, numpy_helper.from_array(values, name))
        return name

    def add(
        self,
        operator: str,
        *inputs: str,
        output: str | None = None,
        domain: str = "",
        version: int = 13,
        called: str | None = None,
        **attributes: Any,
    ) -> str:
        """Add an operator and return its output's name; `called` is what ONNX Runtime calls it when it fails."""
        name = output or self._scope.get_unique_variable_name(f"modelyard_{operator.lower()}")
        self._container.add_node(
            operator,
            list(inputs),
            name,
            op_domain=domain,
            op_version=version,
            name=self._scope.get_unique_operator_name(called or operator),
            **attributes,
        )
        return str(name)
