"""Other Python environments of this machine, which the operator has named: looked at, chosen for an old pickle."""

import platform
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path

import msgspec

from modelyard.core.errors import InvalidInput, Misconfigured, ModelyardError
from modelyard.sandbox.limits import Limits
from modelyard.sandbox.run import run

MEND = "have the operator mend MODELYARD_ENVIRONMENTS on that machine (`modelyard doctor` looks at each environment)"
OLDEST = (3, 10)
_PROBE = Path(__file__).resolve().with_name("probe.py")
_PROBE_SECONDS = 30.0
_looked_at: dict[tuple[str, int], "Installed"] = {}
_lock = threading.Lock()


class Installed(msgspec.Struct, frozen=True):
    """What an environment is: `packages` by distribution name."""

    python: str
    kind: str
    machine: str
    packages: dict[str, str]

    @property
    def sklearn(self) -> str | None:
        return self.packages.get("scikit-learn")

    def objection(self) -> str | None:
        """Return why it cannot be used, with what mends it, None when it can."""
        if self.kind != "cpython" or tuple(int(part) for part in self.python.split(".")[:2]) < OLDEST:
            return f"it is {self.kind} {self.python}: expected CPython {OLDEST[0]}.{OLDEST[1]} or newer"
        if self.machine != platform.machine():
            return f"it was built for {self.machine}, this machine is {platform.machine()}"
        if "numpy" not in self.packages:
            return "it has no numpy: install it there"
        return None


def check_named(name: str, environments: Mapping[str, Path]) -> None:
    """Check that the operator has named it.

    Raises:
        InvalidInput: when not.
    """
    if name and name not in environments:
        named = ", ".join(f"`{known}`" for known in sorted(environments)) or "none"
        raise InvalidInput.at(
            "environment",
            f"there is no environment `{name[:64]}`: the operator names them with MODELYARD_ENVIRONMENTS, now {named}",
        )


def interpreter(name: str, environments: Mapping[str, Path]) -> Path:
    """Return an environment's interpreter, once it is known to answer.

    Raises:
        Misconfigured: it is named no more, gone, or cannot be used; the message says what helps.
    """
    path = environments.get(name)
    if path is None:
        raise Misconfigured(f"this version needs the Python environment `{name}`, which is named no more; {MEND}")
    look(name, path)
    return path


def look(name: str, path: Path) -> Installed:
    """Return what the environment is; an interpreter that did not change is asked once.

    Raises:
        Misconfigured: it is gone, does not answer, or cannot be used.
    """
    try:
        key = (str(path), path.stat().st_mtime_ns)
    except OSError:
        raise Misconfigured(f"the interpreter of the Python environment `{name}` is gone; {MEND}") from None
    with _lock:
        known = _looked_at.get(key)
    if known is None:
        known = _ask(name, path)
        objection = known.objection()
        if objection:
            raise Misconfigured(f"the Python environment `{name}` cannot be used: {objection}; {MEND}")
        with _lock:
            _looked_at[key] = known
    return known


def _ask(name: str, path: Path) -> Installed:
    try:
        said = subprocess.run(
            [str(path), "-I", "-B", str(_PROBE)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={"LANG": "C.UTF-8", "PATH": "/nonexistent"},
            timeout=_PROBE_SECONDS,
            check=True,
        )
        return msgspec.json.decode(said.stdout, type=Installed)
    except (OSError, subprocess.SubprocessError, msgspec.MsgspecError):
        raise Misconfigured(f"the interpreter of the Python environment `{name}` does not run; {MEND}") from None


def try_sandbox(path: Path, limits: Limits) -> str | None:
    """Return why a locked-down child of that interpreter cannot compute, None when it can."""
    with tempfile.TemporaryDirectory(prefix="modelyard-") as folder:
        try:
            run(
                "modelyard.runtimes.elsewhere:compute",
                {},
                read=[],
                scratch=Path(folder),
                limits=limits,
                preload=("numpy",),
                python=path,
            )
        except ModelyardError as error:
            return error.message
    return None


def fitting(release: str, environments: Mapping[str, Path]) -> list[str]:
    """Return the names of those whose scikit-learn can read what `release` wrote: the same release first, then others
    of the same minor one. One that is gone fits nothing."""
    exact, near = [], []
    for name, path in environments.items():
        try:
            found = look(name, path).sklearn
        except Misconfigured:
            continue
        if found == release:
            exact.append(name)
        elif found and found.split(".")[:2] == release.split(".")[:2]:
            near.append(name)
    return exact + near


def unusable(environments: Mapping[str, Path]) -> list[str]:
    """Return why those cannot be used that cannot: each may be the one that would fit."""
    reasons = []
    for name, path in environments.items():
        try:
            look(name, path)
        except Misconfigured as error:
            reasons.append(error.message.removesuffix(f"; {MEND}"))
    return reasons
