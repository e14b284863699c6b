"""The verbs that tell which version is the better one: select and compare."""

import json as json_format
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modelyard.cli import usage
from modelyard.cli.connection import connected
from modelyard.cli.options import Despite, Json, ModelName, Reason, Url
from modelyard.cli.output import Done, curl, print_json, print_table
from modelyard.core.metrics import Direction, amount
from modelyard.core.reference import VERSION, Reference, parse_reference

if TYPE_CHECKING:
    from modelyard.client import Comparison, Selection

PARTS = ("parameters", "packages", "data", "manifest", "about")
OPTIONS = {
    "metric": "--metric", "direction": "--direction", "constraints": "--constraint", "alias": "--alias",
    "activate": "--activate", "pool_aliases": "--among", "pool_from": "--from", "pool_to": "--to",
    "pool_since": "--since", "expect": "--expect", "reason": "--reason",
}  # fmt: skip
"""Fields of a `select` to the options that say them."""
SHOWN_FEATURES, SHOWN_ROWS = 10, 20


def select(
    model: ModelName,
    metric: Annotated[
        str,
        typer.Option(
            "--metric",
            "-m",
            help="What to choose by, else the charter's; also p95_seconds, size_bytes.",
            show_default=False,
        ),
    ] = "",
    direction: Annotated[
        str, typer.Option(help="maximize or minimize; known of well-known metrics.", show_default=False)
    ] = "",
    constraint: Annotated[
        list[str] | None,
        typer.Option(
            "--constraint",
            "-c",
            help="As 'p95_seconds<=5ms'; may be repeated.",
            show_default=False,
            callback=usage.constraints,
        ),
    ] = None,
    alias: Annotated[
        str, typer.Option(help="Let this alias name the winner.", show_default=False, callback=usage.new_alias)
    ] = "",
    activate: Annotated[bool, typer.Option("--activate", help="Let the winner answer all requests.")] = False,
    among: Annotated[
        list[str] | None, typer.Option(help="Only what this alias names; may be repeated.", show_default=False)
    ] = None,
    first: Annotated[int | None, typer.Option("--from", help="Only from this number on.", show_default=False)] = None,
    last: Annotated[int | None, typer.Option("--to", help="Only up to this number.", show_default=False)] = None,
    since: Annotated[
        str | None, typer.Option(help="Only what was pushed since, as 2026-11-20T14:00:00Z.", show_default=False)
    ] = None,
    expect: Annotated[
        int | None, typer.Option(help="Refuse when another version wins than this one.", show_default=False)
    ] = None,
    reason: Reason = "",
    despite_consumers: Despite = False,
    url: Url = None,
    json: Json = False,
) -> None:
    """Choose the best version by a metric within constraints. Without --alias or --activate it is only told."""
    if direction:
        usage.choice("--direction", direction, Direction)
    given: dict[str, Any] = {
        "metric": metric, "direction": direction, "constraints": constraint or [], "alias": alias, "activate": activate,
        "pool_aliases": among or [], "pool_from": first, "pool_to": last, "expect": expect, "reason": reason,
        "pool_since": usage.moment("--since", since) if since else None,
        "despite_consumers": despite_consumers,
    }  # fmt: skip
    with connected(url) as yard:
        from modelyard.client.choosing import wish

        with usage.in_options(OPTIONS):
            chosen = yard.client.select(model, **given)
        if not json:
            _show_choice(chosen, chosen.metric + ", which the charter names" * (not metric))
        path = yard.api(f"models/{model}/select")
        Done(
            _outcome(chosen),
            result=chosen,
            console=yard.console(model, chosen.winner.number),
            curl=curl("POST", path, json_body=wish(**given)),
            undo=_undo(model, alias, chosen.undo),
            more={} if alias or activate else {"next": f"modelyard promote {chosen.winner.reference}"},
        ).show(json)


def _outcome(chosen: "Selection") -> str:
    winner, model = chosen.winner.reference, chosen.model
    if chosen.alias:
        said = "is" if chosen.changed else "was already"
        return f"{model}@{chosen.alias} {said} {winner}"
    if chosen.activate:
        return f"{winner} answers for {model}" + ("" if chosen.changed else "; it was so already")
    return f"{winner} would win; nothing was changed"


def _undo(model: str, alias: str, call: dict[str, Any] | None) -> str | None:
    """Return the command that is the server's call to take the change back."""
    if call is None:
        return None
    body = call.get("body") or {}
    number, told = body.get("version"), " --despite-consumers" if body.get("despite_consumers") else ""
    if call["verb"] == "alias":
        back = f"modelyard aliases {'set' if number else 'remove'} {model} {alias}" + (f" {number}" if number else "")
        return back + told
    return f"modelyard {call['verb']} {model}" + (f":{number}" if number else "") + told


def _show_choice(chosen: "Selection", by: str) -> None:
    """Print the winner, and why each of the others lost."""
    rows = [(chosen.winner.reference, amount(chosen.metric, chosen.winner.value), f"the best; {chosen.direction}d")]
    rows += [
        (f"{chosen.model}:{loser.number}", _value(chosen.metric, loser.value), loser.reason) for loser in chosen.losers
    ]
    within = f" within {', '.join(chosen.constraints)}" if chosen.constraints else ""
    print_table(f"{chosen.model} by {by}{within}", ["version", chosen.metric, "why"], rows, empty="")


