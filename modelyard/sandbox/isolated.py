"""A model that lives in a sandboxed child of its own, behind the same four verbs as any other runtime."""

import math
import os
import select
import shutil
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import msgspec
import numpy as np

from modelyard.core.errors import ModelFailed, ModelRefused, ModelyardError, Unavailable
from modelyard.core.signature import DataType, Signature
from modelyard.core.tensors import Answer, Batch
from modelyard.runtimes.frames import PREFIX, FrameError, batch_arrays, decode, encode
from modelyard.sandbox.limits import Limits
from modelyard.sandbox.process import SandboxProcess, deadline_after
from modelyard.sandbox.run import plain_text

_SERVE = "modelyard.sandbox.isolated_child:serve"
_SERVE_ELSEWHERE = "modelyard.sandbox.elsewhere_child:serve"
_PRELOAD = {
    "sklearn": ("numpy", "msgspec", "sklearn.pipeline"),  # the rest as the file names it
    "onnx": ("numpy", "msgspec", "onnxruntime"),
}
_START_SECONDS = 120.0
_TICK_SECONDS = 0.05
_MAX_HEADER_BYTES = 64 << 20
_MAX_BODY_BYTES = 1 << 30
_SLACK_BYTES = 64 << 10
"""For what a header says besides values, and for an answer of a wrong shape: that is the model's failure."""
_TEXT_BYTES = 8 << 10
"""Of one text of an answer, as JSON."""


