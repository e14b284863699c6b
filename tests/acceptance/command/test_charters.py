"""`modelyard charter` and `modelyard consumers`, against a running server."""

import json
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.command.conftest import Run, Yard
from tests.servers.modelyard import COMMAND, environment


@pytest.fixture
def name(run: Run, yard: Yard, request: pytest.FixtureRequest) -> str:
    """A model of this test's own."""
    from modelyard.client import Client

    name = f"charter-{abs(hash(request.node.name)) % 10**9}"
    with Client(yard.url, key=yard.key) as client:
        client.create_model(name, problem="Which iris?")
    return name


def test_a_charter_is_written_shown_and_undone(run: Run, name: str, yard: Yard, tmp_path: Path) -> None:
    assert "none was written yet" in run("charter", "show", name).out
    said = run("charter", "write", name, "--metric", "f1", "--threshold", "f1>=0.8", "--told", "ada", "--reason", "met")
    assert f"charter 1 of {name} is in force" in said.out
    assert "note " not in said.out
    shown = run("charter", "show", name).out
    assert "f1 >= 0.8" in shown
    assert "Which iris?" in shown
    undo = next(line for line in said.out.splitlines() if line.strip().startswith("undo")).strip()[4:].strip()
    undone = subprocess.run(
        ["sh", "-c", undo.replace("modelyard", str(COMMAND))],
        env=environment(MODELYARD_URL=yard.url, MODELYARD_KEY=yard.key, XDG_CONFIG_HOME=str(tmp_path)),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert undone.returncode == 0, undone.stderr
    assert run("charter", "show", name, "--json").json["charter"] == {"problem": "Which iris?"}
    numbers = [each["number"] for each in run("charter", "history", name, "--json").json]
    assert numbers == [2, 1]


def test_a_file_is_the_whole_charter(run: Run, name: str, tmp_path: Path) -> None:
    file = tmp_path / "charter.json"
    file.write_text(json.dumps({"problem": "p", "next_review": "2027-03-01"}))
    assert (
        run("charter", "write", name, "--file", file, "--json").json["result"]["charter"]["next_review"] == "2027-03-01"
    )
    file.write_text('{"metrc": "f1"}')
    assert "is no charter" in run("charter", "write", name, "--file", file).err
    past = run("charter", "write", name, "--next-review", "2020-01-01").out
    assert "  note     the next review, 2020-01-01, is past\n" in past
    assert "expected either --file, or some of the fields" in run("charter", "write", name).err
    assert "expected a metric, >= or <=" in run("charter", "write", name, "--threshold", "f1").err


def test_consumers_are_declared_and_protect_the_model(run: Run, name: str) -> None:
    assert "nobody yet" in run("consumers", "list", name).out
    said = run("consumers", "add", name, "checkout service", "--contact", "a@example.com")
    assert f"modelyard consumers remove {name} 'checkout service'" in said.out
    assert "before" not in said.out
    again = run("consumers", "add", name, "checkout service", "--contact", "a@example.com")
    assert f"checkout service depends on {name}; what was said before is replaced" in again.out
    assert run("consumers", "list", name, "--json").json[0]["uses"] == name
    (declared,) = run("consumers", "list", name, "--json").json
    known = ["--contact", "b@example.com", "--purpose", "carts, and more"]
    for change in (["add", name, "checkout service", *known], ["remove", name, "checkout service"]):
        (before,) = run("consumers", "list", name, "--json").json
        undo = run("consumers", *change, "--json").json["undo"]
        assert run(*shlex.split(undo)[1:]).code == 0
        (after,) = run("consumers", "list", name, "--json").json
        assert {**after, "declared_at": None} == {**before, "declared_at": None}
    assert after["contact"] == declared["contact"] == "a@example.com"
    refused = run("delete", name, "--yes")
    assert refused.code == 1
    assert "has declared consumers: checkout service (a@example.com)" in refused.err
    assert "--despite-consumers" in refused.err
    asked = command_with_no(run, name)
    assert f"checkout service depends on {name}: a@example.com" in asked
    assert run("delete", name, "--yes", "--despite-consumers").code == 0


def command_with_no(run: Run, name: str) -> str:
    """Return what is said before the question, which is answered with no."""
    said = run("delete", name, stdin="n\n")
    assert said.code == 1
    return said.err
