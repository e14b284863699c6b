"""A model that lives in a sandboxed child of its own, behind the same four verbs as any other runtime."""

import fcntl
import logging
import math
import os
import shutil
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Self

import msgspec
import numpy as np

from modelyard.core.errors import ModelFailed, ModelRefused, ModelyardError, Unavailable
from modelyard.core.signature import DataType, Signature
from modelyard.core.tensors import Answer, Batch
from modelyard.runtimes.frames import batch_arrays, encode
from modelyard.sandbox.limits import Limits
from modelyard.sandbox.process import SandboxProcess, deadline_after
from modelyard.sandbox.run import plain_text
from modelyard.sandbox.talking import Watch, exchange, receive

log = logging.getLogger(__name__)

_SERVE = "modelyard.sandbox.isolated_child:serve"
_SERVE_ELSEWHERE = "modelyard.sandbox.elsewhere_child:serve"
_PRELOAD = {
    "sklearn": ("numpy", "msgspec", "sklearn.pipeline"),  # the rest as the file names it
    "onnx": ("numpy", "msgspec", "onnxruntime"),
}
_PREFIX, _LOCK = "modelyard-model-", "lock"
_START_SECONDS = 120.0
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
        _sweep()
        self._lock: int | None
        self._folder, self._lock = _new_folder()
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
            header, arrays = exchange(child, pieces, deadline, _most(self._signature, batch.n_rows))
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
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)

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
        try:
            with self._changed:
                self._newborn = child
                if self._unloaded:
                    raise Unavailable("the model is not loaded any more")
            watch = Watch(child, deadline_after(max(_START_SECONDS, limits.seconds)))
            header, _ = receive(watch, (_SLACK_BYTES, 0))
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
        try:
            with self._changed:
                if self._child is child:
                    self._child = None
                if not self._unloaded:
                    self._begin_start()
        finally:
            child.end()

    def _begin_start(self) -> None:
        """Start a child in a thread, unless one is starting. The condition's lock is held.

        Raises:
            Unavailable: there is no thread left.
        """
        if self._starting is None:
            self._failure = None
            starting = threading.Thread(target=self._restart, name="isolated-restart", daemon=True)
            try:
                starting.start()
            except RuntimeError:
                raise Unavailable("the machine has no thread left; try again later") from None
            self._starting = starting

    def _restart(self) -> None:
        try:
            self._adopt(self._start())
        except Exception as error:  # whatever it is: who waits must be told, and a later call may try again
            told = error if isinstance(error, ModelyardError) else None
            if told is None:
                log.exception("isolated_restart_failed", extra={"action": "isolated_restart_failed"})
                told = Unavailable("the machine has no process, memory or disk left")
            with self._changed:
                self._starting, self._failure = None, told
                self._changed.notify_all()


def _new_folder() -> tuple[Path, int]:
    """Return a folder, and the open file whose lock says that it is in use. The lock has its name once it is held."""
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    lock = os.open(folder / "new-lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    (folder / "new-lock").rename(folder / _LOCK)
    return folder, lock


def _sweep() -> None:
    """Remove the folders of processes that were killed: nobody holds their locks."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        try:
            lock = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue  # another user's, or not yet locked
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(lock).st_uid == os.geteuid():
                shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            continue
        finally:
            os.close(lock)


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
