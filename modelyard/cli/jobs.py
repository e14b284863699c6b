"""`modelyard jobs`: background work, listed, followed, cancelled, run again."""

import json as jsons
import re
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from modelyard.cli.connection import Connection, connected
from modelyard.cli.options import Json, Url
from modelyard.cli.output import Done, curl, print_json, print_table, runnable, say
from modelyard.cli.progress import progress_bar
from modelyard.core.errors import InvalidInput, ModelyardError, NotFound
from modelyard.core.metrics import bytes_amount

if TYPE_CHECKING:
    from modelyard.client.records import Job

app = typer.Typer(help="Look at background work, follow it, cancel it.", no_args_is_help=True)
JobId = Annotated[str, typer.Argument(help="The job's id, or its first 8 letters or more.", show_default=False)]
_WHOLE = 36
_BEGINS = re.compile("[0-9a-fA-F][0-9a-fA-F-]{7,35}")
_LISTED = "`modelyard jobs list` shows them"
_MAKERS = ("training", "registration")
"""Kinds of jobs of which a version comes."""


@app.command("list")
def list_jobs(
    state: Annotated[
        str, typer.Option(help="Only queued, running, succeeded, failed or cancelled ones.", show_default=False)
    ] = "",
    kind: Annotated[str, typer.Option(help="Only these, as registration.", show_default=False)] = "",
    parent: Annotated[str, typer.Option(help="Only the parts of this job.", show_default=False)] = "",
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    url: Url = None,
    json: Json = False,
) -> None:
    """List jobs, the newest first."""
    given = {name: value for name, value in (("state", state), ("kind", kind), ("parent", parent)) if value}
    with connected(url) as yard:
        found = list(islice(yard.client.jobs(**given, page_size=str(min(limit, 500))), limit))
    if json:
        print_json(found)
        return
    rows = [
        [
            job.id,
            job.kind,
            job.about,
            job.state,
            f"{job.progress:.0%}",
            _now(job),
            job.created_by,
            _minute(job.created_at),
        ]
        for job in found
    ]
    columns = ["job", "kind", "about", "state", "done", "says", "who", "when"]
    empty = f"no job is of {' and '.join(f'{name} {value}' for name, value in given.items())}" if given else ""
    print_table("Jobs", columns, rows, empty=empty or "no jobs yet: `modelyard push` makes one")


@app.command()
def show(job: JobId, url: Url = None, json: Json = False) -> None:
    """Show a job: how far it is, what came of it, its parts."""
    with connected(url) as yard:
        found = yard.client.job(named(yard, job))
        page = console_page(yard, found.id)
    if json:
        print_json(found)
        return
    facts: dict[str, Any] = {
        "about": found.about,
        "version": _version_made(found.kind, found.outcome),
        "state": f"{found.state}, {found.progress:.0%}",
        "says": _now(found),
        "rows": _rows(found),
        "metrics": ", ".join(f"{name} {_number(value)}" for name, value in found.metrics.items()),
        "failed": _failed(found),
        "files": _files(found),
        "parts": found.parts_made and f"{found.parts_made}, {found.parts_open} of them open",
        "part of": found.parent,
        "again of": found.again_of,
        "attempts": found.attempts or "",
        "who": found.created_by,
        "made": _minute(found.created_at),
        "ended": _minute(found.finished_at),
        "console": page,
    }
    print(f"{found.kind} {found.id}")
    for name, value in facts.items():
        if value:
            print(f"  {name:8} {value}")


@app.command()
def watch(job: JobId, url: Url = None, json: Json = False) -> None:
    """Follow a job to its end: its log on stdout, a bar on stderr.

    Ctrl-C only ends the watching. The exit code is 0 when the job succeeded, else 1. With --json each line is an event.
    """
    with connected(url) as yard:
        out = sys.stdout
        job = named(yard, job)
        try:
            with progress_bar(json) as progress:
                ended = follow(yard, job, json=json, out=out, progress=progress)
        except KeyboardInterrupt:
            say(
                runnable(
                    f"\nthe job goes on: `modelyard jobs watch {job}` follows it again, "
                    f"`modelyard jobs cancel {job}` ends it"
                )
            )
            raise
    error = ended.get("error") or {}
    made = _version_made(ended.get("kind", ""), ended.get("outcome"))
    said = f": {error['message']}" if error.get("message") else f": {made} is ready" * bool(made)
    say(f"the job {_ENDINGS.get(ended['state'], ended['state'])}{said}")
    if ended["state"] != "succeeded":
        raise typer.Exit(1)


