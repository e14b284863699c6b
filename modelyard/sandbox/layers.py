"""The layers of the sandbox: which are missing on this machine, and locking this process in with those there are."""

import site
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from modelyard.core.errors import Misconfigured
from modelyard.sandbox import landlock, privileges, seccomp
from modelyard.sandbox.limits import Limits

PACKAGE = Path(__file__).resolve().parent.parent

_SYSTEM = (
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/usr/share/zoneinfo",
    "/sys/devices/system/cpu",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/filesystems",
    "/proc/self/maps",  # threadpoolctl looks there for the libraries that are loaded
    "/dev/null",
    "/dev/zero",
    "/dev/urandom",
    "/dev/random",
)


def missing() -> list[str]:
    """Return the layers that this machine lacks, each with the reason and the mend; empty when the sandbox is whole."""
    return list(_missing())


_whole: list[bool] = []
"""Filled once nothing was missing. What is missing is looked for again: the library is found by programs that Python
starts for it, and one of those may be killed, or not be started."""


def _missing() -> tuple[str, ...]:
    if _whole:
        return ()
    found = []
    if landlock.abi() < 1:
        found.append(
            "landlock: the kernel does not offer it; use Linux 5.13 or later, with `landlock` in the boot "
            "parameter lsm="
        )
    reason = seccomp.missing()
    if reason:
        found.append(
            f"seccomp: {reason}; on Debian and Ubuntu `apt-get install libseccomp2`, then `pip install pyseccomp`"
        )
    if not found:
        _whole.append(True)
    return tuple(found)


def require(limits: Limits) -> None:
    """Check that files that carry code may be run here.

    Raises:
        Misconfigured: when a layer is missing and the operator has not asked to go without.
    """
    lacking = missing()
    if lacking and not limits.unsafe_without_sandbox:
        raise Misconfigured(
            "files that carry code are not opened on this machine, because its sandbox is not whole: "
            + "; ".join(lacking),
            missing=list(lacking),
        )


def readable() -> list[Path]:
    """Return what every child may read: the interpreter, installed packages, this package, shared libraries.

    Never the folder that holds this package, nor a whole prefix: an installation's data may lie in there.
    """
    paths = {Path(text) for text in _SYSTEM}
    for prefix in {sys.prefix, sys.base_prefix, sys.exec_prefix}:
        paths |= {Path(prefix) / "lib", Path(prefix) / "lib64", Path(prefix) / "pyvenv.cfg"}
    paths |= {Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    paths |= {Path(text) for text in site.getsitepackages()}
    return sorted({path.resolve() for path in (*paths, PACKAGE) if path.exists() and path.resolve() != Path("/")})


def lock_files(read: Sequence[Path], write: Sequence[Path], limits: Limits, lasting: bool) -> None:
    """Bound this process, drop what it has no need of, and leave it only the files named.

    To be called while there is one thread, which is why it comes before anything is imported that might start one: a
    thread that was there earlier would stay free, and code in this process could make it work for itself.

    Raises:
        OSError: when a layer that the machine has refuses.
    """
    privileges.bound(limits, lasting)
    if sys.platform != "linux":
        return
    if len(list(Path("/proc/self/task").iterdir())) != 1:
        raise OSError("the sandbox must be locked before a second thread starts")
    privileges.no_new_privileges()
    privileges.drop_capabilities()
    if landlock.abi() >= 1:
        landlock.restrict([*readable(), *read], write)


def lock_calls(number: int, program: bytes) -> None:
    """Leave this process, all its threads, only the system calls that computing needs; see `seccomp.program_for`.

    Raises:
        OSError: when the kernel refuses.
    """
    seccomp.restrict(number, program)
