"""The requests that wait for one version, and how they become batches.

No timer: what arrives while a batch runs is the next batch, and a lone request waits for nothing. In an event loop,
`defer` puts the run behind what the loop has already received, so that requests of the same turn make one batch.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from copy import copy
from functools import partial

from modelyard.core.errors import DeadlineExceeded, ModelFailed, ModelyardError, Unavailable
from modelyard.core.tensors import Answer, join, split
from modelyard.runtimes.runtime import Runtime
from modelyard.serving.cost import Cost
from modelyard.serving.work import Work

log = logging.getLogger(__name__)

PROBE_EVERY = 32
PROBE_FACTOR = 4.0

Deliver = Callable[[Sequence[Work]], None]
"""Takes works that have an answer or an error; called from any thread."""

Defer = Callable[[Callable[[], None]], bool]
"""Calls a function soon on this thread's event loop; False where there is none."""


class Retired(Exception):
    """The queue takes nothing any more; the engine has, or makes, another."""


class VersionQueue:
    """A version's waiting works, its runtime once it is loaded, and who runs it.

    The lock guards all state and is held for microseconds. `_running` says that somebody has the runtime; only
    that one touches it. `broken`: the model itself was why it did not load, now or when last tried.
    """

    def __init__(self, name: str, *, deliver: Deliver, defer: Defer, pool: Executor, limits: "QueueLimits") -> None:
        self.name = name
        self.cost = Cost()
        self.last_used = time.monotonic()
        self.held_bytes = 0
        self.failure: ModelyardError | None = None
        self.broken = False
        self.failed_at = 0.0
        self._deliver = deliver
        self._defer = defer
        self._pool = pool
        self._limits = limits
        self._lock = threading.Lock()
        self._waiting: deque[Work] = deque()
        self._under_way: list[Work] = []
        self._runtime: Runtime | None = None
        self._inline = False
        self._running = False
        self._since_probe = 0
        self._retired = False
        self._watchers: list[Callable[[ModelyardError | None], None]] = []

    @property
    def is_ready(self) -> bool:
        return self._runtime is not None

    @property
    def is_leased(self) -> bool:
        """Tell whether it loads, runs, or has requests waiting, so that nobody may unload it now."""
        return self._running or bool(self._waiting) or (self._runtime is None and self.failure is None)

    def submit(self, work: Work) -> None:
        """Take a work; `deliver` gets it back.

        Raises:
            Unavailable: when too many wait, or the version could not be loaded.
            Retired: when another queue has taken this one's place.
        """
        with self._lock:
            if self._retired:
                raise Retired
            if self.failure is not None:
                raise copy(self.failure)
            if len(self._waiting) >= self._limits.max_queue:
                raise Unavailable(f"{self.name}: {len(self._waiting)} requests wait already; try again", retry_after=1)
            self._waiting.append(work)
            if self._running or self._runtime is None:
                return
            self._running = True
        self._schedule()

    def watch(self, ready: Callable[[ModelyardError | None], None]) -> None:
        """Call `ready`, once, with None when the version is loaded or with why it could not be."""
        with self._lock:
            if self._runtime is None and self.failure is None:
                self._watchers.append(ready)
                return
        ready(self.failure)

    def loaded(self, runtime: Runtime, *, inline: bool) -> None:
        """Begin to answer. `inline`: the runtime may run in a server's own thread when it is quick."""
        with self._lock:
            self._runtime, self._inline = runtime, inline
            self.last_used = time.monotonic()
            watchers, self._watchers = self._watchers, []
            start = bool(self._waiting)
            self._running = start or self._retired
            running = self._running
        for watcher in watchers:
            watcher(None)
        if running:
            self._in_pool(self._run_in_pool)

    def failed(self, error: ModelyardError) -> None:
        """Refuse what waits and what will come."""
        with self._lock:
            self.failure, self.failed_at = error, time.monotonic()
            works = self._settle(self._waiting)
            self._waiting.clear()
            watchers, self._watchers = self._watchers, []
        for watcher in watchers:
            watcher(error)
        self._give_up(works, error)

    def expire(self, now: float) -> None:
        """Answer those whose deadline has passed, also those under way: what comes of them later goes nowhere."""
        with self._lock:
            late = self._settle([work for work in (*self._waiting, *self._under_way) if work.deadline <= now])
            if late:
                self._waiting = deque(work for work in self._waiting if not work.settled)
        self._give_up(late, self._too_late())

    def retire(self) -> None:
        """Take nothing more, answer what waits, then give the memory back."""
        with self._lock:
            self._retired = True
            if self._running or (self._waiting and self._runtime is None and self.failure is None):
                return
            runtime, self._runtime = self._runtime, None
        if runtime is not None:
            self._in_pool(partial(_unload, self.name, runtime))

    def _in_pool(self, run: Callable[[], None]) -> None:
        """Run in a thread of the pool; right here when it takes nothing more, as the server stops."""
        try:
            self._pool.submit(run)
        except RuntimeError:
            run()

    def _schedule(self, *, nested: bool = False) -> None:
        """Run what waits. `nested`: a run calls this; without a loop it may not run the next, or it would never end."""
        rows = sum(work.batch.n_rows for work in tuple(self._waiting))
        if self._inline and self._is_quick(self.cost.expected(rows)):
            if self._defer(self._run_here):
                return
            if not nested:
                self._run_here()
                return
        self._in_pool(self._run_in_pool)

    def _is_quick(self, seconds: float) -> bool:
        """Tell whether a batch runs inline. One in many that is a little too dear does too.

        Beside a busy loop a thread measures more than the batch costs, and would never find the way back.
        """
        limit = self._limits.inline_seconds
        if seconds >= limit * PROBE_FACTOR:
            return False
        self._since_probe += 1
        if seconds < limit or self._since_probe >= PROBE_EVERY:
            self._since_probe = 0
            return True
        return False

    def _run_here(self) -> None:
        """Run one batch on the server's thread; a dear one, and what came meanwhile, goes to a thread of its own."""
        works = self._take(self._limits.inline_seconds * PROBE_FACTOR)
        if works:
            self._run(works)
        elif self._waiting:
            self._in_pool(self._run_in_pool)
            return
        if not self._rest():
            self._schedule(nested=True)

    def _run_in_pool(self) -> None:
        try:
            while True:
                works = self._take(None)
                if works:
                    self._run(works)
                if self._rest():
                    return
        except BaseException:
            log.exception("queue_broken", extra={"action": "queue_broken", "version": self.name})
            raise

    def _rest(self) -> bool:
        """Stop running when nothing waits; True then."""
        with self._lock:
            if self._waiting:
                return False
            self._running = False
            if not self._retired:
                return True
            runtime, self._runtime = self._runtime, None
        if runtime is not None:
            self._in_pool(partial(_unload, self.name, runtime))
        return True

    def _take(self, seconds: float | None) -> list[Work]:
        """Take the next batch: up to the row bound, and of an expected cost below `seconds` (maybe none)."""
        now = time.monotonic()
        taken: list[Work] = []
        late: list[Work] = []
        rows = 0
        with self._lock:
            while self._waiting:
                work = self._waiting[0]
                if work.deadline <= now:
                    late.append(self._waiting.popleft())
                    continue
                more = rows + work.batch.n_rows
                if taken and more > self._limits.max_batch_rows:
                    break
                if seconds is not None and self.cost.expected(more) >= seconds:
                    break
                rows = more
                taken.append(self._waiting.popleft())
            self._under_way = taken
            self._settle(late)
        if late:
            self._give_up(late, self._too_late())
        return taken

    def _run(self, works: list[Work]) -> None:
        runtime = self._runtime
        assert runtime is not None  # noqa: S101 - `_running` is only set while there is one
        started = time.thread_time()
        try:
            batch = join([work.batch for work in works])
            answer = _checked(runtime.predict(batch), batch.n_rows)
        except Exception as error:
            self._run_apart(runtime, works, error)
        else:
            self.cost.measured(batch.n_rows, time.thread_time() - started)
            if len(works) == 1:
                works[0].answer = answer
            else:
                parts = split(answer, [work.batch.n_rows for work in works])
                for work, part in zip(works, parts, strict=True):
                    work.answer = part
        self.last_used = time.monotonic()
        with self._lock:
            self._under_way = []
            settled = self._settle(works)
        self._deliver(settled)

    def _run_apart(self, runtime: Runtime, works: list[Work], error: Exception) -> None:
        """One bad row fails one request: run those of a failed batch one by one, unless the runtime itself is away."""
        if len(works) == 1 or isinstance(error, Unavailable):
            for work in works:
                work.error = self._as_error(error)
            return
        for work in works:
            if work.deadline <= time.monotonic():
                work.error = self._too_late()
                continue
            try:
                work.answer = _checked(runtime.predict(work.batch), work.batch.n_rows)
            except Exception as own:
                work.error = self._as_error(own)

    def _too_late(self) -> DeadlineExceeded:
        return DeadlineExceeded(f"{self.name}: no answer within the time allowed")

    def _as_error(self, error: Exception) -> ModelyardError:
        if isinstance(error, ModelyardError):
            return error
        log.error("model_failed", extra={"action": "model_failed", "version": self.name}, exc_info=error)
        return ModelFailed(f"{self.name} failed on this input ({type(error).__name__}); other inputs may work")

    @staticmethod
    def _settle(works: "Sequence[Work] | deque[Work]") -> list[Work]:
        """Mark works as delivered and return those that were not. The lock is held."""
        fresh = [work for work in works if not work.settled]
        for work in fresh:
            work.settled = True
        return fresh

    def _give_up(self, works: list[Work], error: ModelyardError) -> None:
        for work in works:
            work.answer, work.error = None, error
        if works:
            self._deliver(works)


class QueueLimits:
    """Bounds of every queue: works that wait, rows of a batch, and seconds below which a batch runs inline."""

    __slots__ = ("inline_seconds", "max_batch_rows", "max_queue")

    def __init__(self, *, max_queue: int, max_batch_rows: int, inline_seconds: float) -> None:
        self.max_queue = max_queue
        self.max_batch_rows = max_batch_rows
        self.inline_seconds = inline_seconds


def _checked(answer: Answer, n_rows: int) -> Answer:
    """Refuse an answer that does not have one row for each row asked."""
    for name, array in answer.items():
        if array.ndim < 1 or len(array) != n_rows:
            raise ModelFailed(f"the model's output `{name}` has shape {array.shape}: expected {n_rows} rows")
    return answer


def _unload(name: str, runtime: Runtime) -> None:
    try:
        runtime.unload()
    except Exception:
        log.exception("unload_failed", extra={"action": "unload_failed", "version": name})
    else:
        log.info("unloaded", extra={"action": "unloaded", "version": name})
