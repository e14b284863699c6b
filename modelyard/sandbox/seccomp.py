"""The system calls that a sandboxed child may make: an allow-list, so that what a later kernel adds is denied.

What is not named fails with EPERM: sockets, starting programs and processes, signals to others, changing owners,
modes and times of files, shared memory, keys, mounts, tracing, io_uring, userfaultfd, namespaces and the rest.

The parent makes the filter's program, and the child hands it to the kernel: so the child needs no package for it, and
the interpreter of another environment is locked in as well as our own.
"""

import ctypes
import ctypes.util
import errno
import os
import sys
import tempfile
from importlib import import_module
from typing import Any

_LIBRARY = "libseccomp.so.2"
_SET_MODE_FILTER, _FLAG_TSYNC = 1, 1  # seccomp(2): all threads, those that libraries have started too
_INSTRUCTION_BYTES = 8
_CLONE_THREAD = 0x00010000
_O_TMPFILE = 0o20000000  # without O_DIRECTORY: a file that no folder shows would escape the parent's watch
_LISTABLE = 0o700  # no folder that its owner, the parent, cannot list and remove; so no umask either

_FILES = """
read readv pread64 preadv preadv2 write writev pwrite64 pwritev pwritev2 lseek _llseek close close_range dup dup2 dup3
flock fsync fdatasync ftruncate ftruncate64 fallocate fadvise64 getdents getdents64 stat fstat lstat stat64 fstat64
lstat64 newfstatat fstatat64 statx statfs fstatfs statfs64 fstatfs64 access faccessat faccessat2 readlink readlinkat
getcwd chdir fchdir pipe pipe2 poll ppoll ppoll_time64 select _newselect pselect6 pselect6_time64
epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait eventfd eventfd2 sendfile copy_file_range creat
"""
_MEMORY = "mmap mmap2 munmap mremap mprotect madvise brk mincore msync membarrier"
_TIME = """
clock_gettime clock_gettime64 clock_getres clock_getres_time64 clock_nanosleep clock_nanosleep_time64 nanosleep
gettimeofday time times getrandom
"""
_SELF = """
getpid gettid getppid getuid geteuid getgid getegid getuid32 geteuid32 getgid32 getegid32 getgroups getresuid getresgid
getpgrp getpgid getsid uname sysinfo getrusage getcpu arch_prctl set_thread_area set_tid_address set_robust_list rseq
futex futex_time64 futex_waitv futex_wake futex_wait futex_requeue sched_yield sched_getaffinity sched_getparam
sched_getscheduler sched_get_priority_max sched_get_priority_min getpriority exit exit_group wait4 waitid capget
getrlimit ugetrlimit rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait rt_sigsuspend sigaltstack
restart_syscall
"""
ALLOWED = tuple(f"{_FILES} {_MEMORY} {_TIME} {_SELF}".split())

_ABSENT = ("clone3", "openat2", "io_uring_setup", "memfd_create", "pidfd_open", "userfaultfd")
"""These say that the kernel does not know them, so that the C library falls back to calls whose flags can be seen."""

_FCNTL = (0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 38, 1030, 1032)  # not F_SETOWN, F_SETSIG: signals to another process
_IOCTL = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)  # TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX
_PRCTL = (15, 16, 23, 39, 0x53564D41)  # names, reading the bounding set and no_new_privs, naming of memory


def missing() -> str | None:
    """Tell why the filter cannot be had here, None when it can."""
    if sys.platform != "linux":
        return "it is a part of Linux"
    try:
        ctypes.CDLL(_LIBRARY)
    except OSError:
        return f"the library {_LIBRARY} is not installed"
    try:
        _pyseccomp()
    except (ImportError, OSError, RuntimeError) as error:
        return f"the package pyseccomp cannot be used: {error}"
    try:
        with open("/proc/sys/kernel/seccomp/actions_avail", encoding="ascii") as actions:  # noqa: PTH123
            return None if "errno" in actions.read() else "the kernel offers no filter that answers with an error"
    except OSError:
        return "the kernel was built without it"


def _pyseccomp() -> Any:
    """Import pyseccomp, which asks Python where the library is; Python asks programs that it starts, of which one may
    be killed, or not be started, and then there is none. So it is told."""
    look = ctypes.util.find_library
    setattr(ctypes.util, "find_library", lambda name: _LIBRARY if name == "seccomp" else look(name))  # noqa: B010
    try:
        return import_module("pyseccomp")
    finally:
        setattr(ctypes.util, "find_library", look)  # noqa: B010


class _Program(ctypes.Structure):
    """`struct sock_fprog` of the kernel's `include/uapi/linux/filter.h`."""

    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p)]


def restrict(number: int, program: bytes) -> None:
    """Bind every thread of this process, for good, to a filter that `program_for` made for it.

    Raises:
        OSError: when the kernel refuses.
    """
    held = ctypes.create_string_buffer(program, len(program))
    given = _Program(len(program) // _INSTRUCTION_BYTES, ctypes.addressof(held))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    result = libc.syscall(
        ctypes.c_long(number),
        ctypes.c_ulong(_SET_MODE_FILTER),
        ctypes.c_ulong(_FLAG_TSYNC),
        ctypes.byref(given),
    )
    if result:  # below 0: refused; above: the thread that could not be bound
        code = ctypes.get_errno() or errno.ESRCH
        raise OSError(code, os.strerror(code))


def program_for(pid: int) -> tuple[int, bytes]:
    """Return the number of seccomp(2) on this architecture, and the filter for the process `pid` as the kernel's
    instructions (struct sock_filter, 8 bytes each).

    Raises:
        OSError: when the library refuses.
    """
    sc = _pyseccomp()
    rules = sc.SyscallFilter(sc.ERRNO(errno.EPERM))
    rules.set_attr(sc.Attr.CTL_OPTIMIZE, 2)

    def allow(name: str, *arguments: object) -> None:
        # A call that this architecture does not have needs no rule.
        if sc.resolve_syscall(sc.Arch.NATIVE, name) != -1:
            rules.add_rule(sc.ALLOW, name, *arguments)

    for name in ALLOWED:
        allow(name)
    for name in _ABSENT:
        if sc.resolve_syscall(sc.Arch.NATIVE, name) != -1:
            rules.add_rule(sc.ERRNO(errno.ENOSYS), name)
    allow("clone", sc.Arg(0, sc.MASKED_EQ, _CLONE_THREAD, _CLONE_THREAD))
    allow("mkdir", sc.Arg(1, sc.MASKED_EQ, _LISTABLE, _LISTABLE))
    allow("mkdirat", sc.Arg(2, sc.MASKED_EQ, _LISTABLE, _LISTABLE))
    allow("open", sc.Arg(1, sc.MASKED_EQ, _O_TMPFILE, 0))
    allow("openat", sc.Arg(2, sc.MASKED_EQ, _O_TMPFILE, 0))
    for name in ("kill", "tgkill"):
        allow(name, sc.Arg(0, sc.EQ, pid))
    for own in (0, pid):
        allow("prlimit64", sc.Arg(0, sc.EQ, own))
    for name, position, values in (
        ("fcntl", 1, _FCNTL),
        ("fcntl64", 1, _FCNTL),
        ("ioctl", 1, _IOCTL),
        ("prctl", 0, _PRCTL),
    ):
        for value in values:
            allow(name, sc.Arg(position, sc.EQ, value))
    with tempfile.TemporaryFile() as file:
        rules.export_bpf(file)
        file.seek(0)
        return sc.resolve_syscall(sc.Arch.NATIVE, "seccomp"), file.read()
