"""`modelyard precomputed`: answers of a scoring, stored by entity and told one by one."""

import sys
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import typer

from modelyard.cli.connection import Connection, connected
from modelyard.cli.jobs import follow, named, unended
from modelyard.cli.options import Despite, Json, ModelName, Url
from modelyard.cli.output import Done, curl, print_json, print_table
from modelyard.cli.progress import progress_bar

if TYPE_CHECKING:
    from modelyard.client.records import Job

app = typer.Typer(help="Store a scoring's answers by entity, and tell them one by one.", no_args_is_help=True)
Number = Annotated[int, typer.Argument(min=1, help="As `precomputed list` shows it.", show_default=False)]


@app.command("list")
def list_precomputations(model: ModelName, url: Url = None, json: Json = False) -> None:
    """List what stored answers a model had, the newest first."""
    with connected(url) as yard:
        found = yard.client.precomputations(model)
        storing = [] if json else _storing(yard, model)
    if json:
        print_json(found)
        return
    rows = [
        (
            each.number,
            "current" if each.current else "kept" if each.kept else "",
            f"{model}:{each.version}",
            each.dataset,
            each.entity,
            f"{each.rows:,}",
            each.created_by,
            (each.created_at or "")[:16].replace("T", " "),
        )
        for each in found
    ]
    columns = ["number", "state", "version", "dataset", "entity", "answers", "who", "when"]
    none = "none yet" if storing else "none: `modelyard precomputed publish` stores a scoring's answers"
    print_table("Precomputed", columns, rows, empty=none)
    for job in storing:
        print(f"  storing  {job.about}: modelyard jobs watch {job.id}")


def _storing(yard: Connection, model: str) -> list["Job"]:
    """Return the jobs that store answers of the model just now, or will."""
    states = ("queued", "running")
    there = [job for state in states for job in yard.client.jobs(kind="precomputing", state=state)]
    return [job for job in there if job.about.startswith(f"{model}:")]


@app.command()
def get(
    model: ModelName,
    entity: Annotated[str, typer.Argument(help="Its id, as it stands in the column.", show_default=False)],
    url: Url = None,
    json: Json = False,
) -> None:
    """Tell an entity's stored answer."""
    with connected(url) as yard:
        answer = yard.client.precomputed(model, entity)
        same = curl("GET", f"{yard.client.predict_url}/precomputed/{model}/{quote(entity, safe='')}")
    if json:
        print_json(answer)
        return
    print(f"{answer.model}:{answer.version} says {answer.predictions[0]}")
    if answer.probabilities:
        print(f"  {'of':8} {answer.probabilities[0]}")
    print(f"  curl     {same}")


@app.command()
def publish(
    model: ModelName,
    scoring: Annotated[
        str, typer.Argument(help="The id, or how it begins, of a scoring that succeeded.", show_default=False)
    ],
    wait: Annotated[bool, typer.Option(help="Follow the job to its end.")] = True,
    url: Url = None,
    json: Json = False,
) -> None:
    """Store the answers of a scoring by entity, and tell them from then on."""
    with connected(url) as yard:
        before = _current(yard, model)
        scoring = named(yard, scoring)
        job = yard.client.publish_precomputed(model, scoring)
        same = curl("POST", yard.api(f"models/{model}/precomputed/"), json_body={"job": scoring})
        if wait:
            with progress_bar(json) as progress:
                follow(yard, job.id, json=False, out=sys.stderr, progress=progress)
            job = yard.client.job(job)
        if (going := unended(yard, job, "job", same)) is not None:
            going.show(json)
            return
        said = job.outcome
        skipped = f"; {said['skipped']:,} rows had no answer" if said["skipped"] else ""
        Done(
            f"{said['rows']:,} answers of {model}:{said['version']} are told{skipped}",
            result=job,
            console=yard.console(model),
            curl=same,
            undo=_back(model, before),
            more={"next": f"modelyard precomputed get {model} ENTITY"},
        ).show(json)


@app.command()
def activate(model: ModelName, number: Number, url: Url = None, json: Json = False) -> None:
    """Tell answers from a former file again."""
    with connected(url) as yard:
        before = _current(yard, model)
        made = yard.client.activate_precomputed(model, number)
        same = before == made.number
        Done(
            f"{made.rows:,} answers of {model}:{made.version} are told" + ("; it was so already" * same),
            result=made,
            console=yard.console(model),
            curl=curl("POST", yard.api(f"models/{model}/precomputed/{number}/activate")),
            undo=None if same else _back(model, before),
        ).show(json)


@app.command()
def withdraw(model: ModelName, despite_consumers: Despite = False, url: Url = None, json: Json = False) -> None:
    """Tell no stored answers any more."""
    with connected(url) as yard:
        before = _current(yard, model)
        yard.client.withdraw_precomputed(model, despite_consumers=despite_consumers)
        path = f"models/{model}/precomputed/" + ("?despite_consumers=true" if despite_consumers else "")
        Done(
            f"no stored answers of {model} are told any more",
            result={"withdrawn": before},
            console=yard.console(model),
            curl=curl("DELETE", yard.api(path)),
            undo=None if before is None else _back(model, before),
        ).show(json)


def _current(yard: Connection, model: str) -> int | None:
    return next((each.number for each in yard.client.precomputations(model) if each.current), None)


def _back(model: str, before: int | None) -> str:
    if before is None:
        return f"modelyard precomputed withdraw {model}"
    return f"modelyard precomputed activate {model} {before}"
