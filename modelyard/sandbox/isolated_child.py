"""The child's side of `IsolatedRuntime`: reads frames from standard input, answers each with one frame.

Only the standard library and numpy are used for the protocol. The model may do to this process what it likes: the
parent checks every frame.
"""

import os
from pathlib import Path
from typing import Any

import msgspec

from modelyard.core.errors import ModelyardError
from modelyard.core.signature import Signature
from modelyard.runtimes.frames import PREFIX, decode, encode, read_batch
from modelyard.runtimes.runtime import Runtime, runtime_class


def _read(size: int) -> bytearray:
    data = bytearray(size)
    view = memoryview(data)
    while view:
        count = os.readv(0, [view])
        if not count:
            os._exit(0)  # the parent has closed its end
        view = view[count:]
    return data


def _send(fd: int, pieces: list[bytes | memoryview]) -> None:
    for piece in pieces:
        view = memoryview(piece)
        while view:
            view = view[os.write(fd, view) :]


def serve(path: str, signature: dict[str, Any], runtime: str, threads: int, answer_fd: int) -> None:
    """Load the model, say so, then answer until standard input ends."""
    try:
        model = _load(path, signature, runtime, threads)
        _send(answer_fd, encode({"ready": model.metadata()}))
    except ModelyardError as error:
        _send(answer_fd, encode({"error": error.code, "message": error.message[:2000]}))
        return
    while True:
        header_size, body_size = PREFIX.unpack(_read(PREFIX.size))
        header, arrays = decode(bytes(_read(header_size)), _read(body_size))
        try:
            pieces = encode({}, model.predict(read_batch(header, arrays)))
        except ModelyardError as error:
            pieces = encode({"error": error.code, "message": error.message[:2000]})
        except MemoryError:
            pieces = encode(
                {"error": "model_failed", "message": "the model failed: it needed more memory than it may use"}
            )
        _send(answer_fd, pieces)


def _load(path: str, signature: dict[str, Any], runtime: str, threads: int) -> Runtime:
    return runtime_class(runtime).load(Path(path), msgspec.convert(signature, Signature), threads)
