"""Giving up, for good, what a child has no need of: capabilities, new privileges, large resource limits."""

import ctypes
import os
import resource
import signal

from modelyard.core.settings import MIB
from modelyard.sandbox.limits import Limits

_PR_SET_PDEATHSIG, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 1, 24, 38, 47
_CAPABILITY_VERSION_3 = 0x20080522
_DATA_SLACK = 1024 * MIB  # what libraries reserve but do not touch


def _prctl(*arguments: int) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    return int(libc.prctl(*(ctypes.c_ulong(argument) for argument in arguments)))


def no_new_privileges() -> None:
    """Let no program that is started gain rights; the kernel asks for this before Landlock and seccomp.

    Raises:
        OSError: when the kernel refuses.
    """
    if _prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "no_new_privs")


def drop_capabilities() -> None:
    """Leave no capability, also where the user is root: then only what its files' modes allow remains.

    Without them it cannot reach into the memory of a process that has some, the parent for one.

    Raises:
        OSError: when the kernel refuses.
    """
    for capability in range(64):
        _prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    _prctl(_PR_CAP_AMBIENT, 4, 0, 0, 0)
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    if libc.capset(header, (ctypes.c_uint32 * 6)()) != 0:
        raise OSError(ctypes.get_errno(), "capset")


def bound(limits: Limits, lasting: bool) -> None:
    """Set the hard resource limits; a `lasting` child has no bound on its processor time."""
    wanted = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: 256,
        resource.RLIMIT_FSIZE: 0 if lasting else limits.scratch_bytes,
        resource.RLIMIT_DATA: limits.memory_bytes + _DATA_SLACK,
        resource.RLIMIT_MEMLOCK: 0,
    }
    for name, value in wanted.items():
        _lower(name, value, value)
    if not lasting:
        seconds = int(limits.seconds * max(2, limits.threads)) + 5
        _lower(resource.RLIMIT_CPU, seconds, seconds + 5)  # SIGXCPU, which tells why, then SIGKILL
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # writing past the limit is then an OSError
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as score:  # noqa: PTH123
            score.write("1000")
    except OSError:
        pass  # only a courtesy: this child first, when the machine runs out of memory


def _lower(name: int, soft: int, hard: int) -> None:
    most = resource.getrlimit(name)[1]
    if most != resource.RLIM_INFINITY:
        soft, hard = min(soft, most), min(hard, most)
    resource.setrlimit(name, (soft, hard))


def die_with(parent: int) -> None:
    """Have the kernel kill this process when the thread that started it ends; leave at once if it has."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
