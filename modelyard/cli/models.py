"""`modelyard models`: what a tenant predicts."""

from typing import Annotated

import typer

from modelyard.cli.connection import connected
from modelyard.cli.options import Json, Url
from modelyard.cli.output import print_json, print_table


def models(
    search: Annotated[str, typer.Option(help="Only those whose name holds this.", show_default=False)] = "",
    url: Url = None,
    json: Json = False,
) -> None:
    """List the models."""
    with connected(url) as yard:
        found = [model for model in yard.client.models() if search in model.name]
    if json:
        print_json(found)
        return
    rows = [(model.name, model.problem, model.owner, model.last_number, _day(model.created_at)) for model in found]
    print_table(
        "Models",
        ["model", "problem", "owner", "newest", "since"],
        rows,
        empty="no models yet: `modelyard push` makes one",
    )


def _day(at: str | None) -> str:
    return (at or "")[:10]
