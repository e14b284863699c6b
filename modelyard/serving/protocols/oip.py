"""Open Inference Protocol, version 2, REST, the JSON part: inference, and the metadata of server and models.

https://github.com/kserve/open-inference-protocol, `specification/protocol/inference_rest.md`. One input for each
column, or one matrix `[n, k]` under any name for a version whose columns are all numeric.
"""

from importlib.metadata import version as release
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from modelyard.core.errors import InvalidInput, ModelyardError, TooLarge, UnsupportedFormat
from modelyard.core.signature import Column, Output, Role, Signature
from modelyard.core.tensors import Batch
from modelyard.serving.protocols import checking, tensors
from modelyard.serving.protocols.decoder import Decoded, read_json
from modelyard.serving.protocols.mistakes import misfit, no_json
from modelyard.serving.protocols.rows import require_json, to_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelyard.serving.call import Call, Outcome
    from modelyard.serving.served import VersionView

NAME = "modelyard"
MAX_SIZE = (1 << 31) - 1
_encoder = msgspec.json.Encoder()
_FORM = '{"inputs": [{"name": "...", "shape": [...], "datatype": "...", "data": [...]}]}'
_NO_DATA = msgspec.Raw(b"null")


class InferInput(msgspec.Struct, frozen=True):
    """A request's `inputs[i]`."""

    name: str
    shape: list[int]
    datatype: str
    data: msgspec.Raw = _NO_DATA
    parameters: dict[str, Any] | None = None


class InferOutput(msgspec.Struct, frozen=True):
    """A request's `outputs[i]`: one that is wanted."""

    name: str
    parameters: dict[str, Any] | None = None


class InferRequest(msgspec.Struct, frozen=True):
    """A request's body. Members that the protocol does not have are ignored, as extensions are."""

    inputs: list[InferInput]
    id: str | None = None
    parameters: dict[str, Any] | None = None
    outputs: list[InferOutput] | None = None


_decoder = msgspec.json.Decoder(InferRequest)


class OipProtocol:
    """See `call.BodyProtocol`. A call's `state` is its `InferRequest`."""

    name = "oip"

    def decode(self, call: "Call", view: "VersionView", max_rows: int) -> Decoded:
        if call.state is None:
            require_json(call.request.header(b"content-type"))
            if call.request.header(b"inference-header-content-length") is not None:
                raise UnsupportedFormat("binary tensor data is not taken here: expected JSON alone")
            call.state = _read(call.request.body)
        request: InferRequest = call.state
        _check_outputs(request, view.signature.outputs)
        return Decoded(_batch(request, view, max_rows))

    def encode(self, call: "Call", outcome: "Outcome") -> bytes:
        request: InferRequest = call.state
        view, answer = outcome.view, outcome.answer or {}
        wanted = [one.name for one in request.outputs] if request.outputs else list(answer)
        types = {output.name: output.type.protocol_name for output in view.signature.outputs}
        outputs = [
            {
                "name": name,
                "shape": list(answer[name].shape),
                "datatype": types[name],
                "data": answer[name].ravel().tolist(),
            }
            for name in wanted
        ]
        body: dict[str, Any] = {"model_name": view.model, "model_version": str(view.number)}
        if request.id is not None:
            body["id"] = request.id
        body["parameters"] = {"prediction_id": outcome.prediction_ids[0].partition(".")[0]}
        body["outputs"] = outputs
        return _encoder.encode(body)

    def refuse(self, error: ModelyardError, request_id: str) -> bytes:
        return to_json({"error": error.message})


def server_metadata() -> dict[str, Any]:
    """Return the body of `GET /v2`."""
    return {"name": NAME, "version": release(NAME), "extensions": []}


def model_metadata(name: str, view: "VersionView", versions: "Sequence[int]") -> dict[str, Any]:
    """Return the body of `GET /v2/models/{name}`."""
    signature = view.signature
    return {
        "name": name,
        "versions": [str(number) for number in versions],
        "platform": f"{view.version.runtime}_{NAME}",
        "inputs": [_tensor_metadata(column) for column in signature.columns],
        "outputs": [_tensor_metadata(output) for output in signature.outputs],
    }


def _tensor_metadata(tensor: Column | Output) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": tensor.name,
        "datatype": tensor.type.protocol_name,
        "shape": [-1, *tensor.shape],
    }
    if isinstance(tensor, Output) and tensor.role is not Role.OTHER:
        described["parameters"] = {"role": tensor.role.value}
    return described


