"""A model in a child of its own: as good as any runtime, and its death is nobody else's."""

import os
import pickle
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from modelyard.core.errors import ModelFailed, ModelRefused, Unavailable
from modelyard.core.settings import MIB
from modelyard.core.signature import Column, DataType, Output, Role, Signature
from modelyard.core.tensors import Batch
from modelyard.sandbox import newborn, process
from modelyard.sandbox.isolated import IsolatedRuntime
from modelyard.sandbox.limits import Limits

SIGNATURE = Signature(
    tuple(Column(f"x{i}", DataType.FLOAT64) for i in range(3)),
    (
        Output("prediction", DataType.STRING, role=Role.PREDICTION),
        Output("probabilities", DataType.FLOAT64, (2,), Role.PROBABILITIES),
    ),
)
X = np.random.default_rng(3).normal(size=(50, 3))
MODEL = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, np.where(X[:, 0] > 0, "yes", "no"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    stored = tmp_path / "model"
    stored.write_bytes(pickle.dumps(MODEL))
    return stored


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IsolatedRuntime]:
    """One for all tests: it starts its child again where a test has killed it, though the stored file is gone."""
    stored = tmp_path_factory.mktemp("isolated") / "model"
    stored.write_bytes(pickle.dumps(MODEL))
    loaded = IsolatedRuntime.load(stored, SIGNATURE, runtime="sklearn", limits=Limits(seconds=60))
    stored.unlink()
    yield loaded
    loaded.unload()


def test_equals_the_estimator(runtime: IsolatedRuntime) -> None:
    answer = runtime.predict(Batch(50, matrix=X))
    assert answer["prediction"].tolist() == MODEL.predict(X).tolist()
    np.testing.assert_array_equal(answer["probabilities"], MODEL.predict_proba(X))
    assert runtime.metadata()["isolated"] is True
    assert runtime.metadata()["framework"] == "scikit-learn"


def test_a_batch_larger_than_a_pipe(runtime: IsolatedRuntime) -> None:
    many = np.tile(X, (2000, 1))
    answer = runtime.predict(Batch(len(many), matrix=many))
    assert answer["prediction"].shape == (100_000,)


def test_a_failing_model_stays(runtime: IsolatedRuntime) -> None:
    with pytest.raises(ModelFailed, match=r"features"):
        runtime.predict(Batch(2, matrix=np.zeros((2, 9))))
    pid = runtime.pid
    assert runtime.predict(Batch(1, matrix=X[:1]))["prediction"].shape == (1,)
    assert runtime.pid == pid


def test_death_while_idle_costs_no_request(runtime: IsolatedRuntime) -> None:
    assert runtime.pid is not None
    os.kill(runtime.pid, signal.SIGKILL)
    time.sleep(0.2)
    assert runtime.predict(Batch(1, matrix=X[:1]))["prediction"].shape == (1,)


def test_death_in_flight_is_unavailable_then_ready_again(runtime: IsolatedRuntime) -> None:
    pid = runtime.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    threading.Timer(0.3, os.kill, (pid, signal.SIGKILL)).start()
    with pytest.raises(Unavailable, match=r"died"):
        runtime.predict(Batch(1, matrix=X[:1]))
    started = time.monotonic()
    assert runtime.predict(Batch(1, matrix=X[:1]))["prediction"].shape == (1,)
    assert time.monotonic() - started < 60
    assert runtime.pid not in (None, pid)


def test_unload_ends_all(path: Path) -> None:
    loaded = IsolatedRuntime.load(path, SIGNATURE, runtime="sklearn", limits=Limits(seconds=60))
    pid, folder = loaded.pid, loaded._folder
    loaded.unload()
    loaded.unload()
    assert not folder.exists()
    assert pid is not None
    assert not Path(f"/proc/{pid}").exists()
    with pytest.raises(Unavailable):
        loaded.predict(Batch(1, matrix=X[:1]))


def _kill(runtime: IsolatedRuntime) -> None:
    assert runtime.pid is not None
    os.kill(runtime.pid, signal.SIGKILL)
    time.sleep(0.2)


def test_no_thread_left_is_unavailable_for_now(runtime: IsolatedRuntime, monkeypatch: pytest.MonkeyPatch) -> None:
    _kill(runtime)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", _no_thread)
        with pytest.raises(Unavailable, match="no thread left"):
            runtime.predict(Batch(1, matrix=X[:1]))
    assert runtime.predict(Batch(1, matrix=X[:1]))["prediction"].shape == (1,)