def compare(
    left: Annotated[
        str,
        typer.Argument(
            help="A version, as iris:1; or iris, for what serves.", show_default=False, callback=usage.reference
        ),
    ],
    right: Annotated[
        str,
        typer.Argument(
            help="Another, as iris:2, iris@candidate, or just 2 or candidate.",
            show_default=False,
            callback=usage.reference,
        ),
    ],
    everything: Annotated[bool, typer.Option("--all", help="Show what is the same, too.")] = False,
    url: Url = None,
    json: Json = False,
) -> None:
    """Put two versions of a model beside one another: what is better, what was added, dropped or changed."""
    one = parse_reference(left)
    other = Reference(one.model, version=int(right)) if VERSION.match(right) else parse_reference(right)
    if str(other) == other.model != one.model:
        other = Reference(one.model, alias=right)
    if other.model != one.model:
        raise usage.NotUnderstood(f"{left} and {right} are of different models: expected two versions of one")
    with connected(url) as yard:
        from modelyard.client.choosing import side

        found = yard.client.compare(one.model, side(one.model, one), side(one.model, other))
    if json:
        print_json(found)
        return
    if found.same:
        print(
            f"{found.left['reference']} and {found.right['reference']} do not differ in anything that is known of them"
        )
    _show_comparison(found, everything)


def _show_comparison(found: "Comparison", everything: bool) -> None:
    rows: list[tuple[str, ...]] = []
    for part in ("metrics", "measured"):
        for row in getattr(found, part):
            if everything or row["change"] != "same":
                better = "" if row["better"] in (None, "same") else f"{row['better']} is better"
                gap = "" if row["difference"] is None else _gap(row["name"], row["difference"])
                note = ", ".join(text for text in (gap, better) if text)
                rows.append((part, row["name"], *(_value(row["name"], row[side]) for side in ("left", "right")), note))
    rows += _field_rows(found)
    rows += _feature_rows(found)
    for step in found.steps["rows"]:
        if everything or step["change"] != "same":
            rows.append(("steps", step["name"], _text(step["left"]), _text(step["right"]), step["change"]))
            inner = step["parameters"] if step["change"] == "changed" else []
            rows += [("", f"  {row['name']}", _text(row["left"]), _text(row["right"]), row["change"]) for row in inner]
    for part in PARTS:
        told = [row for row in getattr(found, part) if everything or row["change"] != "same"]
        rows += [(part, row["name"], _text(row["left"]), _text(row["right"]), row["change"]) for row in told]
    titles = ["", "", found.left["reference"], found.right["reference"], ""]
    if rows:
        shown = _once(rows if everything else _cut(rows))
        print_table(f"{found.left['reference']} and {found.right['reference']}", titles, shown, empty="")


def _cut(rows: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Keep the first rows of a long part, and say how many are left out."""
    counts = Counter(row[0] for row in rows)
    kept: list[tuple[str, ...]] = []
    seen: Counter[str] = Counter()
    for row in rows:
        seen[row[0]] += 1
        if seen[row[0]] <= SHOWN_ROWS or not row[0]:
            kept.append(row)
        elif seen[row[0]] == SHOWN_ROWS + 1:
            kept.append((row[0], f"and {counts[row[0]] - SHOWN_ROWS} more", "", "", "--all shows them"))
    return kept


def _once(rows: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Name each part in its first row alone."""
    shown, before = [], ""
    for part, *rest in rows:
        shown.append((part if part != before else "", *rest))
        before = part or before
    return shown


def _field_rows(found: "Comparison") -> list[tuple[str, ...]]:
    rows = []
    for kind in ("columns", "outputs"):
        for row in found.signature[kind]:
            what = ", ".join(row["what"]) or row["change"]
            breaks = "; breaks callers" if row.get("breaks") else ""
            names = row["what"] or ["type"]
            cells = [_field(row[side], names) for side in ("left", "right")]
            rows.append(("signature", row["name"], *cells, what + breaks))
    if found.signature["reordered"]:
        rows.append(("signature", "", "", "", "the columns are in another order"))
    return rows


def _field(field: dict[str, Any] | None, names: list[str]) -> str:
    return "" if field is None else ", ".join(_text(field.get(name)) for name in names)


def _feature_rows(found: "Comparison") -> list[tuple[str, ...]]:
    told = found.features
    rows = []
    for change, column in (("dropped", 0), ("added", 1)):
        names = told[change]
        rest = f" and {len(names) - SHOWN_FEATURES} more" if len(names) > SHOWN_FEATURES else ""
        cells = ["", ""]
        cells[column] = ", ".join(names[:SHOWN_FEATURES]) + rest
        if names:
            rows.append(("features", "", *cells, f"{len(names)} {change}"))
    return rows


def _gap(metric: str, difference: float) -> str:
    return ("+" if difference > 0 else "") + amount(metric, difference)


def _value(metric: str, value: float | None) -> str:
    return "" if value is None else amount(metric, value)


def _text(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json_format.dumps(value, ensure_ascii=False)
    return text if len(text) <= 100 else f"{text[:97]}..."
