"""ONNX graphs, run by ONNX Runtime."""

from pathlib import Path
from typing import Any, Self

import numpy as np
import onnxruntime

from modelyard.core.errors import ModelFailed, ModelRefused
from modelyard.core.signature import Column, DataType, Output, Signature
from modelyard.core.tensors import Answer, Batch
from modelyard.core.wording import one_line
from modelyard.runtimes.missing import MARKED, MISSING_TEXT

ELEMENT_TYPES: dict[str, DataType] = {
    "tensor(float)": DataType.FLOAT32,
    "tensor(double)": DataType.FLOAT64,
    "tensor(float16)": DataType.FLOAT16,
    "tensor(bool)": DataType.BOOL,
    "tensor(string)": DataType.STRING,
    **{
        f"tensor({name})": DataType(name)
        for name in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
    },
}
"""ONNX Runtime's name of an input's or output's type to ours."""

_ERROR_ONLY = 3
_MESSAGE_CHARACTERS = 500


def open_session(path: Path, threads: int = 1) -> Any:
    """Return an `InferenceSession` of the file.

    Raises:
        ModelRefused: when ONNX Runtime does not take it.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = _ERROR_ONLY
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.load_model_format", "ONNX")
    try:
        return onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the library raises classes of its own, all straight under Exception
        raise ModelRefused(f"ONNX Runtime does not take the file: {_said(error)}") from error


class OnnxRuntime:
    """A session. A graph takes one matrix `(n_rows, n_columns)`, or one input for each column."""

    def __init__(self, session: Any, signature: Signature) -> None:
        self._session = session
        self._signature = signature
        self._outputs = list(signature.outputs)
        self._wanted = [output.name for output in self._outputs]
        inputs = session.get_inputs()
        given = {output.name for output in session.get_outputs()}
        lacking = [name for name in self._wanted if name not in given]
        if lacking:
            raise ModelRefused(f"the graph has no output `{lacking[0]}`, which the signature names")
        self._matrix = len(inputs) == 1 and signature.is_matrix and len(inputs[0].shape) == 2
        self._matrix_name = inputs[0].name if inputs else ""
        self._matrix_type = ELEMENT_TYPES[inputs[0].type].dtype if self._matrix else np.dtype(np.float64)
        self._feeds = [] if self._matrix else _feeds(inputs, signature)
        self._missing_text = MISSING_TEXT if MARKED in session.get_modelmeta().custom_metadata_map else ""

    @classmethod
    def load(cls, path: Path, signature: Signature, threads: int = 1) -> Self:
        """Load the graph; see `Runtime.load`."""
        return cls(open_session(path, threads), signature)

    def predict(self, batch: Batch) -> Answer:
        """Run the graph; see `Runtime.predict`."""
        values = self.raw(batch)
        return {
            output.name: _shaped(value, output, batch.n_rows)
            for output, value in zip(self._outputs, values, strict=True)
        }

    def raw(self, batch: Batch) -> list[Any]:
        """Run the graph; return its outputs as the library gives them, in the signature's order.

        Raises:
            ModelFailed: when it does.
        """
        try:
            values: list[Any] = self._session.run(self._wanted, self._inputs(batch))
        except Exception as error:  # see `open_session`
            raise ModelFailed(f"the model failed: {_said(error)}") from error
        return values

    def _inputs(self, batch: Batch) -> dict[str, np.ndarray]:
        if self._matrix and batch.matrix is not None:
            return {self._matrix_name: batch.matrix.astype(self._matrix_type, copy=False)}
        return {
            name: _fed(_column(batch, index, column), column, dtype, rank, self._missing_text)
            for name, index, column, dtype, rank in self._feeds
        }

    def unload(self) -> None:
        """Let the session go."""
        self._session = None

    def metadata(self) -> dict[str, Any]:
        """Return the library's release and the number of threads."""
        options = self._session.get_session_options()
        return {"framework": "onnxruntime", "release": onnxruntime.__version__, "threads": options.intra_op_num_threads}


_Feed = tuple[str, int, Column, np.dtype, int]


def _feeds(inputs: list[Any], signature: Signature) -> list[_Feed]:
    places = {column.name: index for index, column in enumerate(signature.columns)}
    feeds = []
    for taken in inputs:
        index = places.get(taken.name, 0 if len(inputs) == len(signature.columns) == 1 else None)
        if index is None or taken.type not in ELEMENT_TYPES:
            raise ModelRefused(f"the graph's input `{taken.name}` ({taken.type}) is no column of the signature")
        feeds.append((taken.name, index, signature.columns[index], ELEMENT_TYPES[taken.type].dtype, len(taken.shape)))
    return feeds


def _column(batch: Batch, index: int, column: Column) -> np.ndarray:
    if batch.matrix is not None:
        array: np.ndarray = batch.matrix[:, index]
        return array
    return (batch.columns or {})[column.name]


def _fed(array: np.ndarray, column: Column, dtype: np.dtype, rank: int, missing_text: str) -> np.ndarray:
    if array.ndim == 1 and rank == 2:
        array = array.reshape(-1, 1)
    if dtype.kind == "O" and column.optional:
        there = [missing_text if value is None else value for value in array.ravel().tolist()]
        return np.array(there, dtype=object).reshape(array.shape)
    return np.ascontiguousarray(array, dtype=dtype)


def _shaped(value: Any, output: Output, n_rows: int) -> np.ndarray:
    """Bring a result to `(n_rows, *output.shape)` of the output's type; a ZipMap's list of mappings to a matrix."""
    if isinstance(value, list):
        if value and isinstance(value[0], dict):
            order = output.classes or tuple(value[0])
            value = [[row[label] for label in order] for row in value]
        value = np.asarray(value)
    if value.ndim == 2 and value.shape[1] == 1 and output.shape == ():
        value = value.reshape(-1)
    if value.ndim == 0 or len(value) != n_rows:
        raise ModelFailed(f"the model failed: its output `{output.name}` has shape {value.shape} for {n_rows} rows")
    return value.astype(output.type.dtype, copy=False)  # type: ignore[no-any-return]


def _said(error: Exception) -> str:
    """Return the library's message in one bounded line."""
    return one_line(error, _MESSAGE_CHARACTERS)
