"""What the command prints."""

import json
import os
import shlex
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from modelyard.cli.output import HINTS, Done, curl, print_error, print_json, print_table, runnable
from modelyard.client import Version
from modelyard.core.errors import Conflict, Forbidden, Unauthenticated


@pytest.fixture(autouse=True)
def on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    own = Path(sys.executable).parent
    monkeypatch.setenv("PATH", f"{own}{os.pathsep}{os.environ.get('PATH', os.defpath)}")


def test_a_curl_line_reads_back_as_it_was_meant() -> None:
    line = curl("POST", "http://127.0.0.1:8000/predict/iris", json_body={"rows": [{"name": "O'Hara & $HOME"}]})
    words = shlex.split(line)
    assert json.loads(words[words.index("-d") + 1]) == {"rows": [{"name": "O'Hara & $HOME"}]}
    assert words[-1] == "http://127.0.0.1:8000/predict/iris"
    assert "-X" not in words


def test_the_key_stays_a_variable_that_a_shell_fills_in() -> None:
    assert '"Authorization: Bearer $MODELYARD_KEY"' in curl("GET", "http://x/")


@pytest.mark.parametrize(("method", "expected"), [("GET", False), ("DELETE", True), ("POST", True), ("PUT", True)])
def test_the_method_is_named_where_curl_would_take_another(method: str, expected: bool) -> None:
    assert ("-X" in shlex.split(curl(method, "http://x/"))) is expected


def test_files_are_sent_as_a_form() -> None:
    words = shlex.split(curl("POST", "http://x/", forms=[("file", "@my model.pkl"), ("sample", "@s.csv")]))
    assert [words[at + 1] for at, word in enumerate(words) if word == "-F"] == ["file=@my model.pkl", "sample=@s.csv"]


def test_a_change_is_told_with_its_page_its_request_and_the_way_back(capsys: pytest.CaptureFixture[str]) -> None:
    done = Done("iris:3 answers", console="http://x/t/demo/", curl="curl http://x", undo="modelyard rollback iris")
    done.show(as_json=False)
    assert capsys.readouterr().out.splitlines() == [
        "iris:3 answers",
        "  console  http://x/t/demo/",
        "  curl     curl http://x",
        "  undo     modelyard rollback iris",
    ]


def test_a_change_in_json_holds_the_record(capsys: pytest.CaptureFixture[str]) -> None:
    Done("text", result=Version(model="iris", number=3, state="ready"), undo="modelyard delete iris:3").show(
        as_json=True
    )
    said = json.loads(capsys.readouterr().out)
    assert said["result"]["number"] == 3
    assert said["undo"] == "modelyard delete iris:3"
    assert "console" not in said


def test_records_in_lists_are_json(capsys: pytest.CaptureFixture[str]) -> None:
    print_json([Version(model="größe", number=1, state="ready")])
    out = capsys.readouterr().out
    assert "größe" in out
    assert json.loads(out)[0]["state"] == "ready"


def test_a_table_shows_text_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("Models", ["model", "problem"], [("iris", "[bold]which[/bold] species?"), ("wine", None)], empty="none")
    out = capsys.readouterr().out
    assert "[bold]which[/bold] species?" in out
    assert "None" not in out


def test_an_empty_table_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("Models", ["model"], [], empty="push one")
    assert capsys.readouterr().out == "push one\n"


def test_errors_go_to_stderr_with_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    print_error(Unauthenticated("no key"), as_json=False)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == f"error: no key\nhint: {HINTS['unauthenticated']}\n"


def test_who_lacks_a_scope_is_told_which(capsys: pytest.CaptureFixture[str]) -> None:
    print_error(Forbidden("no", scope="read"), as_json=False)
    assert "`modelyard keys create --name NAME --scope read`" in capsys.readouterr().err
    print_error(Forbidden("nobody may do this"), as_json=False)
    assert capsys.readouterr().err == "error: nobody may do this\n"


def test_notes_follow_the_error(capsys: pytest.CaptureFixture[str]) -> None:
    print_error(Conflict("taken", notes={"undo": "modelyard delete x:1"}), as_json=False)
    assert capsys.readouterr().err == "error: taken\n  undo     modelyard delete x:1\n"


def test_off_the_path_commands_are_told_by_their_path(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "modelyard login http://x; modelyard deactivate iris && modelyard delete iris"
    assert runnable(said) == said
    monkeypatch.setenv("PATH", "/nonexist")
    own = Path(sys.executable).with_name("modelyard")
    assert runnable(said) == f"{own} login http://x; {own} deactivate iris && {own} delete iris"
    assert runnable("`modelyard keys create` makes one") == f"`{own} keys create` makes one"
    assert runnable("a modelyard is where models stay") == "a modelyard is where models stay"


def test_errors_in_json_have_code_details_and_hint(capsys: pytest.CaptureFixture[str]) -> None:
    print_error(Conflict("taken", users=["plan"]), as_json=True)
    assert json.loads(capsys.readouterr().err) == {
        "error": {"code": "conflict", "message": "taken", "details": {"users": ["plan"]}}
    }


def test_curl_reads_a_files_name_to_its_end() -> None:
    """A comma would begin another file and a semicolon its type, unless the name is in quotes."""
    forms = [("file", "@a.pkl"), ("file", "@a,b.pkl"), ("sample", "@c;d.csv"), ("manifest", '<e"f,.json')]
    words = shlex.split(curl("POST", "http://x", forms=forms, texts=[("description", "new, and better")]))
    assert "description=new, and better" in words
    given = [word for before, word in pairwise(words) if before == "-F"]
    assert given == ["file=@a.pkl", 'file=@"a,b.pkl"', 'sample=@"c;d.csv"', r'manifest=<"e\"f,.json"']
