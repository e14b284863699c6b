"""Every loaded version, the loads under way, and who computes.

A version is loaded once in a process, however many ask for it at the same time. Wrapped in one visible place:
queue (batching, deadlines) -> runtime (in process, or in its sandboxed child).
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence, Set
from concurrent.futures import ThreadPoolExecutor

from modelyard.core.errors import InvalidInput, ModelFailed, ModelRefused, ModelyardError, Unavailable
from modelyard.core.settings import Settings
from modelyard.exchange.snapshot import ServedVersion
from modelyard.serving.loader import Loader
from modelyard.serving.queue import Defer, Deliver, QueueLimits, Retired, VersionQueue
from modelyard.serving.residency import NEVER_ASKED, VersionKey, expected_bytes, held_bytes, on_demand_bytes, to_unload
from modelyard.serving.work import Work

log = logging.getLogger(__name__)

LOADING_THREADS = 4
RUNNING_THREADS = 32
RETRY_SECONDS = 5.0
ROOM_SECONDS = 5.0
"""How long a load waits for room while all that could go is in use."""
ROOM_POLL_SECONDS = 0.02


class Engine:
    """Loads, runs and unloads versions. Safe in threads.

    Attributes:
        retry_seconds: after which a version that could not be loaded is tried again.
        idle_seconds: after which a version that no plan names, and nobody asked for, is unloaded.
        loads: how many loads were begun, for the metrics.
    """

    def __init__(self, settings: Settings, loader: Loader, *, deliver: Deliver, defer: Defer) -> None:
        self.retry_seconds = RETRY_SECONDS
        self.idle_seconds: float = settings.idle_seconds
        self.loads = 0
        self._loader = loader
        self._deliver = deliver
        self._defer = defer
        self._limits = QueueLimits(
            max_queue=settings.max_queue,
            max_batch_rows=settings.max_rows,
            inline_seconds=settings.inline_seconds,
        )
        self._max_loaded_bytes: int = settings.max_loaded_bytes
        self._queues: dict[VersionKey, VersionQueue] = {}
        self._pinned: frozenset[VersionKey] = frozenset()
        self._awaited: Counter[VersionKey] = Counter()
        self._unloaded: dict[VersionKey, str] = {}
        self._lock = threading.Lock()
        self._stopping = False
        self._loading = ThreadPoolExecutor(LOADING_THREADS, thread_name_prefix="load")
        self._running = ThreadPoolExecutor(RUNNING_THREADS, thread_name_prefix="run")

    def submit(self, key: VersionKey, name: str, version: ServedVersion, work: Work) -> None:
        """Give a work to its version, which is loaded first where it is not.

        Raises:
            Unavailable: see `VersionQueue.submit`.
        """
        while True:
            try:
                queue = self._queues.get(key)
                if queue is None or queue.failure is not None:
                    queue = self.queue(key, name, version)
                return queue.submit(work)
            except Retired:
                continue

    def queue(self, key: VersionKey, name: str, version: ServedVersion) -> VersionQueue:
        """Return the version's queue; a load is begun where there is none, or where the last failed a while ago.

        Raises:
            Unavailable: when there is none and the server stops.
        """
        with self._lock:
            queue = self._queues.get(key)
            if queue is not None and (queue.failure is None or time.monotonic() - queue.failed_at < self.retry_seconds):
                return queue
            if self._stopping:
                raise stopping()
            queue = VersionQueue(
                name, deliver=self._deliver, defer=self._defer, pool=self._running, limits=self._limits
            )
            tried = self._queues.get(key)
            queue.broken = tried is not None and tried.broken
            queue.held_bytes = 0 if queue.broken else expected_bytes(version)
            self._queues[key] = queue
            self.loads += 1
            self._loading.submit(self._load, key, queue, version)
        return queue

    def ensure(
        self,
        versions: Iterable[tuple[VersionKey, str, ServedVersion]],
        ready: Callable[[ModelyardError | None], None],
        *,
        pin: bool = False,
    ) -> None:
        """Load what is not loaded and then call `ready` once, with None or the first error. `pin`: see `pin`."""
        wanted = list(versions)
        keys = [key for key, _, _ in wanted]
        with self._lock:
            self._awaited.update(keys)
            if pin:
                self._pinned |= set(keys)
        queues = [self.queue(*version) for version in wanted]

        def told(error: ModelyardError | None) -> None:
            try:
                ready(error)
            finally:
                self._let_go(keys, queues)

        waits = _Countdown(len(queues), told)
        for queue in queues:
            queue.watch(waits.one)

    def _let_go(self, keys: Sequence[VersionKey], queues: Sequence[VersionQueue]) -> None:
        """Nobody waits for these any more; they count as just used, so that what now names them is looked at first."""
        now = time.monotonic()
        with self._lock:
            self._awaited -= Counter(keys)
            for queue in queues:
                queue.last_used = max(queue.last_used, now)

    def pin(self, keys: Iterable[VersionKey]) -> None:
        """Let these, and no others, stay loaded whatever else is asked for."""
        pinned = frozenset(keys)
        with self._lock:
            self._pinned = pinned

    def state(self, key: VersionKey) -> tuple[str, str]:
        """Return the version's state as the model repository extension calls it, and why it is not ready."""
        queue = self._queues.get(key)
        if queue is None:
            return "UNAVAILABLE", self._unloaded.get(key, NEVER_ASKED)
        if queue.failure is not None:
            return "UNAVAILABLE", queue.failure.message
        return ("READY", "") if queue.is_ready else ("LOADING", "")

    def expire(self) -> None:
        """Answer the requests whose deadline has passed."""
        now = time.monotonic()
        for queue in tuple(self._queues.values()):
            queue.expire(now)

    def retire_idle(self, planned: Set[VersionKey], named: Set[VersionKey], looked_at: float) -> None:
        """Unload what no document names, and what no plan names and nobody asked for lately.

        `looked_at`: on `time.monotonic`, before the documents were looked at; what was used since then stays.
        """
        before = looked_at - self.idle_seconds
        with self._lock:
            idle = [
                key
                for key, queue in self._queues.items()
                if key not in planned
                and not self._awaited[key]
                and queue.last_used < (before if key in named else looked_at)
            ]
            queues = [self._queues.pop(key) for key in idle]
            self._unloaded |= dict.fromkeys(idle, "unloaded: nobody asked for it")
            self._unloaded = {key: why for key, why in self._unloaded.items() if key in named}
        for queue in queues:
            queue.retire()
        self._loader.prune({digest for _, _, digest in planned})

    def stop(self) -> None:
        """Finish what is under way and unload everything."""
        with self._lock:
            self._stopping = True
        self._loading.shutdown(wait=True, cancel_futures=True)
        with self._lock:
            queues = list(self._queues.values())
            self._queues.clear()
        for queue in queues:
            if not queue.is_ready and queue.failure is None:
                queue.failed(stopping())
            queue.retire()
        self._running.shutdown(wait=True)

    def _load(self, key: VersionKey, queue: VersionQueue, version: ServedVersion) -> None:
        started = time.monotonic()
        try:
            self._wait_for_room(key, queue)
            runtime = self._loader.load(key[0], version, queue.cost)
            queue.held_bytes = held_bytes(runtime, version)
        except Exception as error:
            log.error("load_failed", extra={"action": "load_failed", "version": queue.name}, exc_info=error)
            queue.held_bytes = 0
            queue.broken = _is_broken(error)
            queue.failed(_as_unavailable(queue.name, error))
            return
        log.info(
            "loaded",
            extra={"action": "loaded", "version": queue.name, "seconds": round(time.monotonic() - started, 3)},
        )
        queue.broken = False
        queue.loaded(runtime, inline=not version.isolated)
        self._make_room(key)

    def _wait_for_room(self, key: VersionKey, queue: VersionQueue) -> None:
        """Unload what was used least lately, until this version fits among what was loaded on demand.

        Raises:
            Unavailable: when it is too large by itself, or all that could go is in use for too long.
        """
        if key in self._pinned or queue.broken:
            return  # nothing that works goes for what has shown that it does not: its room is made once it is loaded
        if queue.held_bytes > self._max_loaded_bytes:
            raise Unavailable(
                f"about {queue.held_bytes >> 20} MiB once loaded, of {self._max_loaded_bytes >> 20} MiB for all that "
                "is loaded on demand: an operator can raise MODELYARD_MAX_LOADED_BYTES, or preload the model"
            )
        end = time.monotonic() + ROOM_SECONDS
        while not self._make_room(key) and not self._stopping:
            if time.monotonic() >= end:
                raise Unavailable("no room: what else was loaded on demand is in use")
            time.sleep(ROOM_POLL_SECONDS)

    def _make_room(self, key: VersionKey) -> bool:
        """Unload others than `key` as far as they may go; False when the rest is still too much."""
        with self._lock:
            chosen = to_unload(self._queues, self._pinned, self._max_loaded_bytes, key)
            queues = [self._queues.pop(one) for one in chosen]
            self._unloaded |= dict.fromkeys(chosen, "unloaded: others needed the room")
            fits = on_demand_bytes(self._queues, self._pinned) <= self._max_loaded_bytes
        for queue in queues:
            log.info("unloaded", extra={"action": "unloaded", "version": queue.name, "bytes": queue.held_bytes})
            queue.retire()
        return fits


class _Countdown:
    """Calls `ready` when so many have reported, with the first error if there was one."""

    def __init__(self, count: int, ready: Callable[[ModelyardError | None], None]) -> None:
        self._count = count
        self._ready = ready
        self._error: ModelyardError | None = None
        self._lock = threading.Lock()
        if not count:
            ready(None)

    def one(self, error: ModelyardError | None) -> None:
        with self._lock:
            self._count -= 1
            self._error = self._error or error
            last = self._count == 0
        if last:
            self._ready(self._error)


def stopping() -> Unavailable:
    """Return what those are told who come when the server ends."""
    return Unavailable("the server is stopping; try again", retry_after=1)


def _is_broken(error: Exception) -> bool:
    """Tell whether the model itself is the reason, and not that it could not be had, or had no room."""
    return isinstance(error, ModelRefused | ModelFailed | InvalidInput)


def _as_unavailable(name: str, error: Exception) -> Unavailable:
    """Tell a caller why a version cannot be had, without a path in it."""
    reason = error.message if isinstance(error, ModelyardError) else type(error).__name__
    return Unavailable(f"{name} could not be loaded: {reason}", retry_after=5)
