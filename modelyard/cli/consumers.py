"""`modelyard consumers`: who depends on a model."""

import shlex
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import typer

from modelyard.cli.connection import Connection, connected
from modelyard.cli.options import Json, ModelName, Url
from modelyard.cli.output import Done, curl, print_json, print_table
from modelyard.cli.usage import consumer_name

if TYPE_CHECKING:
    from modelyard.client.records import Consumer

app = typer.Typer(help="Declare who depends on a model.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="Who, as 'checkout service'.", show_default=False, callback=consumer_name)]


@app.command("list")
def list_consumers(model: ModelName, url: Url = None, json: Json = False) -> None:
    """List who depends on a model."""
    with connected(url) as yard:
        found = yard.client.consumers(model)
    if json:
        print_json(found)
        return
    rows = [[each.name, each.uses, each.contact, each.purpose, each.declared_by] for each in found]
    columns = ["name", "uses", "contact", "purpose", "declared by"]
    empty = f"nobody yet: `modelyard consumers add {model} NAME` declares somebody"
    print_table(f"Consumers of {model}", columns, rows, empty=empty)


@app.command()
def add(
    model: ModelName,
    name: Name,
    contact: Annotated[str, typer.Option(help="Where they are told.")] = "",
    purpose: Annotated[str, typer.Option(help="What for.")] = "",
    uses: Annotated[str, typer.Option(help="What they ask for, as iris:3; else what the plan decides.")] = "",
    url: Url = None,
    json: Json = False,
) -> None:
    """Declare who depends on a model, or say it anew."""
    with connected(url) as yard:
        before = _declared(yard, model, name)
        made = yard.client.declare_consumer(model, name, contact=contact, purpose=purpose, uses=uses)
        path = f"models/{model}/consumers/{quote(made.name, safe='')}/"
        body = {"contact": contact, "purpose": purpose, "uses": uses}
        Done(
            f"{made.name} depends on {made.uses}" + ("; what was said before is replaced" if before else ""),
            result=made,
            console=f"{yard.console(model)}charter/",
            curl=curl("PUT", yard.api(path), json_body={name: value for name, value in body.items() if value}),
            undo=_add(model, before) if before else f"modelyard consumers remove {model} {shlex.quote(made.name)}",
        ).show(json)


@app.command()
def remove(model: ModelName, name: Name, url: Url = None, json: Json = False) -> None:
    """Say that somebody does not depend on a model any more."""
    with connected(url) as yard:
        before = _declared(yard, model, name)
        yard.client.remove_consumer(model, name)
        Done(
            f"{name} does not depend on {model} any more",
            result={"removed": name},
            console=f"{yard.console(model)}charter/",
            curl=curl("DELETE", yard.api(f"models/{model}/consumers/{quote(name, safe='')}/")),
            undo=_add(model, before) if before else None,
        ).show(json)


def _declared(yard: Connection, model: str, name: str) -> "Consumer | None":
    """Return what is declared of a consumer now."""
    return next((each for each in yard.client.consumers(model) if each.name == name.strip()), None)


def _add(model: str, consumer: "Consumer") -> str:
    """Return the command that declares a consumer as it was."""
    said = {"contact": consumer.contact, "purpose": consumer.purpose, "uses": consumer.uses}
    options = [word for option, text in said.items() if text for word in (f"--{option}", text)]
    return shlex.join(["modelyard", "consumers", "add", model, consumer.name, *options])
