"""Opening a file that carries an estimator. It runs whatever the file says: only ever in a sandboxed child."""

import bz2
import gzip
import importlib
import importlib.metadata
import io
import lzma
import os
import re
import sys
import sysconfig
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, cast

from modelyard.core.errors import ModelRefused
from modelyard.core.wording import one_line
from modelyard.runtimes.formats import COMPRESSIONS, Format, check_archive, globals_named, named_release, told_by_bytes

_STARTS = (
    "os.system",
    "os.exec",
    "os.fork",
    "os.forkpty",
    "os.posix_spawn",
    "os.spawn",
    "os.startfile",
    "subprocess.",
    "pty.",
)
_SIGNALS = ("os.kill", "signal.pthread_kill", "os.killpg")
_CHANGES = (
    "os.remove",
    "os.rename",
    "os.chmod",
    "os.chown",
    "os.link",
    "os.symlink",
    "os.truncate",
    "os.mkdir",
    "os.rmdir",
    "os.utime",
    "shutil.",
    "os.putenv",
    "tempfile.",
)
_RELEASE_SEARCH_BYTES = 64 << 20
_NAMES_SEARCH_BYTES = 16 << 20
_ABSENT_NAME = re.compile(r"Can't get attribute '([^']{1,200})' on <module '([^']{1,200})'")
_FRAMEWORKS = ("sklearn", "numpy", "scipy", "pandas")
_BOOSTERS = ("lightgbm", "xgboost")
"""Extras. Importing XGBoost sets a variable of the environment, which a model may not."""


class Watch:
    """Notes, and stops, what a file tries while it is opened and has no business to.

    A courtesy to people, not a wall: code that avoids Python's audit events (PEP 578) meets the sandbox itself.
    """

    def __init__(self) -> None:
        self.tried: str | None = None
        self._on = False
        self._roots: tuple[str, ...] = ()
        self._installed = False

    @contextmanager
    def over(self, path: Path) -> Iterator[None]:
        """Watch while the file at `path` is opened."""
        if not self._installed:
            self._installed = True
            sys.addaudithook(self._seen)
        folders = {
            sys.prefix,
            sys.base_prefix,
            *sysconfig.get_paths().values(),
            str(Path(__file__).resolve().parents[1]),
        }
        system = (
            "/usr/lib",
            "/lib",
            "/usr/share/zoneinfo",
            "/sys/devices/system/cpu",
            "/proc/cpuinfo",
            "/proc/meminfo",
            "/dev/null",
            "/dev/urandom",
        )
        maps = f"/proc/{os.getpid()}/maps"
        self._roots = (maps, *(os.path.realpath(folder) for folder in folders), *system, os.path.realpath(path))
        self._on = True
        try:
            yield
        finally:
            self._on = False

    def _seen(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._on:
            return
        what = self._forbidden(event, arguments)
        if what:
            self.tried = self.tried or what
            raise PermissionError(f"a model's file may not {what}")

    def _forbidden(self, event: str, arguments: tuple[Any, ...]) -> str | None:
        if event.startswith(_STARTS):
            return "start a program"
        if event.startswith("socket."):
            return None if event == "socket.gethostname" else "open a network connection"
        if event.startswith(_SIGNALS):
            return "send a signal to a process"
        if event.startswith(_CHANGES):
            return "change files"
        if event == "open" and isinstance(arguments[0], str | bytes):
            return self._opening(os.fsdecode(arguments[0]), arguments[1], arguments[2])
        return None

    def _opening(self, name: str, mode: Any, flags: Any) -> str | None:
        if (isinstance(mode, str) and set(mode) & set("wxa+")) or (
            isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR)
        ):
            return "write a file"
        real = os.path.realpath(name)
        return (
            None
            if any(real == root or real.startswith(root.rstrip("/") + "/") for root in self._roots)
            else "read another file"
        )


WATCH = Watch()


def told_format(path: Path) -> Format:
    """Return which loader a file needs, when its name is no longer known: its digest vouches for it."""
    with path.open("rb") as file:
        seen = told_by_bytes(file.read(64))
    if seen == "zip":
        return Format.SKOPS
    return Format.JOBLIB


def load_estimator(path: Path, format_: Format | None = None, filename: str = "the file") -> Any:
    """Open the file and return what it holds.

    Raises:
        ModelRefused: it is broken, tries what it may not, needs a module that is not here, or was written by a
            release of scikit-learn that this one cannot read.
    """
    known = format_ or told_format(path)
    if known is Format.SKOPS:
        check_archive(filename, path)
    loader: Callable[[Path], Any] = {
        Format.SKOPS: _load_skops,
        Format.JOBLIB: _load_joblib,
        Format.PICKLE: _load_pickle,
    }[known]
    _import_named(path, known)
    WATCH.tried = None
    try:
        with WATCH.over(path), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            loaded = loader(path)
    except MemoryError:
        raise ModelRefused(f"`{filename}` needs more memory than it may use") from None
    except BaseException as error:
        raise _refusal(error, path, filename) from error
    if WATCH.tried:
        raise ModelRefused(f"`{filename}` tried to {WATCH.tried} while it was opened")
    _check_release(caught, filename)
    return loaded