def test_a_start_that_fails_in_any_way_is_told_and_tried_again(
    runtime: IsolatedRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    _kill(runtime)
    with monkeypatch.context() as patched:
        patched.setattr(newborn, "_spawner", _no_thread)
        with pytest.raises(Unavailable, match="could not be started"):
            runtime.predict(Batch(1, matrix=X[:1]))
        patched.setattr(runtime, "_start", lambda: {}["nobody expects this"])
        with pytest.raises(Unavailable, match="could not be started"):
            runtime.predict(Batch(1, matrix=X[:1]))
    assert runtime.predict(Batch(1, matrix=X[:1]))["prediction"].shape == (1,)


def _no_thread(*_: object) -> None:
    raise RuntimeError("can't start new thread")


def test_an_interpreter_that_hangs_before_it_reads_its_job(
    tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job may be larger than a pipe: nobody waits for ever for one who does not read."""
    monkeypatch.setattr(process, "_JOB_SECONDS", 0.5)
    hanging = tmp_path / "python"
    hanging.write_text("#!/bin/sh\nexec /bin/sleep 60\n")
    hanging.chmod(0o755)
    wide = Signature(tuple(Column(f"x{i}", DataType.FLOAT64) for i in range(5000)), SIGNATURE.outputs)
    started = time.monotonic()
    with pytest.raises(Unavailable, match="does not run"):
        IsolatedRuntime.load(path, wide, limits=Limits(seconds=5), python=hanging)
    assert time.monotonic() - started < 30


class Slow:
    """An estimator that takes over its child once it is asked something. Pickled by its source: nothing to import."""

    def __init__(self, body: str) -> None:
        self.body = body

    def __reduce__(self) -> tuple[Any, ...]:
        source = (
            f"type('M', (), {{'fit': 0, 'predict': lambda self, x: {self.body}, 'predict_proba': lambda self, x: 0}})()"
        )
        return eval, (source,)


def _load(tmp_path: Path, body: str, limits: Limits) -> IsolatedRuntime:
    stored = tmp_path / "slow"
    stored.write_bytes(pickle.dumps(Slow(body)))
    return IsolatedRuntime.load(stored, SIGNATURE, runtime="sklearn", limits=limits)


GARBAGE = """
import os
for n in range(3, 256):
    try:
        os.write(n, b"\\xff" * 64)
    except OSError:
        pass
"""

TRICKLE = """
import os, time
for n in range(3, 256):
    try:
        os.write(n, (16).to_bytes(4, "little") + (1 << 16).to_bytes(8, "little"))
    except OSError:
        continue
    while True:
        os.write(n, b" ")
        time.sleep(0.005)
"""

AMPLE = """
import os
for n in range(3, 256):
    try:
        os.write(n, (32 << 20).to_bytes(4, "little") + bytes(8))
    except OSError:
        continue
    while True:
        os.write(n, b" " * 65536)
"""

BUSY = """
import os, time
held = bytearray(b"x") * (1 << 30)
for n in range(3, 256):
    try:
        os.write(n, (32768).to_bytes(4, "little") + bytes(8))
    except OSError:
        continue
    while True:
        os.write(n, b" ")
        time.sleep(0.01)
"""


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (f"exec({AMPLE!r})", "more than it may"),
        (f"exec({BUSY!r})", "memory"),
        (f"exec({TRICKLE!r})", "in time"),
        ("__import__('time').sleep(1000)", "in time"),
        ("[bytearray(b'x') * (1 << 30), __import__('time').sleep(1000)]", "memory|in time"),
        ("__import__('os')._exit(3)", "died"),
        (f"exec({GARBAGE!r})", "more than it may"),
    ],
)
def test_a_hostile_model_hurts_its_own_call_alone(tmp_path: Path, body: str, said: str) -> None:
    loaded = _load(tmp_path, body, Limits(seconds=4, memory_bytes=512 * MIB))
    try:
        with pytest.raises((Unavailable, ModelFailed), match=said):
            loaded.predict(Batch(1, matrix=X[:1]))
    finally:
        loaded.unload()


def test_a_long_text_is_an_answer(tmp_path: Path) -> None:
    body = "exec('import numpy') or __import__('numpy').array(['\u00e9' * 1000] * len(x), dtype=object)"
    signature = msgspec.structs.replace(SIGNATURE, outputs=SIGNATURE.outputs[:1])
    stored = tmp_path / "slow"
    stored.write_bytes(pickle.dumps(Slow(body)))
    loaded = IsolatedRuntime.load(stored, signature, runtime="sklearn", limits=Limits(seconds=30))
    try:
        answer = loaded.predict(Batch(100, matrix=np.zeros((100, 3))))
    finally:
        loaded.unload()
    assert answer["prediction"].tolist() == ["\u00e9" * 1000] * 100


def test_a_wrong_answer_is_the_models_failure(tmp_path: Path) -> None:
    loaded = _load(tmp_path, "[1.5, 2.5, 3.5]", Limits(seconds=30))
    try:
        with pytest.raises(ModelFailed, match=r"shape|gave no"):
            loaded.predict(Batch(1, matrix=X[:1]))
    finally:
        loaded.unload()


def test_an_answer_of_another_type_costs_no_child(tmp_path: Path) -> None:
    numbers = (Output("prediction", DataType.FLOAT64, role=Role.PREDICTION),)
    stored = tmp_path / "slow"
    stored.write_bytes(pickle.dumps(Slow("['no number'] * len(x)")))
    signature = msgspec.structs.replace(SIGNATURE, outputs=numbers)
    loaded = IsolatedRuntime.load(stored, signature, runtime="sklearn", limits=Limits(seconds=30))
    try:
        pid = loaded.pid
        with pytest.raises(ModelFailed, match=r"ValueError: could not convert"):
            loaded.predict(Batch(1, matrix=X[:1]))
        assert loaded.pid == pid
    finally:
        loaded.unload()


TEXTS = """
import json, os
from modelyard.runtimes.frames import PREFIX
header = json.dumps({"arrays": [
    {"name": "prediction", "shape": [1], "values": ["\\ud800"]},
    {"name": "probabilities", "shape": [1, 2], "type": "float64"},
]}).encode()
for n in range(3, 256):
    try:
        os.write(n, PREFIX.pack(len(header), 16) + header + bytes(16))
    except OSError:
        pass
"""


def test_texts_are_texts_that_can_be_sent_on(tmp_path: Path) -> None:
    """What the serving process would fail to encode is the model's failure, not an error of the server's."""
    loaded = _load(tmp_path, f"exec({TEXTS!r})", Limits(seconds=30))
    try:
        with pytest.raises(ModelFailed, match=r"no text"):
            loaded.predict(Batch(1, matrix=X[:1]))
    finally:
        loaded.unload()


def test_a_models_failure_tells_no_folder(tmp_path: Path) -> None:
    loaded = _load(tmp_path, "open('/srv/yard/secret\\x1b.pkl')", Limits(seconds=30))
    try:
        with pytest.raises(ModelFailed, match=r"secret") as failed:
            loaded.predict(Batch(1, matrix=X[:1]))
    finally:
        loaded.unload()
    assert "/srv" not in failed.value.message
    assert failed.value.message.isprintable()


def test_a_file_that_does_not_load_is_refused(tmp_path: Path) -> None:
    stored = tmp_path / "model"
    stored.write_bytes(b"\x80\x04nonsense")
    with pytest.raises(ModelRefused, match=r"broken"):
        IsolatedRuntime.load(stored, SIGNATURE, runtime="sklearn", limits=Limits(seconds=30))


def test_the_child_dies_with_its_parent(runtime: IsolatedRuntime, path: Path, tmp_path: Path) -> None:
    """A parent that is killed leaves no child behind, however busy that is, and no copy of the file for long."""
    import subprocess
    import sys

    program = tmp_path / "parent.py"
    program.write_text(
        "import sys, os, msgspec\nfrom pathlib import Path\n"
        "from modelyard.core.signature import Signature\nfrom modelyard.sandbox.isolated import IsolatedRuntime\n"
        "signature = msgspec.json.decode(sys.argv[2], type=Signature)\n"
        "runtime = IsolatedRuntime.load(Path(sys.argv[1]), signature, runtime='sklearn')\n"
        "print(runtime.pid, flush=True)\nprint(runtime._folder, flush=True)\nsys.stdin.read()\n"
    )
    import msgspec

    root = Path(__file__).resolve().parents[3]
    parent = subprocess.Popen(
        [sys.executable, str(program), str(path), msgspec.json.encode(SIGNATURE).decode()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    with parent:
        assert parent.stdout is not None
        pid, left = int(parent.stdout.readline()), Path(parent.stdout.readline().strip())
        parent.kill()
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and _state(pid) != "Z" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{pid}").exists() or _state(pid) == "Z"
    assert (left / "model").exists()
    assert runtime._folder.exists()
    IsolatedRuntime.load(path, SIGNATURE, runtime="sklearn", limits=Limits(seconds=60)).unload()
    assert not left.exists(), "what it left is there until the next is loaded"
    assert runtime.predict(Batch(1, matrix=X[:1]))["prediction"].shape == (1,), "what is in use stays"


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "Z"
