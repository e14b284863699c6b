"""`modelyard schedules`: what is started again and again, by the clock or when a dataset arrives."""

import json as jsons
import shlex
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modelyard.cli.connection import Connection, connected
from modelyard.cli.jobs import console_page
from modelyard.cli.options import Json, Url, Yes
from modelyard.cli.output import Done, curl, print_json, print_table
from modelyard.cli.tables import read_object
from modelyard.cli.training import read_parameters
from modelyard.cli.usage import NotUnderstood, dataset_name, dataset_or_none, in_options, schedule_name

if TYPE_CHECKING:
    from modelyard.client.records import Run, Schedule

app = typer.Typer(
    help="Start trainings and scorings again and again, at times or when a dataset arrives.", no_args_is_help=True
)
Name = Annotated[str, typer.Argument(help="The schedule.", show_default=False, callback=schedule_name)]
CronOption = Annotated[str, typer.Option(help="When, as in crontab: '30 6 * * mon-fri'. Quote it.", show_default=False)]
ZoneOption = Annotated[str, typer.Option(help="Whose clock --cron reads, as Europe/Berlin.", show_default=False)]
EveryOption = Annotated[int | None, typer.Option(help="When: each so many seconds.", show_default=False)]
ArrivalOption = Annotated[
    str, typer.Option(help="When: each time a dataset of this name is ready.", show_default=False)
]
OverlapOption = Annotated[
    str, typer.Option(help="While the former run still goes on: skip, or queue.", show_default=False)
]
FailuresOption = Annotated[
    int | None, typer.Option(min=1, help="Runs that may fail in a row; then it is paused.", show_default=False)
]
BodyOption = Annotated[
    str | None,
    typer.Option(help="The whole request that each run makes, as JSON: a file, or {...}.", show_default=False),
]
OPTIONS = {
    "cron": "--cron", "time_zone": "--time-zone", "interval_seconds": "--every", "on_dataset": "--on-dataset",
    "overlap": "--overlap", "max_failures": "--max-failures",
}  # fmt: skip


@app.command("list")
def list_schedules(
    state: Annotated[str, typer.Option(help="Only active or paused ones.", show_default=False)] = "",
    url: Url = None,
    json: Json = False,
) -> None:
    """List the schedules, by name."""
    with connected(url) as yard:
        found = list(yard.client.schedules(**({"state": state} if state else {})))
    if json:
        print_json(found)
        return
    rows = [[one, one.kind, _when(one), _state(one), _next(one), one.failures, one.acts_for] for one in found]
    columns = ["schedule", "starts", "when", "state", "next (UTC)", "failures", "acts for"]
    print_table("Schedules", columns, rows, empty="no schedules: `modelyard schedules create` makes one")


@app.command()
def show(name: Name, url: Url = None, json: Json = False) -> None:
    """Show a schedule: what it starts, when next, and how it went last."""
    with connected(url) as yard:
        found = yard.client.schedule(name)
        page = _page(yard, name)
    if json:
        print_json(found)
        return
    last = found.last_run
    facts: dict[str, Any] = {
        "state": _state(found),
        "when": _when(found),
        "next": ", ".join(_minute(at) for at in found.next_times) + " UTC" if found.next_times else "",
        "starts": f"{found.kind} {jsons.dumps(found.body, ensure_ascii=False)}",
        "overlap": found.overlap,
        "missed": found.missed or "",
        "failures": f"{found.failures} in a row, of {found.max_failures}" if found.failures else "",
        "last run": f"{last.state} {last.reason}".strip() if last else "",
        "acts for": found.acts_for,
        "console": page,
    }
    print(found)
    for key, value in facts.items():
        if value:
            print(f"  {key:8} {value}")


