"""`modelyard train`: has a version made of a dataset, by a job that is followed to its end."""

import json as jsons
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modelyard.cli.connection import Connection, connected
from modelyard.cli.jobs import console_page, follow, unended
from modelyard.cli.options import Json, Url
from modelyard.cli.output import Done, curl, print_json, print_table
from modelyard.cli.progress import progress_bar
from modelyard.cli.tables import read_object
from modelyard.cli.usage import NotUnderstood, dataset_reference, model_name, tenant_name
from modelyard.core.errors import NotFound

if TYPE_CHECKING:
    from modelyard.client import Client
    from modelyard.client.records import Job
    from modelyard.trainers.stated import Stated


def train(
    name: Annotated[str, typer.Argument(help="The model.", show_default=False, callback=model_name)],
    dataset: Annotated[
        str, typer.Option(help="What it learns from, as flights:2.", show_default=False, callback=dataset_reference)
    ],
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="A parameter, as target=late or holdout=0.3; may be repeated.", show_default=False),
    ] = None,
    parameters: Annotated[
        str | None, typer.Option(help="All parameters as JSON: a file, or {...}.", show_default=False)
    ] = None,
    trainer: Annotated[str, typer.Option(help="Who trains: see `modelyard trainers`.")] = "tabular",
    description: Annotated[str, typer.Option(help="What is new.", show_default=False)] = "",
    tenants: Annotated[
        str,
        typer.Option(
            help="A version in each: names with commas between, or all; for a key of the operator's.",
            show_default=False,
        ),
    ] = "",
    skip_missing: Annotated[
        bool, typer.Option("--skip-missing", help="Leave out tenants that lack the dataset, or whose does not fit.")
    ] = False,
    wait: Annotated[bool, typer.Option(help="Follow the job to its end.")] = True,
    url: Url = None,
    json: Json = False,
) -> None:
    """Train a version of a model on a dataset.

    Ctrl-C only ends the watching: the job goes on. The version serves nothing until it is promoted.
    """
    several = _read_tenants(tenants, skip_missing)
    given = {**(read_object(parameters, "--parameters") or {}), **read_parameters(set_ or [])}
    with connected(url) as yard:
        job = yard.client.train(name, dataset, trainer=trainer, description=description, parameters=given, **several)
        body = {"model": name, "dataset": dataset, "parameters": given, "description": description, **several}
        same = curl("POST", yard.api(f"trainers/{trainer}/train"), json_body=body)
        if wait:
            with progress_bar(json) as progress:
                follow(yard, job.id, json=False, out=sys.stderr, progress=progress)
            job = yard.client.job(job)
        done = _done(yard, job, same)
    done.show(json)


def trainers(url: Url = None, json: Json = False) -> None:
    """List the trainers, with the parameters that each takes: what each may be, and its default."""
    with connected(url) as yard:
        found = yard.client.trainers()
    if json:
        print_json(found)
        return
    from modelyard.trainers.stated import stated

    for one in found:
        rows = [[each.name, each.expected, _default(each), each.description] for each in stated(one.parameters)]
        print(f"{one.name}: {one.title}")
        print_table("", ["parameter", "may be", "default", "what"], rows, empty="it takes no parameters")


def _default(one: "Stated") -> str:
    return "must be given" if one.required else jsons.dumps(one.default, ensure_ascii=False)


def _done(yard: Connection, job: "Job", same: str) -> Done:
    """Return what is told of a training.

    Raises:
        ModelyardError: when it failed, with the job's own words.
    """
    if (going := unended(yard, job, "training", same)) is not None:
        return going
    if "tenants" in job.outcome:
        return _done_in_tenants(job, console_page(yard, job.id), same)
    made = f"{job.outcome['model']}:{job.outcome['number']}"
    metrics = ", ".join(f"{key} {value:.6g}" for key, value in sorted(job.outcome["metrics"].items()))
    return Done(
        f"{made} is ready",
        result=job,
        console=yard.console(job.outcome["model"], job.outcome["number"]),
        curl=same,
        undo=f"modelyard delete {made}",
        more={"metrics": metrics, "next": f"modelyard promote {made}"},
        warnings=warnings_of(yard.client, made),
    )


def warnings_of(client: "Client", made: str) -> list[str]:
    """Return what a version's training warned of; nothing where the version is gone by now."""
    try:
        told = client.training(made)
    except NotFound:
        return []
    return [*map(str, told.warnings), *([told.no_better] if told.no_better else [])]


def _done_in_tenants(job: "Job", page: str, same: str) -> Done:
    """Return what is told of a training in several tenants."""
    name, lines = job.outcome["model"], []
    for one in job.outcome["tenants"]:
        said = f"{name}:{one['number']} is ready" if one["state"] == "succeeded" else _why(one)
        lines.append(f"{one['tenant']}: {said}")
    lines += [f"{one['tenant']}: left out, {one['reason']}" for one in job.outcome["skipped"]]
    return Done(
        "\n".join(lines),
        result=job,
        console=page,
        curl=same,
        undo=f"each tenant's own: `modelyard delete {name}:NUMBER` with a key of that tenant",
    )


def _why(ended: dict[str, Any]) -> str:
    return f"{ended['state']}, {ended['error']['message']}"


def _read_tenants(text: str, skip_missing: bool) -> dict[str, Any]:
    """Return what a training in several tenants takes besides; nothing for one in the key's own tenant.

    Raises:
        NotUnderstood: when a name can be no tenant's.
    """
    if not text:
        if skip_missing:
            raise NotUnderstood("--skip-missing belongs to --tenants: expected both")
        return {}
    names = text if text == "all" else [tenant_name(name.strip()) for name in text.split(",")]
    return {"tenants": names, "skip_missing": skip_missing}


def read_parameters(pairs: list[str]) -> dict[str, Any]:
    """Read `holdout=0.3` and the like: JSON where it is JSON, else a text; a dot leads into an object.

    Raises:
        NotUnderstood: when one is not a name and a value, or a name comes twice.
    """
    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        *outer, last = name.split(".")
        if not equals or not all([*outer, last]):
            raise NotUnderstood(f"--set {pair!r}: expected a name and a value, as holdout=0.3")
        place = found
        for part in outer:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise NotUnderstood(f"--set {pair!r}: `{part}` was given a value before, and cannot hold `{last}` too")
        if last in place:
            raise NotUnderstood(f"--set {pair!r}: `{name}` was given before: expected each name once")
        try:
            place[last] = jsons.loads(text, parse_constant=_no_json)
        except ValueError:
            place[last] = text
    return found


def _no_json(word: str) -> None:
    raise ValueError(word)  # NaN and Infinity, which Python alone reads
