"""The commands that the pages show are read by the command itself, and asked of the API itself."""

from __future__ import annotations

import html
import re
import shlex
from typing import Any
from urllib.parse import urlsplit

import typer
from django.test import Client
from django.urls import resolve

from modelyard.cli.main import app
from modelyard.control.registry import services as registry
from modelyard.control.registry.models import Model
from modelyard.control.tenancy.services import Actor
from modelyard.serving.paths import is_data_path
from tests.integration.control.console.reading import text_of
from tests.integration.control.console.test_access import OF_SCORINGS, POST_ONLY, TENANT_PAGES, address, places

__all__ = ["places"]

CODE = re.compile(r"<pre id=[^>]*>(.*?)</pre>", re.DOTALL)
COMMAND = re.compile(r"(?<!from )(?<!import )\bmodelyard [a-z]+[^<`\n]*")


def shown_at(client: Client, path: str) -> list[str]:
    """Return the commands of a page, those of other programs left out."""
    answer = client.get(path, follow=True)
    assert answer.status_code == 200, path
    return [html.unescape(line) for line in COMMAND.findall(text_of(answer).replace(" \\\n", ""))]


def parsed(line: str) -> tuple[str, dict[str, Any]]:
    """Return the verb and what it was given, as the command's own parser reads it."""
    name, *words = shlex.split(line)
    assert name == "modelyard"
    command: Any = typer.main.get_command(app)
    above = None
    while hasattr(command, "resolve_command"):
        above = command.make_context(name, list(words), parent=above, resilient_parsing=True)
        name, command, words = command.resolve_command(above, words)
        assert command is not None, line
    return name, dict(command.make_context(name, words, parent=above).params)


def curls_at(client: Client, path: str) -> list[list[str]]:
    """Return the words of each curl command of a page."""
    blocks = [html.unescape(block) for block in CODE.findall(text_of(client.get(path, follow=True)))]
    commands = [command for block in blocks for command in block.split("\n\n") if command.startswith("curl ")]
    return [shlex.split(command.replace("\\\n", " ")) for command in commands]


def assert_asks_us(words: list[str]) -> None:
    """Check that a curl command brings a key and asks an address that we have."""
    (address,) = [word for word in words if word.startswith("http")]
    path = urlsplit(address).path
    assert is_data_path(path) or resolve(path).view_name.startswith("modelyard-")
    assert "Authorization: Bearer $MODELYARD_KEY" in words


def assert_login_and_push(lines: list[str], name: str) -> None:
    (login, where), (push, given) = map(parsed, lines)
    assert (login, push) == ("login", "push")
    assert where["url"].startswith("http")
    assert [str(file) for file in given["files"]] == ["model.pkl"]
    assert (given["name"], str(given["sample"])) == (name, "sample.csv")


def test_an_empty_tenant_shows_commands_that_parse(editor: Client) -> None:
    assert_login_and_push(shown_at(editor, "/t/yard/"), "iris")
    made, pushed = curls_at(editor, "/t/yard/")
    for words in (made, pushed):
        assert_asks_us(words)


def test_an_empty_model_shows_commands_that_parse(editor: Client, model: Model) -> None:
    assert_login_and_push(shown_at(editor, "/t/yard/models/iris/"), "iris")
    (pushed,) = curls_at(editor, "/t/yard/models/iris/")
    assert_asks_us(pushed)


def test_every_page_shows_only_commands_that_parse(boss: Client, places: dict[str, Any], admin: Actor) -> None:
    registry.create_model(actor=admin, name="bare")
    without = {*POST_ONLY, *OF_SCORINGS, "job-result-delete", "version-file", "dataset-download"}
    pages = [name for name in TENANT_PAGES if name not in without]
    commands = curls = 0
    for path in [*(address(name, places) for name in pages), "/t/yard/models/bare/"]:
        for line in shown_at(boss, path):
            parsed(line)
            commands += 1
        for words in curls_at(boss, path):
            assert_asks_us(words)
            curls += 1
    assert commands >= 2
    assert curls >= 2