@app.command()
def create(
    name: Name,
    kind: Annotated[str, typer.Option(help="What it starts: training or scoring.")] = "training",
    model: Annotated[
        str, typer.Option(help="The model that is trained, or scores, as iris@candidate.", show_default=False)
    ] = "",
    dataset: Annotated[
        str,
        typer.Option(help="What it works on: flights, the newest then.", show_default=False, callback=dataset_or_none),
    ] = "",
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="A parameter, as target=late; may be repeated.", show_default=False),
    ] = None,
    trainer: Annotated[str, typer.Option(help="Who trains; tabular unless told.", show_default=False)] = "",
    body: BodyOption = None,
    cron: CronOption = "",
    time_zone: ZoneOption = "",
    every: EveryOption = None,
    on_dataset: ArrivalOption = "",
    overlap: OverlapOption = "",
    max_failures: FailuresOption = None,
    url: Url = None,
    json: Json = False,
) -> None:
    """Make a schedule. It acts with your rights, and what would be refused now is refused."""
    given = read_object(body, "--body") or {}
    given |= {key: each for key, each in (("model", model), ("dataset", dataset), ("trainer", trainer)) if each}
    if set_:
        given["parameters"] = {**given.get("parameters", {}), **read_parameters(set_)}
    said = _said(cron, time_zone, every, on_dataset, overlap, max_failures)
    with connected(url) as yard:
        with in_options(OPTIONS):
            made = yard.client.create_schedule(name, given, kind=kind, **said)
        same = curl("POST", yard.api("schedules/"), json_body={"name": name, "kind": kind, "body": given, **said})
        done = _done(yard, made, f"{name} is made", same, f"modelyard schedules delete {name}")
    done.show(json)


@app.command()
def change(
    name: Name,
    body: BodyOption = None,
    cron: CronOption = "",
    time_zone: ZoneOption = "",
    every: EveryOption = None,
    on_dataset: ArrivalOption = "",
    overlap: OverlapOption = "",
    max_failures: FailuresOption = None,
    url: Url = None,
    json: Json = False,
) -> None:
    """Change a schedule, which acts with your rights from then on."""
    changes = _said(cron, time_zone, every, on_dataset, overlap, max_failures)
    if (given := read_object(body, "--body")) is not None:
        changes["body"] = given
    if not changes:
        raise NotUnderstood("expected what shall change, as --every 3600")
    with connected(url) as yard:
        before = yard.client.schedule(name)
        with in_options(OPTIONS):
            changed = yard.client.change_schedule(name, **changes)
        same = curl("PATCH", yard.api(f"schedules/{name}/"), json_body=changes)
        undo = f"modelyard schedules change {name} {_as_options(before)}"
        done = _done(yard, changed, f"{name} is changed", same, undo)
    done.show(json)


@app.command()
def pause(
    name: Name,
    reason: Annotated[str, typer.Option(help="Why; it is shown.", show_default=False)] = "",
    url: Url = None,
    json: Json = False,
) -> None:
    """Start nothing more until it is resumed; what goes on goes on."""
    with connected(url) as yard:
        paused = yard.client.pause_schedule(name, reason)
        same = curl("POST", yard.api(f"schedules/{name}/pause"), json_body={"reason": reason})
        done = _done(yard, paused, f"{name} is paused", same, f"modelyard schedules resume {name}")
    done.show(json)


@app.command()
def resume(name: Name, url: Url = None, json: Json = False) -> None:
    """Go on, with your rights from then on; what came in between does not count."""
    with connected(url) as yard:
        resumed = yard.client.resume_schedule(name)
        same = curl("POST", yard.api(f"schedules/{name}/resume"))
        done = _done(yard, resumed, f"{name} goes on", same, f"modelyard schedules pause {name}")
    done.show(json)


@app.command()
def run(name: Name, url: Url = None, json: Json = False) -> None:
    """Start a run now, paused or not."""
    with connected(url) as yard:
        made = yard.client.run_schedule(name)
        said = f": {made.reason}" if made.reason else ""
        job = made.job
        done = Done(
            f"the run is {made.state}{said}",
            result=made,
            console=console_page(yard, job) if job else _page(yard, name),
            curl=curl("POST", yard.api(f"schedules/{name}/run")),
            undo=f"modelyard jobs cancel {job}" if job else f"modelyard schedules pause {name}",
            more={"next": f"modelyard jobs watch {job}" if job else f"modelyard schedules runs {name}"},
        )
    done.show(json)