class IsolatedRuntime:
    """A model in a child. When the child dies, what it was working on fails with `Unavailable` and a new one starts;
    calls made meanwhile wait for it, within their time.

    `limits.seconds` holds for one call. The file is copied, so that a new child can be started when it is gone.
    """

    def __init__(
        self, path: Path, signature: Signature, runtime: str, limits: Limits, python: Path | None = None
    ) -> None:
        self._signature = signature
        self._python = python
        self._runtime = runtime
        self._limits = limits
        self._folder = Path(tempfile.mkdtemp(prefix="modelyard-model-"))
        self._child: SandboxProcess | None = None
        self._facts: dict[str, Any] = {}
        self._changed = threading.Condition()
        self._starting: threading.Thread | None = None
        self._newborn: SandboxProcess | None = None
        self._unloaded = False
        self._failure: ModelyardError | None = None
        try:
            self._model = self._folder / "model"
            shutil.copyfile(path, self._model)
            (self._folder / "scratch").mkdir()
            self._adopt(self._start())
        except BaseException:
            self.unload()
            raise

    @classmethod
    def load(
        cls,
        path: Path,
        signature: Signature,
        *,
        runtime: str = "sklearn",
        limits: Limits | None = None,
        python: Path | None = None,
    ) -> Self:
        """Start a child that has loaded the file with the runtime of that alias; with `python`, another environment's
        interpreter, one of that environment, which opens estimators alone.

        Raises:
            ModelRefused: it does not load.
            Misconfigured: the sandbox is not whole on this machine.
            Unavailable: no child could be started.
        """
        return cls(path, signature, runtime, limits or Limits(seconds=30.0), python)

    @property
    def pid(self) -> int | None:
        """Return the child's process id, None while there is none."""
        child = self._child
        return child.pid if child else None

    def resident_bytes(self) -> int:
        """Return the child's resident memory, 0 while there is none."""
        child = self._child
        return child.resident_bytes() if child else 0

    def predict(self, batch: Batch) -> Answer:
        """Ask the child; see `Runtime.predict`.

        Raises:
            Unavailable: the child died of this call or did not answer in time, or none is ready in time.
            ModelFailed: the model itself failed.
        """
        deadline = deadline_after(self._limits.seconds)
        child = self._ready(deadline)
        try:
            pieces = encode(*batch_arrays(batch))
            header, arrays = _exchange(child, pieces, deadline, _most(self._signature, batch.n_rows))
            if "error" in header:
                raise ModelFailed(plain_text(header.get("message")))
            return self._checked(arrays, batch.n_rows)
        except Unavailable:
            self._lose(child)
            raise

    def _checked(self, arrays: dict[str, np.ndarray], n_rows: int) -> Answer:
        answer = {}
        for output in self._signature.outputs:
            array = arrays.get(output.name)
            if (
                array is None
                or array.ndim != 1 + len(output.shape)
                or len(array) != n_rows
                or array.dtype != output.type.dtype
            ):
                raise ModelFailed(f"the model failed: it gave no `{output.name}` of its signature's shape and type")
            if any(size not in (-1, got) for size, got in zip(output.shape, array.shape[1:], strict=True)):
                raise ModelFailed(f"the model failed: `{output.name}` has shape {array.shape} for {n_rows} rows")
            if output.type is DataType.STRING and not all(_is_text(value) for value in array.reshape(-1).tolist()):
                raise ModelFailed(f"the model failed: `{output.name}` holds what is no text")
            answer[output.name] = array
        return answer

    def unload(self) -> None:
        """End the child and remove the copy of the file; more than once does no harm."""
        with self._changed:
            self._unloaded = True
            child, self._child = self._child, None
            starting, newborn = self._starting, self._newborn
            self._changed.notify_all()
        if newborn:
            newborn.kill()
        if starting:
            starting.join()
        if child:
            child.end()
        shutil.rmtree(self._folder, ignore_errors=True)

    def metadata(self) -> dict[str, Any]:
        """Return what the child says of itself, and that it is one."""
        return {**self._facts, "isolated": True}

    def _start(self) -> SandboxProcess:
        """Return a child that has loaded the model."""
        limits = self._limits
        arguments = {"path": str(self._model.resolve()), "signature": msgspec.to_builtins(self._signature)}
        ours = {"runtime": self._runtime, "threads": limits.threads}
        child = SandboxProcess(
            _SERVE if self._python is None else _SERVE_ELSEWHERE,
            arguments if self._python else {**arguments, **ours},
            read=[self._model],
            scratch=self._folder / "scratch",
            limits=limits,
            preload=_PRELOAD.get(self._runtime, ())
            if self._python is None
            else ("numpy", "joblib", "sklearn.pipeline"),
            lasting=True,
            python=self._python,
        )
        os.set_blocking(child.orders, False)
        try:
            with self._changed:
                self._newborn = child
                if self._unloaded:
                    raise Unavailable("the model is not loaded any more")
            watch = _Watch(child, deadline_after(max(_START_SECONDS, limits.seconds)))
            header, _ = _receive(watch, (_SLACK_BYTES, 0))
            if "error" in header:
                raise ModelRefused(plain_text(header.get("message")))
        except BaseException:
            self._newborn = None
            child.end()
            raise
        self._newborn = None
        ready = header.get("ready")
        self._facts = (
            {str(key)[:50]: str(value)[:100] for key, value in list(ready.items())[:20]}
            if isinstance(ready, dict)
            else {}
        )
        return child

    def _adopt(self, child: SandboxProcess) -> None:
        with self._changed:
            self._starting = None
            unwanted = self._unloaded
            if not unwanted:
                self._child = child
            self._changed.notify_all()
        if unwanted:
            child.end()

    def _ready(self, deadline: float) -> SandboxProcess:
        """Return the child, waiting for a new one if the last has died."""
        with self._changed:
            if self._child and self._child.ended() is not None:
                dead, self._child = self._child, None
                dead.end()
            while self._child is None:
                if self._unloaded:
                    raise Unavailable("the model is not loaded any more")
                self._begin_start()
                if not self._changed.wait(max(0.0, deadline - time.monotonic())):
                    raise Unavailable("the model's process is being started again; try again in some seconds")
                if self._failure and self._child is None:
                    raise Unavailable(f"the model's process could not be started again: {self._failure.message}")
            return self._child

    def _lose(self, child: SandboxProcess) -> None:
        """End a child that died or hangs, and start another behind the scenes."""
        with self._changed:
            if self._child is child:
                self._child = None
            if not self._unloaded:
                self._begin_start()
        child.end()

    def _begin_start(self) -> None:
        """Start a child in a thread, unless one is starting. The condition's lock is held."""
        if self._starting is None:
            self._failure = None
            self._starting = threading.Thread(target=self._restart, name="isolated-restart", daemon=True)
            self._starting.start()

    def _restart(self) -> None:
        try:
            self._adopt(self._start())
        except ModelyardError as error:
            with self._changed:
                self._starting, self._failure = None, error
                self._changed.notify_all()
        except OSError:
            with self._changed:
                self._starting, self._failure = None, Unavailable("the machine has no process, memory or disk left")
                self._changed.notify_all()