def _import_named(path: Path, known: Format) -> None:
    """Import what the file names of the frameworks before the watch begins: importing does what a model may not."""
    named = {"sklearn.pipeline", "skops.io"} if known is Format.SKOPS else set()
    if known is not Format.SKOPS:
        known_packages = (*_FRAMEWORKS, *_BOOSTERS)
        head = io.BytesIO(_first(path, _NAMES_SEARCH_BYTES))
        named = {module for module, _ in globals_named(head) if module.partition(".")[0] in known_packages}
    for module in sorted(named):
        with suppress(ImportError):
            importlib.import_module(module)


def _load_pickle(path: Path) -> Any:
    import pickle

    with path.open("rb") as file:
        return pickle.load(file)  # noqa: S301 - this is the sandboxed child


def _load_joblib(path: Path) -> Any:
    import joblib

    return joblib.load(path)


def _load_skops(path: Path) -> Any:
    from skops.io import get_untrusted_types, load

    return load(path, trusted=get_untrusted_types(file=path))


def _refusal(error: BaseException, path: Path, filename: str) -> ModelRefused:
    if WATCH.tried:
        return ModelRefused(f"`{filename}` tried to {WATCH.tried} while it was opened")
    if isinstance(error, PermissionError):
        return ModelRefused(
            f"`{filename}` tried to do what a model's file may not "
            "(start a program, open a network connection, reach other files)"
        )
    lacking = error.name if isinstance(error, ModuleNotFoundError) else None
    if lacking and lacking.partition(".")[0] not in _FRAMEWORKS:
        return ModelRefused(
            f"`{filename}` needs the Python module `{lacking}`, which is not installed here; "
            "save the model without it, or have the operator install it",
            module=lacking,
        )
    said = f"{type(error).__name__}: {one_line(error, 300)}"
    release = written_by(path)
    if release and release != here():
        return ModelRefused(_releases(filename, release) + f" ({said})", written_by=release, installed=here())
    if lacking:
        return ModelRefused(
            f"`{filename}` needs the Python module `{lacking}`, which the installed releases "
            f"(scikit-learn {here()}) do not have; fit and save the model again with them, or convert it to ONNX",
            module=lacking,
        )
    if isinstance(error, AttributeError | ImportError):
        named = _ABSENT_NAME.search(str(error))
        what = f"`{named[1]}` of the module `{named[2]}`, which is" if named else f"something ({said}) that is"
        return ModelRefused(
            f"`{filename}` names {what} not here; functions and classes of a notebook or script "
            "do not travel in a pickle: put them into an installed package, or save the model without them"
        )
    if isinstance(error, ImportError | ValueError) and "lz4" in str(error).lower():
        return ModelRefused(
            f"`{filename}` is lz4-compressed, and the Python module `lz4` is not installed here; "
            "save it with compress=3"
        )
    return ModelRefused(f"`{filename}` cannot be opened, it is cut off or broken ({said})")


def here() -> str:
    """Return the installed release of scikit-learn."""
    return importlib.metadata.version("scikit-learn")


def _releases(filename: str, release: str) -> str:
    return (
        f"`{filename}` was written by scikit-learn {release}, and {here()} is installed here, "
        f"which cannot read it reliably; "
        f"convert it to ONNX with scikit-learn {release} (skl2onnx), or fit and save it again with {here()}"
    )


def _check_release(caught: list[warnings.WarningMessage], filename: str) -> None:
    for warning in caught:
        if type(warning.message).__name__ == "InconsistentVersionWarning":
            release = str(getattr(warning.message, "original_sklearn_version", "another release"))[:32]
            raise ModelRefused(_releases(filename, release), written_by=release, installed=here())


def written_by(path: Path) -> str | None:
    """Return the release of scikit-learn that the file says it was written by, without running anything in it."""
    return named_release(_first(path, _RELEASE_SEARCH_BYTES))


def _first(path: Path, size: int) -> bytes:
    """Return the first bytes after decompression, none where that fails."""
    try:
        with path.open("rb") as file, _plain(file) as plain:
            return plain.read(size)
    except (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError):
        return b""


def _plain(file: IO[bytes]) -> IO[bytes]:
    head = file.read(16)
    file.seek(0)
    kind = next((name for magic, name in COMPRESSIONS if head.startswith(magic)), "")
    if kind == "gzip":
        return cast(IO[bytes], gzip.GzipFile(fileobj=file))
    if kind == "bz2":
        return bz2.BZ2File(file)
    if kind in ("xz", "lzma"):
        return lzma.LZMAFile(file)
    if kind == "zlib":
        return io.BytesIO(zlib.decompressobj().decompress(file.read(), _RELEASE_SEARCH_BYTES))
    return file
