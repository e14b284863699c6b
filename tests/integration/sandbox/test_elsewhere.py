"""Another environment's interpreter: what it opens, that it is locked in too, and what is said when it is gone."""

import json
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelyard.core.errors import InvalidInput, Misconfigured, ModelFailed, ModelRefused
from modelyard.core.tensors import Batch
from modelyard.sandbox import environments
from modelyard.sandbox.elsewhere import examine_where
from modelyard.sandbox.examination import Examined
from modelyard.sandbox.isolated import IsolatedRuntime
from modelyard.sandbox.limits import Limits
from tests.integration.sandbox.conftest import Outside
from tests.servers.old_environment import RELEASE, fit_forest, old_python


@pytest.fixture(scope="module")
def old() -> Path:
    return old_python()


@pytest.fixture(scope="module", params=["plain", "named"])
def forest(request: pytest.FixtureRequest, old: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    pickled, answers = fit_forest(old, tmp_path_factory.mktemp("forest"), request.param)
    return pickled, json.loads(answers.read_text())


def examined(scratch: Path, *files: tuple[str, Path], **given: Any) -> tuple[Examined, str]:
    usual: dict[str, Any] = {"environment": "", "sample": None, "signature": None, "runs_code": True}
    return examine_where(files, **{**usual, "scratch": scratch, "limits": Limits(seconds=60), **given})


def served(found: Examined, python: Path) -> IsolatedRuntime:
    return IsolatedRuntime.load(found.serving, found.signature, limits=Limits(seconds=30), python=python)


def test_an_old_forest_answers_as_it_does_at_home(old: Path, forest: tuple[Path, Any], scratch: Path) -> None:
    """Our own release refuses it, the environment that fits is found, and its answers are those of its own process."""
    pickled, own = forest
    found, name = examined(scratch, ("forest.pkl", pickled), known={"gone": Path("/nonexistent/python"), "old": old})
    assert (name, found.isolated, found.runtime) == ("old", True, "sklearn")
    assert found.packages["scikit-learn"] == RELEASE
    assert len(found.sample) == 8
    assert 0 < found.measured["p50_seconds"] <= found.measured["p95_seconds"] < 5
    assert (found.measured["calls"] >= 20, found.measured["rows"]) == (True, 8)
    assert found.report["ignored_columns"] == []
    runtime = served(found, old)
    try:
        answer = runtime.predict(Batch(150, matrix=np.array(own["rows"])))
        with pytest.raises(ModelFailed, match=r"features|bounds"):
            runtime.predict(Batch(1, matrix=np.zeros((1, 2))))
        assert runtime.metadata()["release"] == RELEASE
    finally:
        runtime.unload()
    assert answer["prediction"].tolist() == own["classes"]
    assert answer["probabilities"].tolist() == own["probabilities"]


def test_several_files_and_a_sample(old: Path, forest: tuple[Path, Any], scratch: Path, tmp_path: Path) -> None:
    scaler, rest = tmp_path / "scaler.pkl", tmp_path / "rest.pkl"
    program = (
        "import pickle, sys\nmodel = pickle.load(open(sys.argv[1], 'rb'))\n"
        "pickle.dump(model[0], open(sys.argv[2], 'wb'))\npickle.dump(model[1], open(sys.argv[3], 'wb'))\n"
    )
    subprocess.run([str(old), "-I", "-c", program, str(forest[0]), str(scaler), str(rest)], check=True)
    sample = tmp_path / "sample.json"
    names = ["a", "b", "c", "d"]
    sample.write_text(json.dumps([dict(zip(names, row, strict=True)) for row in forest[1]["rows"][:20]]))
    given: dict[str, Any] = {"environment": "old", "known": {"old": old}}
    if "sepal" in forest[0].read_bytes().decode("latin1"):
        with pytest.raises(InvalidInput, match=r"in the environment `old`: the sample has no column"):
            examined(scratch, ("scaler.pkl", scaler), ("rest.pkl", rest), sample=("sample.json", sample), **given)
        return
    found, _ = examined(scratch, ("scaler.pkl", scaler), ("rest.pkl", rest), sample=("sample.json", sample), **given)
    assert found.signature.names == ("a", "b", "c", "d")
    runtime = served(found, old)
    try:
        answer = runtime.predict(Batch(150, matrix=np.array(forest[1]["rows"])))
    finally:
        runtime.unload()
    assert answer["probabilities"].tolist() == forest[1]["probabilities"]


def test_what_the_model_does_not_take_is_told(
    old: Path, forest: tuple[Path, Any], scratch: Path, tmp_path: Path
) -> None:
    sample = tmp_path / "sample.json"
    named = "sepal" in forest[0].read_bytes().decode("latin1")
    names = [f"{part} {size} (cm)" for part in ("sepal", "petal") for size in ("length", "width")]
    rows = [{"id": number, **dict(zip(names, row, strict=True))} for number, row in enumerate(forest[1]["rows"][:9])]
    sample.write_text(json.dumps(rows))
    given: dict[str, Any] = {"environment": "old", "known": {"old": old}, "sample": ("sample.json", sample)}
    if not named:
        with pytest.raises(InvalidInput, match=r"the sample has 5 columns, the model takes 4"):
            examined(scratch, ("forest.pkl", forest[0]), **given)
        return
    found, _ = examined(scratch, ("forest.pkl", forest[0]), **given)
    assert found.report["ignored_columns"] == ["id"]
    assert found.sample[0] == dict(zip(names, forest[1]["rows"][0], strict=True))


def test_no_environment_that_fits(forest: tuple[Path, Any], scratch: Path) -> None:
    with pytest.raises(ModelRefused, match=rf"scikit-learn {RELEASE}.*MODELYARD_ENVIRONMENTS"):
        examined(scratch, ("forest.pkl", forest[0]), known={})


def test_an_environment_that_is_gone_is_no_environment_that_nobody_named(
    forest: tuple[Path, Any], scratch: Path
) -> None:
    """The one that would fit may be among those that cannot be looked at: it is mended, not named again."""
    with pytest.raises(ModelRefused, match=rf"scikit-learn {RELEASE}.*the Python environment `old` is gone"):
        examined(scratch, ("forest.pkl", forest[0]), known={"old": Path("/nonexistent/python")})


@pytest.mark.parametrize(
    ("known", "said"),
    [({}, "named no more"), ({"old": "/nonexistent/python"}, "is gone"), ({"old": "/bin/false"}, "does not run")],
)
def test_an_interpreter_that_is_gone(known: dict[str, str], said: str, forest: tuple[Path, Any], scratch: Path) -> None:
    paths = {name: Path(path) for name, path in known.items()}
    with pytest.raises(Misconfigured, match=rf"`old`.*{said}.*MODELYARD_ENVIRONMENTS") as refused:
        examined(scratch, ("forest.pkl", forest[0]), environment="old", known=paths)
    assert "/" not in refused.value.message.replace("MODELYARD_ENVIRONMENTS", "")


def test_a_name_that_nobody_knows() -> None:
    with pytest.raises(InvalidInput, match=r"no environment `odl`.*`old`"):
        environments.check_named("odl", {"old": Path("/opt/old")})


def test_without_leave_to_run_code(old: Path, forest: tuple[Path, Any], scratch: Path) -> None:
    with pytest.raises(ModelRefused, match=r"allows no files that carry code"):
        examined(scratch, ("forest.pkl", forest[0]), environment="old", known={"old": old}, runs_code=False)


class Hostile:
    def __init__(self, body: str) -> None:
        self.body = body

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, (self.body,)


@pytest.fixture
def attempts(outside: Outside) -> Iterator[list[str]]:
    yield [
        f"open({str(outside.marker)!r}, 'w').write('x')",
        f"raise ValueError(open({str(outside.secret)!r}).read())",
        f"import os; os.system('touch {outside.marker}')",
        f"import os; os.execv('/bin/sh', ['sh', '-c', 'touch {outside.marker}'])",
        f"import os; os.posix_spawn('/bin/sh', ['sh', '-c', 'touch {outside.marker}'], {{}})",
        f"import os; os.fork() or open({str(outside.marker)!r}, 'w')",
        f"import socket; socket.create_connection(('127.0.0.1', {outside.port}))",
        f"import socket; socket.socket(socket.AF_UNIX).connect({outside.unix_path!r})",
        f"import os; os.chmod({str(outside.secret)!r}, 0o777)",
        "import os, signal; os.kill(os.getppid(), signal.SIGTERM)",
    ]
    outside.check_untouched()


def test_a_hostile_file_is_locked_in_there_too(old: Path, attempts: list[str], tmp_path: Path) -> None:
    """No package of that environment is asked to lock it in: it has no pyseccomp."""
    probe = subprocess.run([str(old), "-I", "-c", "import pyseccomp"], capture_output=True)
    assert probe.returncode != 0
    for number, body in enumerate(attempts):
        folder = tmp_path / str(number)
        folder.mkdir()
        hostile = folder / "hostile.pkl"
        hostile.write_bytes(pickle.dumps(Hostile(body), protocol=4))
        scratch = folder / "scratch"
        scratch.mkdir()
        with pytest.raises(ModelRefused) as refused:
            examined(scratch, ("hostile.pkl", hostile), environment="old", known={"old": old})
        assert "the-database-password" not in refused.value.message


def test_its_sandbox_is_tried(old: Path) -> None:
    assert environments.look("old", old).sklearn == RELEASE
    assert environments.try_sandbox(old, Limits(seconds=30)) is None


def test_the_child_needs_numpy_alone(tmp_path: Path) -> None:
    """Whatever else another environment has or lacks: what runs in it imports nothing else of ours or of others."""
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import modelyard.sandbox.child, modelyard.sandbox.layers, modelyard.sandbox.privileges\n"
        "import modelyard.sandbox.elsewhere_child\n"
        "top = {name.partition('.')[0] for name in sys.modules} - set(sys.stdlib_module_names)\n"
        "print(sorted(name for name in top if not name.startswith('_')))\n"
    )
    root = str(Path(__file__).resolve().parents[3])
    said = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            "-c",
            "import sys; sys.path.append(sys.argv[2])\n" + program,
            root,
            str(Path(np.__file__).parents[1]),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == "['modelyard', 'numpy']"
