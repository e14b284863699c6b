"""A sandboxed child before it is told its job, and one that waits, warm, for the next."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from modelyard.core.errors import Unavailable
from modelyard.sandbox import layers

_CHILD = Path(__file__).resolve().with_name("child.py")

_spawners: dict[int, ThreadPoolExecutor] = {}
_spawners_lock = threading.Lock()


def _spawner() -> ThreadPoolExecutor:
    """Return this process's one thread that starts children: they die with the thread that started them."""
    with _spawners_lock:
        pid = os.getpid()
        if pid not in _spawners:
            _spawners.clear()
            _spawners[pid] = ThreadPoolExecutor(1, thread_name_prefix="sandbox-spawner")
        return _spawners[pid]


def _environment(threads: int) -> dict[str, str]:
    """Return all that the child sees of an environment, but for the folders that its job names."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
    return {
        "LANG": "C.UTF-8",
        "PATH": "/nonexistent",
        "JOBLIB_MULTIPROCESSING": "0",
        "LOKY_MAX_CPU_COUNT": str(threads),
        "ARROW_DEFAULT_MEMORY_POOL": "system",
        "JE_ARROW_MALLOC_CONF": "background_thread:false",  # of the pool that is not used, but which starts its thread
        "PYTHONHASHSEED": "0",
        **dict.fromkeys(names, str(threads)),
    }


class Newborn:
    """A child that has not been told its job: it imports the `warm` modules, says so with one byte, and waits.

    Raises (when made):
        Unavailable: when no process can be started.
    """

    def __init__(self, python: str, threads: int, warm: Sequence[str] = ()) -> None:
        self.answers, theirs = os.pipe()
        self.theirs = theirs
        """The number that the child's end of `answers` has there."""
        command = [python, "-I", "-B", "-X", "utf8", str(_CHILD), str(layers.PACKAGE.parent)]
        if warm:
            command += [str(theirs), *warm]

        def spawn() -> "subprocess.Popen[bytes]":
            return subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=_environment(threads),
                cwd="/",
                pass_fds=(theirs,),
                start_new_session=True,
                bufsize=0,
            )

        try:
            self.process = _spawner().submit(spawn).result()
        except (OSError, RuntimeError) as error:  # RuntimeError: there is no thread left
            os.close(self.answers)
            raise Unavailable("a sandboxed child could not be started; try again later") from error
        finally:
            os.close(theirs)
        os.set_blocking(self.answers, False)

    def is_warm(self) -> bool:
        """Tell whether it has said, since this was last asked, that its modules are there."""
        try:
            return os.read(self.answers, 1) != b""
        except BlockingIOError:
            return False

    def threads(self) -> int:
        """Return how many threads it has."""
        return len(os.listdir(f"/proc/{self.process.pid}/task"))  # noqa: PTH208

    def kill(self) -> None:
        """Kill it, from any thread."""
        if self.process.poll() is None:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                self.process.kill()

    def end(self) -> int:
        """Kill it, reap it and close every descriptor; return its exit status."""
        self.kill()
        status = self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()
        if self.answers >= 0:
            os.close(self.answers)
            self.answers = -1
        return status


class Spare:
    """At most one child that has imported what its kind needs, before it is known what for.

    The modules must start no thread: a child that has two cannot be locked any more. Where they do, none is kept.
    """

    def __init__(self, warm: Sequence[str], threads: int = 1) -> None:
        self._warm, self._threads = tuple(warm), threads
        self._waiting: Newborn | None = None
        self._failed = False
        self._lock = threading.Lock()

    def keep(self) -> None:
        """Start one, unless one waits already; what keeps it from starting is met by whoever needs a child."""
        with self._lock:
            self._look()
            if self._waiting is None and not self._failed:
                with suppress(Unavailable):
                    self._waiting = Newborn(sys.executable, self._threads, self._warm)

    def take(self, threads: int) -> Newborn | None:
        """Return the one that waits, if it is ready and made for so many threads; it is the caller's to end."""
        with self._lock:
            self._look()
            if self._waiting is None or threads != self._threads or not self._waiting.is_warm():
                return None
            taken, self._waiting = self._waiting, None
            if taken.threads() > 1:
                self._failed = True
                taken.end()
                return None
            return taken

    def end(self) -> None:
        """End the one that waits."""
        with self._lock:
            self._look()
            if self._waiting is not None:
                self._waiting.end()
            self._waiting = None

    def _look(self) -> None:
        """Forget one that has ended, or was started before a fork: it is another process's, and looks ended here."""
        if self._waiting is not None and self._waiting.process.poll() is not None:
            self._failed = self._waiting.end() > 0
            self._waiting = None
