"""What a person sees of errors that nobody expected."""

import json

import pytest
from django.db.utils import OperationalError

from modelyard.cli.ending import run
from modelyard.cli.usage import NotUnderstood
from modelyard.core.errors import InvalidInput


def fails(monkeypatch: pytest.MonkeyPatch, error: BaseException, *arguments: str) -> None:
    def app() -> None:
        raise error

    monkeypatch.setattr("sys.argv", ["modelyard", *arguments])
    with pytest.raises(SystemExit) as left:
        run(app)
    assert left.value.code == 1


def test_an_error_of_the_system_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fails(monkeypatch, PermissionError(13, "Permission denied", "/there"))
    assert (
        capsys.readouterr().err == "error: the system refused: Permission denied (/there); mend that, then try again\n"
    )


def test_a_bug_is_one_line_that_says_how_to_see_more(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fails(monkeypatch, ZeroDivisionError("by\nzero"))
    said = capsys.readouterr().err
    assert said.startswith("error: this is a bug in Modelyard: ZeroDivisionError: by zero; ")
    assert said.count("\n") == 1
    assert "YARD_TRACEBACK=1" in said


def test_a_database_that_is_away_is_no_bug(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    fails(monkeypatch, OperationalError("no such table"))
    said = capsys.readouterr().err
    assert said.startswith("error: the database does not answer as it should (OperationalError: no such table)\nhint: ")
    assert "bug" not in said


def test_what_is_not_understood_has_a_code_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    def app() -> None:
        raise NotUnderstood("what?")

    with pytest.raises(SystemExit) as left:
        run(app)
    assert left.value.code == 2
    assert capsys.readouterr().err == "error: what?\n"


def test_a_traceback_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YARD_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        run(lambda: 1 / 0)


def test_programs_are_told_in_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    fails(monkeypatch, InvalidInput("no"), "--json")
    assert json.loads(capsys.readouterr().err)["error"] == {"code": "invalid_input", "message": "no"}
