"""`modelyard aliases`: movable names for versions."""

from typing import Annotated

import typer

from modelyard.cli.connection import Connection, connected
from modelyard.cli.options import Despite, Json, ModelName, Url
from modelyard.cli.output import Done, curl, print_json, print_table
from modelyard.cli.usage import alias_name, new_alias, version_number

app = typer.Typer(help="Move names, as candidate, between a model's versions.", no_args_is_help=True)
NewName = Annotated[str, typer.Argument(help="The alias, as candidate.", show_default=False, callback=new_alias)]
Name = Annotated[str, typer.Argument(help="The alias, as candidate.", show_default=False, callback=alias_name)]
Number = Annotated[int, typer.Argument(help="The version's number.", parser=version_number, show_default=False)]


@app.command("list")
def list_aliases(model: ModelName, url: Url = None, json: Json = False) -> None:
    """List a model's aliases."""
    with connected(url) as yard:
        found = yard.client.aliases(model)
    if json:
        print_json(found)
        return
    rows = [(f"{model}@{each.name}", f"{model}:{each.version}", each.moved_by, each.moved_at) for each in found]
    empty = f"no aliases yet: `modelyard aliases set {model} NAME NUMBER` makes one"
    print_table(f"Aliases of {model}", ["alias", "version", "moved by", "moved at"], rows, empty=empty)


@app.command("set")
def set_alias(
    model: ModelName,
    name: NewName,
    number: Number,
    despite_consumers: Despite = False,
    url: Url = None,
    json: Json = False,
) -> None:
    """Let a name mean a version from now on."""
    with connected(url) as yard:
        before = _number(yard, model, name)
        made = yard.client.set_alias(model, name, number, despite_consumers=despite_consumers)
        same = before == made.version
        told = " --despite-consumers" * despite_consumers
        back = _set(model, name, before) + told if before else f"modelyard aliases remove {model} {name}"
        Done(
            f"{model}@{made.name} is {model}:{made.version}" + ("; it was so already" * same),
            result=made,
            console=yard.console(model),
            curl=curl(
                "PUT",
                yard.api(f"models/{model}/aliases/{name}/"),
                json_body={"version": number, **({"despite_consumers": True} if told else {})},
            ),
            undo=None if same else back,
        ).show(json)


@app.command()
def remove(
    model: ModelName, name: Name, despite_consumers: Despite = False, url: Url = None, json: Json = False
) -> None:
    """Forget a name; the version stays."""
    with connected(url) as yard:
        before = _number(yard, model, name)
        yard.client.delete_alias(model, name, despite_consumers=despite_consumers)
        path = f"models/{model}/aliases/{name}/" + ("?despite_consumers=true" if despite_consumers else "")
        Done(
            f"{model}@{name} means nothing any more",
            result={"removed": f"{model}@{name}"},
            console=yard.console(model),
            curl=curl("DELETE", yard.api(path)),
            undo=_set(model, name, before) if before else None,
        ).show(json)


def _number(yard: Connection, model: str, name: str) -> int | None:
    """Return the number of the version that the alias means now."""
    return next((each.version for each in yard.client.aliases(model) if each.name == name), None)


def _set(model: str, name: str, number: int) -> str:
    return f"modelyard aliases set {model} {name} {number}"