def _is_text(value: object) -> bool:
    """Tell whether it is a text that can be sent on: half of a surrogate pair cannot be encoded."""
    try:
        return value is None or (isinstance(value, str) and value.encode() is not None)
    except UnicodeEncodeError:
        return False


def _most(signature: Signature, n_rows: int) -> tuple[int, int]:
    """Return the bytes of header and body that an answer for so many rows may have: this process holds them."""
    header = body = _SLACK_BYTES
    for output in signature.outputs:
        values = n_rows * math.prod(output.shape)
        if any(size < 0 for size in output.shape):
            header, body = _MAX_HEADER_BYTES, _MAX_BODY_BYTES  # any length: nothing tells how much is too much
        elif output.type is DataType.STRING:
            header += _TEXT_BYTES * values
        else:
            body += output.type.dtype.itemsize * values
        header += 6 * len(output.name) + 256
    return min(header, _MAX_HEADER_BYTES), min(body, _MAX_BODY_BYTES)


class _Watch:
    """Waits for a child's pipes until a deadline, and looks at what it uses at each tick, however busy they are."""

    def __init__(self, child: SandboxProcess, deadline: float) -> None:
        self.child = child
        self._deadline = deadline
        self._look_at = time.monotonic() + _TICK_SECONDS

    def wait(self, fd: int, event: int) -> None:
        """Return when the pipe is ready.

        Raises:
            Unavailable: at the deadline, or when the child uses too much.
        """
        poller = select.poll()
        poller.register(fd, event)
        ready = False
        while not ready:
            now = time.monotonic()
            if now > self._deadline:  # first: a pipe that is always ready by a byte would never let it be asked
                raise Unavailable("the model did not answer in time; its process is started again")
            if now >= self._look_at:
                self._look_at = now + _TICK_SECONDS
                excess = self.child.excess()
                if excess:
                    raise Unavailable(f"the model {excess}; its process is started again")
            ready = bool(poller.poll(_TICK_SECONDS * 1000))


def _exchange(
    child: SandboxProcess, pieces: Sequence[bytes | memoryview], deadline: float, most: tuple[int, int]
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    watch = _Watch(child, deadline)
    for piece in pieces:
        view = memoryview(piece)
        while view:
            watch.wait(child.orders, select.POLLOUT)
            try:
                view = view[os.write(child.orders, view[: 1 << 16]) :]
            except BlockingIOError:
                continue
            except OSError:
                raise _died() from None
    return _receive(watch, most)


def _receive(watch: _Watch, most: tuple[int, int]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    header_size, body_size = PREFIX.unpack(_read(watch, PREFIX.size))
    if header_size > most[0] or body_size > most[1]:
        raise Unavailable("the model's process answered more than it may")
    header = bytes(_read(watch, header_size))
    try:
        return decode(header, _read(watch, body_size))
    except FrameError:
        raise Unavailable("the model's process garbled its answer; try again") from None


def _read(watch: _Watch, size: int) -> bytearray:
    received = bytearray()
    while len(received) < size:
        watch.wait(watch.child.answers, select.POLLIN)
        try:
            part = os.read(watch.child.answers, min(1 << 20, size - len(received)))
        except BlockingIOError:
            continue
        if not part:
            raise _died()
        received += part
    return received


def _died() -> Unavailable:
    return Unavailable("the model's process died while it worked on this request; try again")
