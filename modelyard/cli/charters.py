"""`modelyard charter`: why a model exists and how it is looked after."""

import json as jsons
import shlex
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from modelyard.cli.connection import Connection, connected
from modelyard.cli.options import Json, ModelName, Reason, Url
from modelyard.cli.output import Done, curl, print_json, print_table
from modelyard.cli.usage import NotUnderstood
from modelyard.core.charter import Charter, Threshold
from modelyard.core.errors import InvalidInput

if TYPE_CHECKING:
    from modelyard.client.records import CharterInForce

app = typer.Typer(help="Show and write a model's charter.", no_args_is_help=True)
LABELS = {
    "problem": "problem",
    "objective": "objective",
    "metric": "metric",
    "may_change": "may change",
    "not_for": "not for",
    "next_review": "next review",
}


@app.command()
def show(model: ModelName, url: Url = None, json: Json = False) -> None:
    """Show the charter in force."""
    with connected(url) as yard:
        found = yard.client.charter(model)
    if json:
        print_json(found)
        return
    who = f", number {found.number}, by {found.actor}" if found.number else ": none was written yet"
    print(f"The charter of {model}{who}")
    for label, text in _lines(found.charter):
        print(f"  {label:12} {text}")


@app.command()
def write(
    model: ModelName,
    file: Annotated[
        Path | None, typer.Option("--file", help="All of it, as JSON; - is standard input.", show_default=False)
    ] = None,
    problem: Annotated[str | None, typer.Option(help="What is predicted, for whom, why.", show_default=False)] = None,
    objective: Annotated[str | None, typer.Option(help="What is to be reached, by when.", show_default=False)] = None,
    metric: Annotated[str | None, typer.Option(help="By which versions are compared.", show_default=False)] = None,
    threshold: Annotated[
        list[str] | None,
        typer.Option(help="As 'accuracy>=0.9'; may be repeated, and replaces those there are.", show_default=False),
    ] = None,
    may_change: Annotated[str | None, typer.Option(help="Without a new agreement.", show_default=False)] = None,
    not_for: Annotated[str | None, typer.Option(help="When it must not be used.", show_default=False)] = None,
    told: Annotated[list[str] | None, typer.Option(help="Who is told; may be repeated.", show_default=False)] = None,
    next_review: Annotated[str | None, typer.Option(help="As 2027-03-01.", show_default=False)] = None,
    reason: Reason = "",
    url: Url = None,
    json: Json = False,
) -> None:
    """Agree on another charter: from a file whole, or some fields of the one in force."""
    given: dict[str, Any] = {
        "problem": problem, "objective": objective, "metric": metric, "may_change": may_change, "not_for": not_for,
        "told": told, "next_review": next_review,
        "thresholds": [msgspec.to_builtins(_threshold(text)) for text in threshold] if threshold is not None else None,
    }  # fmt: skip
    changes = {name: value for name, value in given.items() if value is not None}
    if (file is None) == (not changes):
        raise NotUnderstood(
            "expected either --file, or some of the fields: `modelyard charter write --help` lists them"
        )
    if next_review is not None:
        _day("--next-review", next_review)
    whole = _read(file) if file is not None else None
    with connected(url) as yard:
        before = yard.client.charter(model)
        now = yard.client.write_charter(model, whole, reason=reason, **changes)
        _written(yard, before, now, reason, json)


@app.command()
def history(model: ModelName, url: Url = None, json: Json = False) -> None:
    """List every charter that the model had, the newest first."""
    with connected(url) as yard:
        found = yard.client.charter_history(model)
    if json:
        print_json(found)
        return
    rows = [[each.number, (each.at or "")[:16].replace("T", " "), each.actor, each.reason] for each in found]
    print_table(f"Charters of {model}", ["number", "when", "who", "why"], rows, empty="none was written yet")


def _written(yard: Connection, before: "CharterInForce", now: "CharterInForce", reason: str, json: bool) -> None:
    changed = now.number != before.number
    body = {"charter": msgspec.to_builtins(now.charter), "reason": reason}
    old = jsons.dumps(msgspec.to_builtins(before.charter), ensure_ascii=False)
    Done(
        f"charter {now.number} of {now.model} is in force" + ("" if changed else "; it was so already"),
        result=now,
        console=f"{yard.console(now.model)}charter/",
        curl=curl("PUT", yard.api(f"models/{now.model}/charter"), json_body=body),
        undo=f"echo {shlex.quote(old)} | modelyard charter write {now.model} --file -" if changed else None,
        more={"note": "; ".join(now.notes)},
    ).show(json)


def _read(file: Path) -> Charter:
    named = "standard input" if str(file) == "-" else str(file)
    if str(file) != "-" and not file.is_file():
        raise InvalidInput(f"there is no file {file}: expected a charter as JSON, or - for standard input")
    text = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    try:
        return msgspec.json.decode(text, type=Charter)
    except msgspec.DecodeError as error:
        fields = ", ".join(Charter.__struct_fields__)
        raise InvalidInput(f"{named} is no charter: {error}; expected a JSON object with some of {fields}") from None


def _day(option: str, text: str) -> None:
    try:
        date.fromisoformat(text)
    except ValueError:
        raise NotUnderstood(f"{option} {text!r}: expected a day, as 2027-03-01") from None


def _threshold(text: str) -> Threshold:
    for sign, field in ((">=", "at_least"), ("<=", "at_most")):
        metric, found, number = text.partition(sign)
        if found:
            try:
                return Threshold(metric=metric.strip(), **{field: float(number)})
            except ValueError:
                break
    raise NotUnderstood(f"--threshold {text!r}: expected a metric, >= or <=, and a number, as in 'accuracy>=0.9'")


def _lines(charter: Charter) -> list[tuple[str, str]]:
    lines = [(label, str(getattr(charter, name) or "-")) for name, label in LABELS.items()]
    for each in charter.thresholds:
        bounds = [f">= {each.at_least:g}"] if each.at_least is not None else []
        bounds += [f"<= {each.at_most:g}"] if each.at_most is not None else []
        lines.append(("threshold", f"{each.metric} {' and '.join(bounds)}"))
    return [*lines, ("told", ", ".join(charter.told) or "-")]
