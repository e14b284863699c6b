"""An old forest beside a new one, from the push to the answers; and what is said once its interpreter is gone."""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modelyard.client import Client
from modelyard.core.errors import ModelyardError, Unavailable
from tests.acceptance.command.conftest import Said, command
from tests.servers.modelyard import Up, end_all, up
from tests.servers.old_environment import RELEASE, fit_forest, old_python


@pytest.fixture(scope="module")
def link(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The old environment by another path, which a test takes away."""
    found = tmp_path_factory.mktemp("environments") / "old"
    found.symlink_to(old_python().parent.parent, target_is_directory=True)
    return found


@pytest.fixture(scope="module")
def running(link: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    home = tmp_path_factory.mktemp("yard") / "home"
    named = f"old={link}/bin/python,gone=/nonexistent/bin/python"
    started = up(home, "--no-demo", MODELYARD_ENVIRONMENTS=named)
    try:
        yield started
    finally:
        end_all(home)
        started.process.wait()


def ask(running: Up, *arguments: object) -> Said:
    return command(*arguments, MODELYARD_URL=running.url, MODELYARD_KEY=running.told["key"])


def answers(yard: Client, ref: str, rows: list[list[float]]) -> Any:
    names = [f"x{index}" for index in range(4)]
    return yard.predict(ref, [dict(zip(names, row, strict=True)) for row in rows])


def test_an_old_forest_is_served_beside_a_new_one(running: Up, link: Path, tmp_path: Path) -> None:
    """One long story, since a server's start takes long."""
    old_file, old_answers = fit_forest(old_python(), tmp_path / "old")
    new_file, new_answers = fit_forest(sys.executable, tmp_path / "new")
    old, new = json.loads(old_answers.read_text()), json.loads(new_answers.read_text())

    found = ask(running, "push", old_file, "--name", "forest", "--json").json["result"]
    assert (found["environment"], found["isolated"]) == ("old", True)
    assert found["manifest"]["environment"] == "old"
    assert found["manifest"]["packages"]["scikit-learn"] == RELEASE
    named = ask(running, "push", old_file, "--name", "forest", "--environment", "old")
    assert "in the environment old" in named.out
    assert ask(running, "push", new_file, "--name", "forest", "--json").json["result"]["environment"] == ""
    assert ask(running, "promote", "forest:1").code == 0

    with Client(running.url, key=running.told["key"]) as yard:
        given = until(yard, "forest", 1, old["rows"])
        assert list(given.predictions) == old["classes"]
        assert [[row[str(label)] for label in range(3)] for row in given.probabilities] == old["probabilities"]
        beside = answers(yard, "forest:3", new["rows"])
        assert list(beside.predictions) == new["classes"]

        assert "no environment `odl`" in ask(running, "push", old_file, "--name", "forest", "--environment", "odl").err
        gone = ask(running, "push", old_file, "--name", "forest", "--environment", "gone")
        assert gone.code == 1
        assert "`gone` is gone" in gone.err
        assert "MODELYARD_ENVIRONMENTS" in gone.err

        assert ask(running, "promote", "forest:3").code == 0
        until(yard, "forest", 3, new["rows"])
        link.unlink()
        with pytest.raises(Unavailable, match=r"`old` is gone.*MODELYARD_ENVIRONMENTS"):
            answers(yard, "forest:2", old["rows"])
        assert ask(running, "promote", "forest:2").code == 0
        time.sleep(3)
        assert answers(yard, "forest", new["rows"][:1]).version == 3, "the last good version stays"


def until(yard: Client, ref: str, version: int, rows: list[list[float]]) -> Any:
    """Ask until that version answers."""
    end = time.monotonic() + 60
    while True:
        try:
            given = answers(yard, ref, rows)
        except ModelyardError:
            given = None
        if given is not None and given.version == version:
            return given
        assert time.monotonic() < end, f"version {version} does not answer"
        time.sleep(0.2)


def test_doctor_looks_at_each(tmp_path: Path) -> None:
    named = f"old={old_python()},gone=/nonexistent/bin/python,none=/bin/false"
    said = command("doctor", "--json", "--home", tmp_path, MODELYARD_ENVIRONMENTS=named)
    assert said.code == 1
    found = [each for each in json.loads(said.out)["findings"] if each["check"] == "environment"]
    assert [each["state"] for each in found] == ["ok", "bad", "bad"]
    assert f"scikit-learn {RELEASE}" in found[0]["text"]
    assert "its sandbox works" in found[0]["text"]
    assert "is gone" in found[1]["text"]
    assert "MODELYARD_ENVIRONMENTS" in found[1]["mend"]


@pytest.mark.parametrize("value", ["old", "old=bin/python", "Old=/bin/python", "a=/x,a=/y"])
def test_a_setting_that_does_not_fit(value: str, tmp_path: Path) -> None:
    said = command("doctor", "--json", "--home", tmp_path, MODELYARD_ENVIRONMENTS=value)
    assert said.code == 1
    assert "MODELYARD_ENVIRONMENTS" in said.out
    assert "expected" in said.out