def _read(body: bytes) -> InferRequest:
    try:
        request = _decoder.decode(body)
    except msgspec.ValidationError as error:
        read_json(body, _FORM)
        raise InvalidInput(f"the body is no inference request: {misfit(error)}; expected {_FORM}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise no_json(error, body, _FORM) from error
    if not request.inputs:
        raise InvalidInput("`inputs` is empty: expected one for each column, or one matrix")
    for tensor in request.inputs:
        if tensor.parameters and "binary_data_size" in tensor.parameters:
            raise UnsupportedFormat(f"input `{checking.name(tensor.name)}`: binary data is not taken here")
    return request


def _check_outputs(request: InferRequest, outputs: "Sequence[Output]") -> None:
    known = [output.name for output in outputs]
    seen: set[str] = set()
    for wanted in request.outputs or ():
        if wanted.name not in known:
            checking.refuse_unknown("output", wanted.name, known)
        if wanted.name in seen:
            raise InvalidInput(f"output `{wanted.name}` is asked for twice: expected each once")
        seen.add(wanted.name)
        if wanted.parameters and wanted.parameters.get("binary_data"):
            raise UnsupportedFormat(
                f"output `{wanted.name}`: binary data is not given here: ask with binary_data=false"
            )


def _batch(request: InferRequest, view: "VersionView", max_rows: int) -> Batch:
    """Turn the inputs into a batch for the version's signature."""
    signature = view.signature
    for tensor in request.inputs:
        _check_rows(tensor, max_rows)
    first = request.inputs[0]
    if _is_matrix(request, signature):
        matrix = tensors.read(first.name, first.datatype, first.shape, first.data)
        return Batch(first.shape[0], matrix=tensors.as_matrix(matrix, signature, first.name))
    known = {column.name: column for column in signature.columns}
    arrays: dict[str, np.ndarray] = {}
    for tensor in request.inputs:
        if tensor.name not in known:
            _check_width(request, signature)
            checking.refuse_unknown("input", tensor.name, signature.names)
        if tensor.name in arrays:
            raise InvalidInput(f"input `{tensor.name}` is given twice: expected each once")
        if tensor.shape[0] != first.shape[0]:
            raise InvalidInput(
                f"input `{tensor.name}` has {tensor.shape[0]} rows, `{first.name}` has {first.shape[0]}: expected equal"
            )
        read = tensors.read(tensor.name, tensor.datatype, tensor.shape, tensor.data)
        arrays[tensor.name] = tensors.as_column(read, known[tensor.name])
    checking.check_none_lacks(signature, arrays, "input")
    for column in signature.columns:
        if column.name not in arrays:
            shape = (first.shape[0], *(max(size, 0) for size in column.shape))
            arrays[column.name] = checking.missing(column, shape)
    ordered = {column.name: arrays[column.name] for column in signature.columns}
    return checking.assemble(signature, ordered, first.shape[0])


def _is_matrix(request: InferRequest, signature: Signature) -> bool:
    """Tell whether the one input holds all columns. A single column under its own name is read as such."""
    first = request.inputs[0]
    if not signature.is_matrix or len(request.inputs) > 1 or first.name in signature.names:
        return False
    return len(first.shape) == 2 and first.shape[1] == len(signature.columns)


def _check_width(request: InferRequest, signature: Signature) -> None:
    """Refuse one matrix of another width, unless its name looks like that of one column."""
    first, width = request.inputs[0], len(signature.columns)
    is_matrix = signature.is_matrix and len(request.inputs) == 1 and len(first.shape) == 2
    if not is_matrix or checking.nearest(first.name, signature.names):
        return
    given = "1 column" if first.shape[1] == 1 else f"{first.shape[1]} columns"
    raise InvalidInput(
        f"input `{checking.name(first.name)}` has {given}, expected {width} in one matrix, "
        "or one input for each column, by its name"
    )


def _check_rows(tensor: InferInput, max_rows: int) -> None:
    name = checking.name(tensor.name)
    if not tensor.shape or any(size < 0 for size in tensor.shape):
        raise InvalidInput(f"input `{name}`: shape {tensor.shape[:8]}, expected rows first, and no negative size")
    if tensor.shape[0] == 0:
        raise InvalidInput(f"input `{name}` has no rows: expected at least one")
    if tensor.shape[0] > max_rows:
        raise TooLarge(f"input `{name}` has more than {max_rows} rows, the most in a request", max_rows=max_rows)
    if any(size > MAX_SIZE for size in tensor.shape):
        raise InvalidInput(f"input `{name}`: a size in its shape is too large: expected at most {MAX_SIZE}")
    if bytes(tensor.data) == b"null":
        raise InvalidInput(f"input `{name}` has no data")
