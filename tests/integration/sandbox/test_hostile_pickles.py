# ruff: noqa: E501 - one line for each thing that a file may try
"""Files that want something else than to be a model: each is refused, clearly, and nothing happens outside."""

import bz2
import gzip
import io
import lzma
import os
import pickle
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from modelyard.core.errors import ChildFailed, ModelRefused, ModelyardError
from modelyard.core.settings import MIB
from modelyard.sandbox.limits import Limits

SMALL = Limits(seconds=60, memory_bytes=256 * MIB)


class Calls:
    """Pickled, it is a call of `function` with `arguments` when opened."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.call


def script(text: str, **names: Any) -> bytes:
    """Return a pickle that runs `text`, with `names` as global variables."""
    return pickle.dumps(Calls(exec, text, names), protocol=4)


# What a file does -> what the refusal says. `text` sees marker, secret, port, unix_path, abstract, parent.
SCRIPTS: dict[str, tuple[str, str]] = {
    "os.system": ("import os; os.system('touch ' + marker)", "start a program"),
    "subprocess": ("import subprocess; subprocess.run(['touch', marker])", "start a program"),
    "os.popen": ("import os; os.popen('touch ' + marker).read()", "start a program"),
    "execv": ("import os; os.execv('/bin/sh', ['sh', '-c', 'touch ' + marker])", "start a program"),
    "posix_spawn": ("import os; os.posix_spawn('/bin/sh', ['sh', '-c', 'touch ' + marker], {})", "start a program"),
    "fork": ("import os\nif os.fork() == 0: open(marker, 'w')", "start a program"),
    "fork bomb": ("import os\nwhile True: os.fork()", "start a program"),
    "multiprocessing": (
        "import multiprocessing as m; m.get_context('spawn').Process(target=print).start()",
        "may not|start a program|change|write|read",
    ),
    "tcp": ("import socket; socket.create_connection(('127.0.0.1', port))", "network connection"),
    "unix socket": ("import socket; socket.socket(socket.AF_UNIX).connect(unix_path)", "network connection"),
    "abstract socket": ("import socket; socket.socket(socket.AF_UNIX).connect(abstract)", "network connection"),
    "dns": ("import socket; socket.getaddrinfo('localhost', 80)", "network connection"),
    "http": ("import urllib.request as u; u.urlopen(f'http://127.0.0.1:{port}/')", "network connection"),
    "read passwd": ("open('/etc/passwd').read()", "read another file"),
    "read the database": ("open(secret).read()", "read another file"),
    "write a file": ("open(marker, 'w').write('x')", "write a file"),
    "append to a file": ("open(secret, 'a').write('x')", "write a file"),
    "chmod": ("import os; os.chmod(secret, 0)", "change files"),
    "truncate": ("import os; os.truncate(secret, 0)", "change files"),
    "remove": ("import os; os.remove(secret)", "change files"),
    "rename": ("import os; os.rename(secret, marker)", "change files"),
    "link": ("import os; os.link(secret, 'link')", "change files"),
    "kill the parent": ("import os; os.kill(parent, 9)", "send a signal"),
    "kill its group": ("import os; os.killpg(os.getpgid(parent), 9)", "send a signal"),
    "environment": ("import os; raise ValueError(repr(dict(os.environ)))", "cannot be opened"),
    "exits": ("import os; os._exit(0)", "ended the process"),
    "raises SystemExit": ("raise SystemExit", "cannot be opened"),
    "crashes": ("import ctypes; ctypes.string_at(0)", "crashed"),
    "kills itself": ("import os, ctypes; ctypes.CDLL(None)['raise'](9)", "was killed"),
    "floods stdout": ("import os\nfor _ in range(3000): os.write(1, b'x' * 65536)", "holds a NoneType"),
    "recursion": ("def f(): return f()\nf()", "cannot be opened"),
}

# The same, but by way of the C library, where Python's audit events see nothing: the kernel's layers must hold alone.
NATIVE: dict[str, tuple[str, str]] = {
    "system": ("c.system(b'touch ' + marker.encode())", "NoneType"),
    "execve": ("c.execl(b'/bin/sh', b'sh', b'-c', b'touch ' + marker.encode(), None)", "NoneType"),
    "fork": ("p = c.fork()\nassert p == -1", "NoneType"),
    "vfork": ("p = c.syscall(58)\nassert p == -1", "NoneType"),
    "clone3": ("assert c.syscall(435, ctypes.create_string_buffer(88), 88) == -1", "NoneType"),
    "socket": (
        "assert c.socket(2, 1, 0) == -1 and c.socket(1, 1, 0) == -1 and c.socketpair(1, 1, 0, (ctypes.c_int * 2)()) == -1",
        "NoneType",
    ),
    "kill": ("assert c.kill(parent, 9) == -1 and c.kill(0, 9) == -1 and c.kill(-1, 9) == -1", "NoneType"),
    "tgkill": ("assert c.syscall(234, parent, parent, 9) == -1 and c.syscall(200, parent, 9) == -1", "NoneType"),
    "open": ("assert c.open(secret.encode(), 0) == -1 and c.open(marker.encode(), 0o102, 0o644) == -1", "NoneType"),
    "chmod": ("assert c.chmod(secret.encode(), 0) == -1 and c.chown(secret.encode(), 1, 1) == -1", "NoneType"),
    "truncate": ("assert c.truncate(secret.encode(), 0) == -1 and c.unlink(secret.encode()) == -1", "NoneType"),
    "ptrace": ("assert c.ptrace(16, parent, 0, 0) == -1", "NoneType"),
    "memory of the parent": ("assert c.open(f'/proc/{parent}/mem'.encode(), 2) == -1", "NoneType"),
    "process_vm_writev": (
        "assert c.syscall(311, parent, 0, 0, 0, 0, 0) == -1 and c.syscall(310, parent, 0, 0, 0, 0, 0) == -1",
        "NoneType",
    ),
    "limits of the parent": ("assert c.prlimit(parent, 0, (ctypes.c_ulong * 2)(1, 1), None) == -1", "NoneType"),
    "priority of the parent": (
        "assert c.setpriority(0, parent, 19) == -1 and c.sched_setaffinity(parent, 8, ctypes.c_ulong(1)) != 0",
        "NoneType",
    ),
    "other doors of the kernel": (
        "for n in (101, 165, 166, 272, 308, 321, 298, 250, 248, 425, 323, 246, 313, 155, 161, 169, 434, 424, 319, 29, 68):\n"
        " assert c.syscall(n, 0, 0, 0, 0, 0) == -1, n",
        "NoneType",
    ),
    "signal by fcntl": ("import os; r, w = os.pipe()\nassert c.fcntl(r, 8, parent) == -1", "NoneType"),
    "outliving its parent": ("assert c.prctl(1, 0, 0, 0, 0) == -1", "NoneType"),
    "hidden folders": (
        "assert c.umask(0o777) == -1 and c.mkdir(b'hidden', 0o300) == -1 and c.mkdir(b'shown', 0o700) == 0",
        "NoneType",
    ),
    "hidden files": ("assert c.open(b'.', 0o20200002, 0o600) == -1", "NoneType"),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_script(name: str, outside: Any, examine_bytes: Any, scratch: Path) -> None:
    text, said = SCRIPTS[name]
    _refused(text, said, outside, examine_bytes)


@pytest.mark.skipif(
    sys.platform != "linux" or os.uname().machine != "x86_64", reason="numbers of system calls are x86-64's"
)
@pytest.mark.parametrize("name", NATIVE)
def test_native(name: str, outside: Any, examine_bytes: Any) -> None:
    text, said = NATIVE[name]
    _refused("import ctypes\nc = ctypes.CDLL(None, use_errno=True)\n" + text, said, outside, examine_bytes)


def _refused(text: str, said: str, outside: Any, examine_bytes: Any) -> None:
    names = {
        "marker": str(outside.marker),
        "secret": str(outside.secret),
        "port": outside.port,
        "unix_path": outside.unix_path,
        "abstract": outside.abstract,
        "parent": os.getpid(),
    }
    with pytest.raises((ModelRefused, ChildFailed), match=said):
        examine_bytes(("model.pkl", script(text, **names)))
    outside.check_untouched()


def test_the_environment_is_empty(examine_bytes: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELYARD_SECRET_KEY", "hunter2")
    with pytest.raises(ModelRefused) as refused:
        examine_bytes(("model.pkl", script("import os; raise ValueError(repr(dict(os.environ)))")))
    assert "hunter2" not in refused.value.message
    assert "MODELYARD" not in refused.value.message


def test_memory_bomb(examine_bytes: Any) -> None:
    with pytest.raises(ModelRefused, match=r"memory"):
        examine_bytes(("model.pkl", script("x = []\nwhile True: x.append(bytearray(b'x') * (32 << 20))")))


def test_memory_bomb_that_hides_from_python(examine_bytes: Any) -> None:
    text = "import mmap\nx = []\nwhile True:\n m = mmap.mmap(-1, 64 << 20)\n m.write(b'x' * (64 << 20))\n x.append(m)"
    with pytest.raises(ModelRefused, match=r"memory"):
        examine_bytes(("model.pkl", script(text)))


def test_endless_loop(examine_bytes: Any) -> None:
    with pytest.raises(ModelRefused, match=r"took longer than 3 s"):
        examine_bytes(("model.pkl", script("while True: pass")), limits=Limits(seconds=3))


def test_endless_sleep_with_a_deaf_ear(examine_bytes: Any) -> None:
    text = "import signal, time\nfor n in range(1, 31):\n  try: signal.signal(n, signal.SIG_IGN)\n  except Exception: pass\ntime.sleep(1e6)"
    with pytest.raises(ModelRefused, match=r"took longer than 3 s"):
        examine_bytes(("model.pkl", script(text)), limits=Limits(seconds=3))


@pytest.mark.parametrize("native", [False, True])
def test_disk_fill(examine_bytes: Any, scratch: Path, native: bool) -> None:
    """With Python's `open` the watch stops it; past that, the parent's eye on the folder does."""
    text = "open('x', 'wb').write(b'x')"
    if native:
        text = (
            "import ctypes\nc = ctypes.CDLL(None)\nb = b'x' * (1 << 20)\n"
            "for n in range(100000):\n f = c.open(b'%d' % n, 0o102, 0o600)\n for _ in range(16): c.write(f, b, len(b))\n c.close(f)"
        )
    with pytest.raises(ModelRefused, match=r"MiB to disk|files|write a file"):
        examine_bytes(("model.pkl", script(text)))
    used = sum(path.stat().st_size for path in scratch.rglob("*"))
    assert used < 512 << 20


def test_many_files(examine_bytes: Any) -> None:
    text = "import ctypes\nc = ctypes.CDLL(None)\nfor n in range(10**7): c.close(c.open(b'%d' % n, 0o102, 0o600))"
    with pytest.raises(ModelRefused, match=r"more than 256 files"):
        examine_bytes(("model.pkl", script(text)))


def test_floods_the_answer(examine_bytes: Any) -> None:
    text = (
        "import os\nfor fd in range(3, 64):\n  try:\n    while True: os.write(fd, b'x' * 65536)\n  except OSError: pass"
    )
    with pytest.raises(ModelRefused, match=r"answered with more than"):
        examine_bytes(("model.pkl", script(text)))


@pytest.mark.parametrize(
    "answer",
    [
        b'{"result": {"signature": 7}}',
        b'{"result": [' + b"[" * 5000 + b"]" * 5000 + b"]}",
        b'{"error": {"code": "unauthenticated", "message": ["x"]}}',
        b'{"result": null}',
        b"[]",
        b"\xff\xfe nonsense",
        b'{"result": {"signature": {"columns": [], "outputs": []}, "sample": [], "rows": 1, "estimator": "", "steps": [],'
        b' "packages": {}, "warnings": [], "unconverted": null}}',
    ],
)
def test_forges_the_answer(examine_bytes: Any, answer: bytes) -> None:
    """The pipe for the answer is the one descriptor that it has: it may write there what it likes."""
    text = "import os\nfor fd in range(3, 64):\n  try: os.write(fd, answer)\n  except OSError: pass\nos._exit(0)"
    with pytest.raises(ModelRefused, match=r"garbled|nonsense|\['x'\]"):
        examine_bytes(("model.pkl", script(text, answer=answer)))


def test_leaves_a_forged_graph(examine_bytes: Any, scratch: Path) -> None:
    """A child that swaps the converted graph for one that loops for ever: the clean child's audit finds it."""
    text = """
import modelyard.runtimes.conversion as c
def convert(estimator, signature):
    import onnx
    from onnx import helper as h, TensorProto as T
    body = h.make_graph([h.make_node("Identity", ["c"], ["c2"])], "b", [h.make_tensor_value_info("i", T.INT64, []), h.make_tensor_value_info("c", T.BOOL, [])], [h.make_tensor_value_info("c2", T.BOOL, [])])
    nodes = [h.make_node("Constant", [], ["t"], value=h.make_tensor("v", T.BOOL, [], [True])), h.make_node("Loop", ["", "t"], [], body=body),
             h.make_node("Identity", ["input"], ["prediction"])]
    g = h.make_graph(nodes, "g", [h.make_tensor_value_info("input", T.DOUBLE, [None, 4])], [h.make_tensor_value_info("prediction", T.DOUBLE, [None, 4])])
    return h.make_model(g, opset_imports=[h.make_opsetid("", 18)]).SerializeToString()
c.convert = convert
"""
    rows = np.random.default_rng(0).normal(size=(40, 4))
    model = LogisticRegression().fit(rows, rows[:, 0] > 0)
    both = Calls(eval, "(exec(text, {}), model)[1]", {"text": text, "model": model})
    examined = examine_bytes(("model.pkl", pickle.dumps(both)), limits=Limits(seconds=60))
    assert (examined.runtime, examined.isolated) == ("sklearn", True)
    assert examined.report["served"] == "original"


