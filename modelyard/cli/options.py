"""Options that several verbs share."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from modelyard.cli.usage import model_name, version_reference

Ref = Annotated[
    str,
    typer.Argument(help="A version, as iris:3 or iris@candidate.", show_default=False, callback=version_reference),
]
ModelName = Annotated[str, typer.Argument(help="A model's name.", show_default=False, callback=model_name)]
Json = Annotated[bool, typer.Option("--json", help="Answer in JSON, for programs.")]
Url = Annotated[
    str | None,
    typer.Option("--url", help="The server's address; else MODELYARD_URL, else the last login's.", show_default=False),
]
Home = Annotated[
    Path | None,
    typer.Option("--home", help="Folder of all that is kept; else MODELYARD_HOME, else ./var.", show_default=False),
]


def with_home(command: str, home: Path | None) -> str:
    """Return `command` for the same home folder as was given to this one."""
    return command if home is None else f"{command} --home {shlex.quote(str(home))}"


Reason = Annotated[str, typer.Option("--reason", help="Why; it stays in the model's history.", show_default=False)]
Despite = Annotated[bool, typer.Option("--despite-consumers", help="Those who depend on it were told.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
