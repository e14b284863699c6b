"""The child's side of `IsolatedRuntime`: reads frames from standard input, answers each with one frame.

Only the standard library and numpy are needed: it also runs in another environment's interpreter. The model may do to
this process what it likes: the parent checks every frame.
"""

import os
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from modelyard.core.errors import ModelyardError
from modelyard.core.tensors import Answer, Batch
from modelyard.runtimes.frames import PREFIX, decode, encode, read_batch


class Answering(Protocol):
    """What is asked of a model here."""

    def predict(self, batch: Batch) -> Answer: ...

    def metadata(self) -> dict[str, Any]: ...


def _read(size: int) -> bytearray:
    data = bytearray(size)
    view = memoryview(data)
    while view:
        count = os.readv(0, [view])
        if not count:
            os._exit(0)  # the parent has closed its end
        view = view[count:]
    return data


def read_frame() -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return what the parent sends next; this process ends where it sends no more."""
    header_size, body_size = PREFIX.unpack(_read(PREFIX.size))
    return decode(bytes(_read(header_size)), _read(body_size))


def send(fd: int, pieces: list[bytes | memoryview]) -> None:
    """Write a frame."""
    for piece in pieces:
        view = memoryview(piece)
        while view:
            view = view[os.write(fd, view) :]


def answer_all(load: Callable[[], Answering], answer_fd: int) -> None:
    """Load the model, say so, then answer until standard input ends."""
    try:
        model = load()
        send(answer_fd, encode({"ready": model.metadata()}))
    except ModelyardError as error:
        send(answer_fd, encode({"error": error.code, "message": error.message[:2000]}))
        return
    while True:
        header, arrays = read_frame()
        try:
            pieces = encode({}, model.predict(read_batch(header, arrays)))
        except ModelyardError as error:
            pieces = encode({"error": error.code, "message": error.message[:2000]})
        except MemoryError:
            pieces = encode(
                {"error": "model_failed", "message": "the model failed: it needed more memory than it may use"}
            )
        send(answer_fd, pieces)