_ENDINGS = {"succeeded": "has succeeded", "failed": "has failed", "cancelled": "was cancelled", "deleted": "is gone"}


def follow(
    yard: Connection, job: str, *, json: bool, out: TextIO, progress: Callable[[str, float, str], None]
) -> dict[str, Any]:
    """Say what a job is about, show its log on `out` and how far it is, to its end; return the job as it is then."""
    begun = False
    for event in yard.client.watch(job):
        if event.kind == "state" and not begun and not json:
            begun = True
            say(f"{event.data['kind']} {job}" + (f": {event.data['about']}" if event.data.get("about") else ""))
        if json:
            print(jsons.dumps({"event": event.kind, "data": event.data}, ensure_ascii=False), file=out, flush=True)
        elif event.kind == "line":
            # On a terminal the bar makes room for what is printed; a file gets the lines alone.
            print(_shown(event.data), file=None if out.isatty() else out, flush=True)
        elif event.kind == "progress":
            progress("job", float(event.data["progress"]), _saying(event.data))
        if event.kind == "end":
            return event.data
    raise AssertionError("a job is watched to its end")


@app.command()
def cancel(job: JobId, url: Url = None, json: Json = False) -> None:
    """End a job that is not wanted any more."""
    with connected(url) as yard:
        found = yard.client.cancel(named(yard, job))
        ended = "is cancelled" if not found.is_open else "is being cancelled: it ends within a second or two"
        Done(
            f"the job {ended}",
            result=found,
            console=console_page(yard, found.id),
            curl=curl("POST", yard.api(f"jobs/{found.id}/cancel")),
            undo=f"it stays so; where its kind can be repeated, `modelyard jobs again {found.id}` makes another",
        ).show(json)


@app.command()
def again(job: JobId, url: Url = None, json: Json = False) -> None:
    """Run an ended job again, as a new one."""
    with connected(url) as yard:
        job = named(yard, job)
        made = yard.client.again(job)
        Done(
            f"{made.kind} {made.id} is {made.state}",
            result=made,
            console=console_page(yard, made.id),
            curl=curl("POST", yard.api(f"jobs/{job}/again")),
            undo=f"modelyard jobs cancel {made.id}",
            more={"next": f"modelyard jobs watch {made.id}"},
        ).show(json)


@app.command()
def result(
    job: JobId,
    to: Annotated[Path, typer.Option(help="A folder, or the file's name.")] = Path(),
    failed: Annotated[
        bool, typer.Option("--failed", help="The rows that could not be scored, with the reasons.")
    ] = False,
    url: Url = None,
    json: Json = False,
) -> None:
    """Write what a scoring came to, or the rows that failed, to this machine."""
    with connected(url) as yard, progress_bar(json) as progress:
        path = yard.client.download_result(named(yard, job), to=to, failed=failed, progress=progress)
    if json:
        print_json({"file": str(path), "size_bytes": path.stat().st_size})
    else:
        print(f"{path} holds {path.stat().st_size:,} bytes")


@app.command("delete-result")
def delete_result(job: JobId, url: Url = None, json: Json = False) -> None:
    """Delete what a scoring left on the server, its failed rows too; the job stays."""
    with connected(url) as yard:
        job = named(yard, job)
        yard.client.delete_result(job)
        Done(
            f"the result of {job} is deleted",
            result={"deleted": job},
            console=console_page(yard, job),
            curl=curl("DELETE", yard.api(f"jobs/{job}/result")),
            undo=f"modelyard jobs again {job}",
        ).show(json)


