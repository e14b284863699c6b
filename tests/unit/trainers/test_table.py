"""The table of trainers: built-in, of installed packages, by dotted path; wrong ones fail at start."""

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import msgspec
import pytest

from modelyard.core.errors import InvalidInput, Misconfigured
from modelyard.core.settings import Settings
from modelyard.trainers import table
from modelyard.trainers.function import FunctionTrainer
from modelyard.trainers.schema import Schema
from modelyard.trainers.table import find, trainers, trainers_of
from modelyard.trainers.trainer import Baseline, Fitted, Report

HERE = "tests.unit.trainers.test_table"


class Nothing(msgspec.Struct):
    """No parameters."""


class Own:
    """A trainer that somebody has written."""

    name = "own"
    title = "My own"
    Parameters = Nothing

    def check(self, parameters: Nothing, schema: Schema) -> None:
        """Let all pass."""

    def fit(self, dataset: Path, parameters: Nothing, report: Report, out: Path) -> Fitted:
        """Fit nothing."""
        return Fitted((), {}, (), (), None, Baseline(), {})


class Doubled(Own):
    name = "tabular"


class Half:
    name, title = "half", "Half"


@pytest.fixture(autouse=True)
def this_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, HERE, sys.modules[__name__])


def installed(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    points = [EntryPoint(name, value, table.GROUP)]
    monkeypatch.setattr(table, "entry_points", lambda group: points if group == "modelyard.trainers" else [])


def test_the_built_in_trainers_are_there() -> None:
    assert list(trainers()) == ["tabular", "function"]


def test_a_dotted_path_adds_a_trainer() -> None:
    assert find(trainers([f"{HERE}:Own"]), "own").title == "My own"


def test_the_settings_name_trainers_and_functions() -> None:
    given = {"MODELYARD_TRAINERS": f"{HERE}:Own", "MODELYARD_TRAINING_FUNCTIONS": "mine.train:fit, mine.train:other"}
    found = trainers_of(Settings.read(given))
    assert list(found) == ["tabular", "function", "own"]
    function = found["function"]
    assert isinstance(function, FunctionTrainer)
    assert function.allowed == ("mine.train:fit", "mine.train:other")


def test_an_installed_package_adds_a_trainer(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, "own", f"{HERE}:Own")
    assert find(trainers(), "own").title == "My own"


def test_an_entry_point_has_its_trainers_name(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, "other", f"{HERE}:Own")
    with pytest.raises(Misconfigured, match="the entry point `other` names the trainer `own`"):
        trainers()


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        ([f"{HERE}:Doubled"], "two trainers are called `tabular`"),
        ([f"{HERE}:Own", f"{HERE}:Own"], "two trainers are called `own`"),
        ([f"{HERE}:Half"], "it lacks Parameters, check, fit"),
        ([f"{HERE}:Absent"], "cannot be loaded: AttributeError"),
        (["no.such.module:Trainer"], "cannot be loaded: ModuleNotFoundError"),
        (["tabular"], "names no trainer: expected 'package.module:Class'"),
    ],
)
def test_a_wrong_path_fails_at_start(paths: list[str], said: str) -> None:
    with pytest.raises(Misconfigured, match=said):
        trainers(paths)


def test_an_unknown_trainer_is_refused_with_the_nearest() -> None:
    with pytest.raises(InvalidInput, match="did you mean `tabular`") as caught:
        find(trainers(), "tabula")
    assert caught.value.details["places"][0]["place"] == "trainer"


def test_the_table_imports_nothing_heavy() -> None:
    heavy: tuple[Any, ...] = ("sklearn", "scipy", "pandas", "pyarrow", "threadpoolctl", "joblib")
    code = f"import sys, modelyard.trainers.table as t; t.trainers(); print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
