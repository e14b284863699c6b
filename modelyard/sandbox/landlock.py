"""Landlock: which files the calling thread, and the threads it starts, may reach.

Numbers and structures are those of the kernel's `include/uapi/linux/landlock.h`; each ABI adds rights, and a
ruleset may name only what the running kernel knows (Documentation/userspace-api/landlock.rst, "Compatibility").
"""

import ctypes
import os
import stat
import sys
from collections.abc import Iterable
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_VERSION = 1
_PATH_BENEATH = 1

_WRITE_FILE, _READ_FILE, _READ_DIR, _MAKE_DIR, _MAKE_REG, _TRUNCATE = 1 << 1, 1 << 2, 1 << 3, 1 << 7, 1 << 8, 1 << 14
_READ = _READ_FILE | _READ_DIR
# No removing and no renaming: an unlinked file that is still open would hide its size from the parent's watch.
_WRITE = _READ | _WRITE_FILE | _MAKE_DIR | _MAKE_REG
_FILE_RIGHTS = 1 | _WRITE_FILE | _READ_FILE | _TRUNCATE

_FS_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""ABI to the number of file system rights, lowest bits first."""
_NET_RIGHTS = 0b11  # bind and connect over TCP
_SCOPES = 0b11  # abstract Unix sockets, signals


class _RulesetAttr(ctypes.Structure):
    _fields_ = [("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64)]


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("fd", ctypes.c_int32)]


def _syscall(number: int, *arguments: object) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    result = libc.syscall(ctypes.c_long(number), *arguments)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return int(result)


def abi() -> int:
    """Return the version that the kernel offers, 0 when none (or not Linux)."""
    if sys.platform != "linux":
        return 0
    try:
        return _syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION))
    except OSError:
        return 0


def _allow(ruleset: int, path: Path, rights: int) -> None:
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there needs no rule
    try:
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            rights &= _FILE_RIGHTS
        rule = _PathBeneath(rights, fd)
        _syscall(_ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(_PATH_BENEATH), ctypes.byref(rule), ctypes.c_uint32(0))
    finally:
        if path.parts[1:2] != ("proc",):  # an entry of /proc is made anew, with no rule, once nobody holds it
            os.close(fd)


def restrict(read: Iterable[Path], write: Iterable[Path]) -> None:
    """Deny every file but those beneath `read` (reading) and `write` (reading, making and changing).

    Only the calling thread and those it starts later are bound, so call it while there is one thread.
    `PR_SET_NO_NEW_PRIVS` must be set.

    Raises:
        OSError: when the kernel refuses.
    """
    version = abi()
    handled = (1 << _FS_RIGHTS.get(version, 16)) - 1
    attributes = _RulesetAttr(handled, _NET_RIGHTS if version >= 4 else 0, _SCOPES if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = _syscall(_CREATE_RULESET, ctypes.byref(attributes), ctypes.c_size_t(size), ctypes.c_uint32(0))
    try:
        for path in read:
            _allow(ruleset, path, _READ & handled)
        for path in write:
            _allow(ruleset, path, (_WRITE | _TRUNCATE) & handled)
        _syscall(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    finally:
        os.close(ruleset)
