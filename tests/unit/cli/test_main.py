"""The table of verbs."""

from collections.abc import Iterator
from typing import Any

import pytest
import typer

from modelyard.cli.main import app


def verbs(command: Any, path: str = "") -> Iterator[Any]:
    for name, below in getattr(command, "commands", {}).items():
        yield from verbs(below, f"{path} {name}".strip())
    if not hasattr(command, "commands"):
        yield pytest.param(command, id=path)


@pytest.mark.parametrize("verb", [*verbs(typer.main.get_command(app))])
def test_each_verb_answers_programs_and_says_what_it_does(verb: Any) -> None:
    assert "--json" in [option for part in verb.params for option in part.opts]
    assert verb.help
