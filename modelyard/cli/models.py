"""`modelyard models`: what a tenant predicts."""

from typing import Annotated

import typer

from modelyard.cli.connection import connected
from modelyard.cli.options import Json, Url
from modelyard.cli.output import print_json, print_table


def models(
    search: Annotated[str, typer.Option(help="Only those whose name or problem holds this.", show_default=False)] = "",
    url: Url = None,
    json: Json = False,
) -> None:
    """List the models."""
    with connected(url) as yard:
        found = yard.client.models(**({"search": search} if search else {}))
    if json:
        print_json(found)
        return
    rows = [
        (model.name, model.champion, model.newest_ready, _counts(model.versions), model.problem, model.owner)
        for model in found
    ]
    empty = f"no model's name or problem holds {search!r}" if search else "no models yet: `modelyard push` makes one"
    columns = ["model", "serves", "newest ready", "versions", "problem", "owner"]
    print_table("Models", columns, rows, empty=empty)


def _counts(versions: dict[str, int]) -> str:
    return ", ".join(f"{count} {state}" for state, count in versions.items() if count)