@app.command()
def runs(
    name: Name,
    state: Annotated[str, typer.Option(help="Only those, as failed or skipped.", show_default=False)] = "",
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    url: Url = None,
    json: Json = False,
) -> None:
    """List what a schedule has started, the newest first."""
    filters = {"state": state} if state else {}
    with connected(url) as yard:
        found = list(islice(yard.client.runs(name, **filters, page_size=str(min(limit, 500))), limit))
    if json:
        print_json(found)
        return
    rows = [[_what(one), one.state, one.missed or "", one.job, one.reason, _minute(one.created_at)] for one in found]
    columns = ["for", "state", "missed before", "job", "why", "when (UTC)"]
    print_table(f"Runs of {name}", columns, rows, empty="it has started nothing yet: `modelyard schedules run` does")


@app.command()
def delete(name: Name, yes: Yes = False, url: Url = None, json: Json = False) -> None:
    """Delete a schedule and its runs; the jobs that it started stay."""
    with connected(url) as yard:
        before = yard.client.schedule(name)
        if not yes and not json:
            typer.confirm(f"Delete {name}, and forget its runs?", abort=True, err=True)
        yard.client.delete_schedule(name)
        Done(
            f"{name} is deleted",
            result={"deleted": name},
            console=_page(yard),
            curl=curl("DELETE", yard.api(f"schedules/{name}/")),
            undo=f"modelyard schedules create {name} --kind {before.kind} {_as_options(before)}",
        ).show(json)


def _said(
    cron: str, time_zone: str, every: int | None, on_dataset: str, overlap: str, max_failures: int | None
) -> dict[str, Any]:
    """Return what was given of when and how."""
    if on_dataset:
        dataset_name(on_dataset)
    said = {
        "cron": cron,
        "time_zone": time_zone,
        "interval_seconds": every,
        "on_dataset": on_dataset,
        "overlap": overlap,
        "max_failures": max_failures,
    }
    return {name: each for name, each in said.items() if each not in ("", None)}


def _as_options(schedule: "Schedule") -> str:
    """Return what makes a schedule as it is."""
    values = {
        "--body": jsons.dumps(schedule.body, ensure_ascii=False),
        "--cron": schedule.cron,
        "--time-zone": schedule.time_zone if schedule.cron else "",
        "--every": schedule.interval_seconds or "",
        "--on-dataset": schedule.on_dataset,
        "--overlap": schedule.overlap,
        "--max-failures": schedule.max_failures,
    }
    return " ".join(f"{option} {shlex.quote(str(value))}" for option, value in values.items() if value != "")


def _done(yard: Connection, schedule: "Schedule", text: str, same: str, undo: str) -> Done:
    comes = f": next at {_minute(schedule.next_times[0])} UTC" if schedule.next_times else ""
    return Done(
        f"{text}{comes}",
        result=schedule,
        console=_page(yard, schedule.name),
        curl=same,
        undo=undo,
        more={"next": f"modelyard schedules runs {schedule.name}"},
    )


def _page(yard: Connection, name: str = "") -> str:
    return f"{yard.console()}schedules/" + (f"{name}/" if name else "")


def _when(schedule: "Schedule") -> str:
    if schedule.cron:
        return f"{schedule.cron} ({schedule.time_zone})"
    return f"every {schedule.interval_seconds} s" if schedule.interval_seconds else f"new {schedule.on_dataset}"


def _next(schedule: "Schedule") -> str:
    return _minute(schedule.next_at) if schedule.state == "active" else ""


def _state(schedule: "Schedule") -> str:
    reason = (schedule.paused or {}).get("reason", "")
    return f"{schedule.state}: {reason}" if reason else schedule.state


def _what(run: "Run") -> str:
    return f"{_minute(run.due_at)}" if run.due_at else run.dataset or run.asked_by


def _minute(at: str | None) -> str:
    return (at or "")[:19].replace("T", " ")
