"""Which of a dataset's columns are learnt from, as the form asks for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modelyard.control.console.templatetags.console import value as written
from modelyard.trainers.schema import TIMES

MOST_BOXES = 100
"""Of a wider dataset the names are typed: Django takes no form of more fields than its bound."""


@dataclass(frozen=True, slots=True)
class ColumnLine:
    """A column, and what is known of what it holds."""

    name: str
    type: str
    summary: str
    ticked: bool


@dataclass(slots=True)
class Columns:
    """The choice of columns.

    Attributes:
        lines: with a box each; none where there are too many columns, and then `text` is one name a line.
        drops_times: times are not learnt from, so they have no box.
    """

    lines: list[ColumnLine]
    text: str = ""
    many: bool = False
    hint: str = ""
    error: str = ""


def summary_of(told: Mapping[str, Any]) -> str:
    """Say in few words what a column holds."""
    parts = []
    if told.get("distinct") is not None:
        parts.append(f"{'' if told.get('exact', True) else 'about '}{told['distinct']:,} distinct")
    elif told.get("min") is not None:
        parts.append(f"{written(told['min'])} to {written(told['max'])}")
    parts.append(f"{told['missing']:,} missing" if told["missing"] else "none missing")
    return ", ".join(parts)


def label(told: Mapping[str, Any]) -> str:
    """Return a column as an option of a select."""
    return f"{told['name']} ({told['type']}: {summary_of(told)})"


def columns_of(
    summary: Sequence[Mapping[str, Any]], target: str, ticked: set[str] | None, text: str, *, drops_times: bool
) -> Columns:
    """Return the choice; `ticked` is None where nothing was chosen yet, and all are."""
    kept = [told for told in summary if told["name"] != target]
    if len(kept) > MOST_BOXES:
        hint = "Columns not to learn from, one a line." if drops_times else "Columns that it gets, one a line."
        return Columns([], text, many=True, hint=hint)
    lines = [
        ColumnLine(told["name"], told["type"], summary_of(told), ticked is None or told["name"] in ticked)
        for told in kept
        if not (drops_times and told["type"] in TIMES)
    ]
    times = [told["name"] for told in kept if drops_times and told["type"] in TIMES]
    return Columns(lines, hint=f"Times are not learnt from: {', '.join(times)}." if times else "")


def chosen(columns: Columns, *, leaves_out: bool) -> dict[str, list[str]]:
    """Return the parameters that say so: `features` or `exclude`, whichever is shorter, or nothing where all are.

    A trainer without a way to leave columns out (`leaves_out`) is told those that it gets.
    """
    if columns.many:
        names = [name.strip() for name in columns.text.splitlines() if name.strip()]
        return {"left_out" if leaves_out else "taken": names} if names else {}
    taken = [line.name for line in columns.lines if line.ticked]
    left_out = [line.name for line in columns.lines if not line.ticked]
    if not left_out:
        return {}
    if leaves_out and (not taken or len(left_out) <= len(taken)):
        return {"left_out": left_out}
    return {"taken": taken}