@pytest.mark.parametrize("wrap", ["nested", "gzip", "bz2", "xz", "zlib", "joblib", "joblib array"])
def test_wrapped(wrap: str, outside: Any, examine_bytes: Any, tmp_path: Path) -> None:
    evil = Calls(os.system, f"touch {outside.marker}")
    plain = pickle.dumps(evil)
    name, data = "model.joblib", plain
    if wrap == "nested":
        name, data = "model.pkl", pickle.dumps(Calls(pickle.loads, plain))
    elif wrap in ("gzip", "bz2", "xz", "zlib"):
        data = {"gzip": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zlib": zlib.compress}[wrap](plain)
    else:
        buffer = io.BytesIO()
        joblib.dump(np.array([evil], dtype=object) if "array" in wrap else evil, buffer)
        data = buffer.getvalue()
    with pytest.raises(ModelRefused, match=r"start a program"):
        examine_bytes((name, data))
    outside.check_untouched()


def test_reduce_chain(outside: Any, examine_bytes: Any) -> None:
    chain: Any = Calls(os.system, f"touch {outside.marker}")
    for _ in range(50):
        chain = Calls(getattr, chain, "real")
    with pytest.raises(ModelRefused, match=r"start a program"):
        examine_bytes(("model.pkl", pickle.dumps(chain)))
    outside.check_untouched()


def test_decompression_bomb(examine_bytes: Any) -> None:
    """Half a megabyte that says it is one string of 512 MiB, and is."""
    members = [gzip.compress(b"\x80\x04\x8e" + (1 << 29).to_bytes(8, "little")), *[gzip.compress(bytes(1 << 24))] * 32]
    with pytest.raises(ModelRefused, match=r"memory"):
        examine_bytes(("model.joblib", b"".join(members) + gzip.compress(b".")), limits=SMALL)


def test_opcode_bomb(examine_bytes: Any) -> None:
    """Tuples of tuples, doubled sixty times, then compared: a billion laughs in a hundred bytes."""
    data = (
        b"\x80\x04"
        + b"]"
        + b"\x94"
        + b"(h\x00h\x00t\x94"
        + b"".join(b"0(h%ch%ct\x94" % (n, n) for n in range(1, 60))
        + b"."
    )
    with pytest.raises(ModelRefused):
        examine_bytes(("model.pkl", data), limits=Limits(seconds=10))


def test_claims_a_huge_string(examine_bytes: Any) -> None:
    with pytest.raises(ModelRefused, match=r"broken|memory"):
        examine_bytes(("model.pkl", b"\x80\x04\x8e" + (1 << 62).to_bytes(8, "little") + b"x."))


@pytest.mark.parametrize("cut", [1, 2, 10, 100, 400])
def test_truncated(cut: int, examine_bytes: Any) -> None:
    rows = np.arange(40.0).reshape(20, 2)
    whole = pickle.dumps(LogisticRegression().fit(rows, rows[:, 0] > 9), protocol=4)
    with pytest.raises(ModelyardError, match=r"broken|bytes are"):
        examine_bytes(("model.pkl", whole[:cut]))


def test_parent_stays(outside: Any, examine_bytes: Any, scratch: Path) -> None:
    """The child runs in a session of its own, without a terminal, and in its own folder."""
    text = "import os\nraise ValueError(f'{os.getsid(0) == os.getpid()} {os.getcwd() == cwd} {os.listdir(cwd)}')"
    with pytest.raises(ModelRefused, match=r"True True \[\]"):
        examine_bytes(("model.pkl", script(text, cwd=str(scratch.resolve() / "opened"))))


def test_no_capability_is_left(examine_bytes: Any) -> None:
    text = "import ctypes\nc = ctypes.CDLL(None)\nd = (ctypes.c_uint32 * 6)()\nc.capget((ctypes.c_uint32 * 2)(0x20080522, 0), d)\nraise ValueError(f'caps {sum(d)}')"
    with pytest.raises(ModelRefused, match=r"caps 0"):
        examine_bytes(("model.pkl", script(text)))


def test_a_thread_made_before_the_lock_is_bound_too(outside: Any, examine_bytes: Any) -> None:
    text = (
        "import threading, os\nseen = []\n"
        "def f():\n"
        "  import ctypes; c = ctypes.CDLL(None)\n"
        "  seen.append((c.open(secret.encode(), 0), c.socket(1, 1, 0)))\n"
        "t = threading.Thread(target=f); t.start(); t.join(); raise ValueError(repr(seen))"
    )
    with pytest.raises(ModelRefused, match=r"\[\(-1, -1\)\]"):
        examine_bytes(("model.pkl", script(text, secret=str(outside.secret))))


def test_this_process_never_unpickles(examine_bytes: Any) -> None:
    """CPython raises the audit event `pickle.find_class` for each name that an unpickler looks up."""
    seen: list[str] = []
    watching = [True]
    sys.addaudithook(lambda event, _: seen.append(event) if watching[0] and event == "pickle.find_class" else None)
    rows = np.arange(40.0).reshape(20, 2)
    examine_bytes(("model.pkl", pickle.dumps(LogisticRegression().fit(rows, rows[:, 0] > 9))))
    watching[0] = False
    assert seen == []