def named(yard: Connection, text: str) -> str:
    """Return the id of the job that `text` names, by its id or how that begins.

    Raises:
        InvalidInput: when it can be no job's, or several begin so.
        NotFound: when none begins so.
    """
    if not _BEGINS.fullmatch(text):
        raise InvalidInput(f"{text[:60]!r} is no job's id, nor the first 8 letters or more of one: {_LISTED}")
    if len(text) == _WHOLE:
        return text
    found = [job.id for job in islice(yard.client.jobs(begins=text, page_size="2"), 2)]
    if not found:
        raise NotFound(f"no job begins with {text!r}: {_LISTED}")
    if len(found) > 1:
        raise InvalidInput(f"several jobs begin with {text!r}: type more of the one")
    return found[0]


def unended(yard: Connection, job: "Job", what: str, same: str) -> Done | None:
    """Return what is told of a job that was made and goes on still; None of one that has succeeded.

    Raises:
        ModelyardError: with the job's own words and code, when it has failed or was cancelled.
    """
    from modelyard.client.transport import CLASSES

    if job.state == "succeeded":
        return None
    page = console_page(yard, job.id)
    if job.error and not job.is_open:
        notes = {"console": page, "next": f"modelyard jobs show {job.id}"}
        raise CLASSES.get(job.error["code"], ModelyardError)(job.error["message"], notes=notes)
    return Done(
        f"the {what} {job.id} is {job.state}",
        result=job,
        console=page,
        curl=same,
        undo=f"modelyard jobs cancel {job.id}",
        more={"next": f"modelyard jobs watch {job.id}"},
    )


def console_page(yard: Connection, job: str) -> str:
    """Return the address of a job's page."""
    return f"{yard.console()}jobs/{job}/"


def _shown(line: dict[str, Any]) -> str:
    level = "" if line["level"] == "info" else f"{line['level']}: "
    return f"{str(line['at'])[11:19]} {level}{line['text']}"


def _saying(progress: dict[str, Any]) -> str:
    rate, left = progress.get("rows_per_second"), progress.get("eta_seconds")
    said = [str(progress.get("message") or "")]
    said += [f"{rate:,.0f} rows/s"] if rate else []
    said += [f"{left:,.0f} s left"] if left is not None else []
    return ", ".join(part for part in said if part)


def _now(job: "Job") -> str:
    if job.error and not job.is_open:
        return str(job.error.get("message", ""))
    return "being cancelled" if job.cancel_asked_at and job.is_open else job.message


def _rows(job: "Job") -> str:
    if job.rows_done is None:
        return ""
    whole = "" if job.rows_total is None else f" of {job.rows_total:,}"
    speed = "" if job.rows_per_second is None else f", {job.rows_per_second:,.0f} a second"
    return f"{job.rows_done:,}{whole}{speed}"


def _number(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _failed(job: "Job") -> str:
    """Return how many rows of a scoring have no prediction, and how one learns why; empty where all have."""
    outcome = job.outcome if isinstance(job.outcome, dict) else {}
    rows = outcome.get("failed_rows")
    if not rows:
        return ""
    why = runnable(f": `modelyard jobs result {job.id} --failed --to failed.jsonl`") if outcome.get("files") else ""
    return f"{rows:,} rows without a prediction{why}"


def _files(job: "Job") -> str:
    files = (job.outcome or {}).get("files")
    if not isinstance(files, dict):
        return ""
    if not files:
        return runnable(f"deleted: `modelyard jobs again {job.id}` makes them anew")
    return ", ".join(f"{name} {bytes_amount(file['size_bytes'])}" for name, file in files.items())


def _version_made(kind: str, outcome: Any) -> str:
    """Return the version that came of a training or a registration; empty where none did."""
    if kind not in _MAKERS or not isinstance(outcome, dict) or not outcome.get("number"):
        return ""
    return f"{outcome['model']}:{outcome['number']}"


def _minute(at: str | None) -> str:
    return (at or "")[:16].replace("T", " ")
