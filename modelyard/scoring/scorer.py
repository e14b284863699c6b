"""The parent's side: a child that scores parts of one dataset with one version, as many as it is asked for."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
import numpy as np

from modelyard.core.errors import ChildFailed, LimitExceeded, ModelFailed, ModelRefused, Unavailable
from modelyard.core.signature import Signature
from modelyard.runtimes.frames import FrameError, encode, read_batch
from modelyard.sandbox.isolated import IsolatedRuntime
from modelyard.sandbox.limits import Limits
from modelyard.sandbox.newborn import Spare
from modelyard.sandbox.process import SandboxProcess, deadline_after
from modelyard.sandbox.run import plain_text
from modelyard.sandbox.talking import Died, Exceeded, Watch, receive, send

_SERVE = "modelyard.scoring.child:serve"
_PRELOAD = ("numpy", "msgspec", "pyarrow", "pyarrow.compute", "pyarrow.csv", "pyarrow.parquet")
_GRAPH = "onnxruntime"
SPARE = Spare(("modelyard.sandbox.layers", "modelyard.core.errors", *_PRELOAD, _GRAPH, _SERVE.partition(":")[0]))
_START_SECONDS = 120.0
_MOST = (64 << 20, 1 << 30)
"""Bytes of a header and of a body: the rows of one chunk, or the failed rows of a part."""
_LOST = "the process that read the table gave an answer that is none; the part is done again"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is scored with what.

    Attributes:
        dataset: the table, in the form that `tables.writing` leaves.
        model: the file that serves, with the alias of its `runtime`.
        isolated: it runs in a child of its own, with another environment's interpreter where `python` names one.
        keep: columns of the table that stand before the predictions.
        form: one of `writing.FORMATS`.
    """

    dataset: Path
    model: Path
    runtime: str
    isolated: bool
    signature: Signature
    keep: tuple[str, ...]
    form: str
    python: Path | None = None


class Failed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row without a prediction: its number in the table from 0, why, and what it holds."""

    row: int
    reason: str
    values: dict[str, str | int | float | bool | None]


class Scored(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a part came out: `failed` are the first of its `n_failed` rows, `tail` ends its file, if that is Parquet."""

    rows: int
    n_failed: int
    failed: list[Failed]
    tail: bytes = b""


class Scorer:
    """Two children at most: one reads, runs a graph and writes; what is no graph has the other, as when it serves.

    Its methods are called from one thread at a time; what interrupts that thread's work comes out of them, and then
    it is to be closed.
    """

    def __init__(self, wanted: Wanted, scratch: Path, limits: Limits) -> None:
        self._limits = limits
        self._model: IsolatedRuntime | None = None
        arguments = {
            "dataset": str(wanted.dataset.resolve()),
            "model": None if wanted.isolated else str(wanted.model.resolve()),
            "runtime": wanted.runtime,
            "signature": msgspec.to_builtins(wanted.signature),
            "keep": list(wanted.keep),
            "form": wanted.form,
        }
        graph = () if wanted.isolated else (_GRAPH,)
        self._child = SandboxProcess(
            _SERVE,
            arguments,
            read=[wanted.dataset] if wanted.isolated else [wanted.dataset, wanted.model],
            scratch=scratch,
            limits=limits,
            preload=(*_PRELOAD, *graph),
            lasting=True,
            spare=SPARE,
        )
        try:
            with _told_of_a_job():
                if wanted.isolated:
                    self._model = IsolatedRuntime.load(
                        wanted.model, wanted.signature, runtime=wanted.runtime, limits=limits, python=wanted.python
                    )
                header, _ = receive(Watch(self._child, deadline_after(_START_SECONDS)), _MOST)
            if "error" in header:
                raise ModelRefused(plain_text(header.get("message")))
        except BaseException:
            self.close()
            raise

    def score(self, first: int, groups: int, first_row: int, told: Callable[[int], None]) -> "Iterator[bytes | Scored]":
        """Give the scored file of some row groups bit by bit, of Parquet the pages, and at last how it came out.

        `told` is called with the rows that are done. What is given is the child's word: a file that only another
        child may read, and counts to be checked.

        Raises:
            ChildFailed, LimitExceeded: a child died, or used too much or took too long.
            Unavailable: what a child said is no answer.
            ModelFailed: the table cannot be read, or its answer not be written.
        """
        with _told_of_a_job():
            yield from self._given({"first": first, "groups": groups, "first_row": first_row}, told)

    def _given(self, order: dict[str, int], told: Callable[[int], None]) -> "Iterator[bytes | Scored]":
        watch = Watch(self._child, deadline_after(self._limits.seconds))
        send(watch, encode(order))
        while True:
            header, arrays = receive(watch, _MOST)
            if "data" in arrays:
                rows = header.get("rows")
                if type(rows) is not int:
                    raise Unavailable(_LOST)
                told(rows)
                yield _bytes(arrays["data"])
            elif "ask" in header:
                send(watch, self._answer(header["ask"], arrays))
            elif "done" in header:
                yield self._checked(header["done"], arrays)
                return
            else:
                raise ModelFailed(plain_text(header.get("message")))

    def close(self) -> None:
        """End the children."""
        self._child.end()
        if self._model is not None:
            self._model.unload()

    def alive(self) -> bool:
        """Tell whether it can be asked for another part."""
        return self._child.ended() is None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _answer(self, facts: Any, arrays: dict[str, Any]) -> list[bytes | memoryview]:
        if self._model is None or not isinstance(facts, dict):
            raise Unavailable(_LOST)
        try:
            return encode({}, self._model.predict(read_batch(facts, arrays)))
        except ModelFailed as error:
            return encode({"error": error.code, "message": error.message})
        except FrameError:
            raise Unavailable(_LOST) from None

    @staticmethod
    def _checked(said: Any, arrays: dict[str, Any]) -> Scored:
        try:
            return msgspec.structs.replace(msgspec.convert(said, Scored), tail=_bytes(arrays["tail"]))
        except (msgspec.ValidationError, KeyError):
            raise Unavailable(_LOST) from None


def _bytes(array: np.ndarray) -> bytes:
    """Return the bytes that a child sent: those of an array of objects would be places in our memory."""
    if array.dtype != np.uint8:
        raise Unavailable(_LOST)
    return array.tobytes()


@contextmanager
def _told_of_a_job() -> Iterator[None]:
    """Say of a child that is lost what jobs say of theirs: the words of `talking` are for who waits for a request."""
    try:
        yield
    except Exceeded as error:
        raise LimitExceeded(f"the process that scores {error.what}") from None
    except Died:
        raise ChildFailed("the process that scores died: it crashed, or was killed") from None
