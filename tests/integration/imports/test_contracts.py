"""The check of imports is not an ornament: a planted import against each arrow is found."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PLANTED = {
    "the data plane reaches into the control plane": ("serving", "import modelyard.control.tenancy.models"),
    "the control plane reaches into the data plane": ("control/registry", "import modelyard.serving.core"),
    "a runtime reaches up to the sandbox": ("runtimes", "import modelyard.sandbox.run"),
    "core does input and output": ("core", "import modelyard.artifacts.store"),
    "a low app reaches up": ("control/jobs", "import modelyard.control.registry.models"),
    "the client reaches past core": ("client", "import modelyard.exchange.snapshot"),
    "the data plane learns Django": ("serving", "import django.http"),
    "the exchange learns the ORM": ("exchange", "from django.db import models"),
    "the control plane opens a pickle": ("control/registry", "import pickle"),
    "a trainer learns Django": ("trainers", "import django.db"),
    "a trainer reaches up to the sandbox": ("trainers", "import modelyard.sandbox.run"),
    "a trainer reaches aside to the runtimes": ("trainers", "import modelyard.runtimes.pipeline"),
    "the sandbox knows a trainer": ("sandbox", "import modelyard.trainers.table"),
    "the data plane imports joblib": ("serving", "import joblib"),
}


def check(folder: Path) -> "subprocess.CompletedProcess[str]":
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "modelyard", tmp_path / "modelyard", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_code_keeps_every_contract(copy: Path) -> None:
    result = check(copy)
    assert result.returncode == 0, result.stdout + result.stderr


def test_each_planted_import_is_found(copy: Path) -> None:
    modules = {}
    for number, (what, (package, line)) in enumerate(PLANTED.items()):
        (copy / "modelyard" / package / f"planted_{number}.py").write_text(line + "\n")
        modules[what] = f"modelyard.{package.replace('/', '.')}.planted_{number}"
    result = check(copy)
    assert result.returncode == 1, result.stdout + result.stderr
    assert [what for what, module in modules.items() if f"{module} ->" not in result.stdout] == []
