"""No process of ours reports to ONNX Runtime's makers: where one does, it first keeps an id beneath its home folder."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from modelyard.core.errors import ModelyardError
from modelyard.sandbox.limits import Limits
from modelyard.sandbox.run import run

ROOT = Path(__file__).parents[2]
KEPT = ".cache/Microsoft"


def left_by(program: str, home: Path, **environment: str) -> list[Path]:
    others = ("ORT_", "XDG_", "CI")
    known = {name: value for name, value in os.environ.items() if not name.startswith(others)}
    known |= {"HOME": str(home), "PYTHONPATH": str(ROOT), **environment}
    subprocess.run([sys.executable, "-c", program], env=known, check=True, timeout=60)
    return list(home.rglob("*"))


def test_the_folder_is_a_tell_tale(tmp_path: Path) -> None:
    """It may be written by a thread of its own, so the process stays until it is there."""
    program = (
        "import onnxruntime, pathlib, time\n"
        "for _ in range(200):\n"
        f"    if pathlib.Path({str(tmp_path / KEPT)!r}).exists():\n"
        "        break\n"
        "    time.sleep(0.1)\n"
    )
    assert tmp_path / KEPT in left_by(program, tmp_path)


@pytest.mark.parametrize("environment", [{}, {"ORT_DISABLE_TELEMETRY": "0"}])
def test_a_process_of_ours_reports_nothing(tmp_path: Path, environment: dict[str, str]) -> None:
    assert left_by("import modelyard.runtimes.onnx", tmp_path, **environment) == []


def test_neither_does_a_sandboxed_child_with_an_environment_of_its_own(tmp_path: Path) -> None:
    scratch, graph = tmp_path / "scratch", tmp_path / "model.onnx"
    scratch.mkdir()
    graph.write_bytes(b"no graph")
    with pytest.raises(ModelyardError, match="is not an ONNX model"):
        run(
            "modelyard.runtimes.trial:try_graph",
            {"graph": str(graph), "rows": "", "expected": "", "signature": {}},
            read=[graph],
            scratch=scratch,
            limits=Limits(seconds=60),
            preload=("onnxruntime",),
        )
    assert not (scratch / KEPT).exists()


def test_nothing_imports_it_but_what_has_imported_modelyard_before() -> None:
    files = [path for folder in ("modelyard", "benchmarks", "tests") for path in (ROOT / folder).rglob("*.py")]
    assert [path for path in files if _imports(path)] == [ROOT / "modelyard/runtimes/onnx.py"]


def _imports(path: Path) -> bool:
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names.append(node.module or "")
    return any(name.split(".")[0] == "onnxruntime" for name in names)
