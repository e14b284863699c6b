"""The commands that the pages show are read by the command itself, and asked of the API itself."""

from __future__ import annotations

import html
import re
import shlex
from typing import Any

import typer
from django.test import Client

from modelyard.cli.main import app
from modelyard.control.registry.models import Model, Version
from tests.integration.control.console.reading import text_of

SHOWN = re.compile(r'<pre id="way-command"[^>]*>(.*?)</pre>', re.DOTALL)
ANY = re.compile(r"(?<!from )\bmodelyard [a-z]+ [^<\n]*")


def shown_at(client: Client, path: str) -> list[str]:
    found = SHOWN.search(text_of(client.get(path)))
    assert found is not None
    return html.unescape(found.group(1)).splitlines()


def parsed(line: str) -> tuple[str, dict[str, Any]]:
    """Return the verb and what it was given, as the command's own parser reads it."""
    program, *words = shlex.split(line)
    assert program == "modelyard"
    group = typer.main.get_command(app)
    with group.make_context("modelyard", list(words), resilient_parsing=True) as outer:
        verb, command, rest = group.resolve_command(outer, list(words))  # type: ignore[attr-defined]
        assert command is not None, line
        with command.make_context(verb, rest, parent=outer) as inner:
            return verb, dict(inner.params)


def assert_login_and_push(lines: list[str], name: str) -> None:
    (login, where), (push, given) = map(parsed, lines)
    assert (login, push) == ("login", "push")
    assert where["url"].startswith("http")
    assert [str(file) for file in given["files"]] == ["model.pkl"]
    assert (given["name"], str(given["sample"])) == (name, "sample.csv")


def test_an_empty_tenant_shows_commands_that_parse(editor: Client) -> None:
    assert_login_and_push(shown_at(editor, "/t/yard/"), "iris")


def test_an_empty_model_shows_commands_that_parse(editor: Client, model: Model) -> None:
    assert_login_and_push(shown_at(editor, "/t/yard/models/iris/"), "iris")


def test_no_other_page_shows_a_command_that_does_not_parse(boss: Client, version: Version) -> None:
    for path in ("", "new/", "models/iris/", "models/iris/versions/1/", "keys/", "members/", "audit/"):
        for line in ANY.findall(text_of(boss.get(f"/t/yard/{path}"))):
            parsed(html.unescape(line))
