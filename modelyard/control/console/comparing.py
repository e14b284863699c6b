"""The comparison of two versions as the page shows it: parts with rows, those that differ apart from the same ones."""

from dataclasses import dataclass, field
from typing import Any

from modelyard.control.console.templatetags.console import label_of, some, value
from modelyard.control.registry.models import Version
from modelyard.core.metrics import amount

FIRST_ROWS, MOST_ROWS = 12, 200
"""Of one part: what is beyond the first is folded away, what is beyond the second only the API gives."""
MOST_NAMES = 60


@dataclass(frozen=True, slots=True)
class Line:
    """A fact on both sides. `better` is the side that is better, `tone` colours the note."""

    name: str
    left: str
    right: str
    note: str = ""
    tone: str = ""
    better: str = ""
    inner: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """A heading with its rows that differ, and those that are the same. `said` is beside it, or stands in for rows."""

    title: str
    lines: list[Line] = field(default_factory=list)
    same: list[Line] = field(default_factory=list)
    said: str = ""

    @property
    def first(self) -> list[Line]:
        """Return what is shown at once; one or two rows more are not worth folding."""
        return self.lines[: FIRST_ROWS if len(self.lines) > FIRST_ROWS + 2 else FIRST_ROWS + 2]

    @property
    def folded(self) -> list[Line]:
        return self.lines[len(self.first) : MOST_ROWS]

    @property
    def hidden(self) -> int:
        return max(0, len(self.lines) - MOST_ROWS)


def parts(found: dict[str, Any]) -> list[Part]:
    """Return what the page shows, the parts that matter most first; those of which nothing is known are left out."""
    shown = [
        _part("Metrics", [_weighed(row) for row in found["metrics"]], "Neither tells any metric."),
        _part("Speed and size", [_weighed(row) for row in found["measured"]]),
        _signature(found["signature"]),
        _features(found["features"]),
        _steps(found["steps"]),
        _part("Parameters", [_row(row) for row in found["parameters"]]),
        _part("Packages", [_row(row) for row in found["packages"]]),
        _part("Data", [_row(row) for row in found["data"]], "Neither says which data it was made from."),
        _part("Manifest", [_row(row) for row in found["manifest"]]),
        _part("About", [_row(row) for row in found["about"]]),
    ]
    return [part for part in shown if part.lines or part.same or part.said]


def _part(title: str, told: list[tuple[str, Line]], said: str = "") -> Part:
    lines = [line for change, line in told if change != "same"]
    same = [line for change, line in told if change == "same"]
    return Part(title, lines, same[:MOST_ROWS], "" if told else said)


def _row(row: dict[str, Any], *, inner: bool = False, labels: bool = True) -> tuple[str, Line]:
    shown = [_text(row["name"], row[side], row["change"] != missing) for side, missing in _SIDES]
    name = row["name"] if inner or not labels or "__" in row["name"] else row["name"].replace("_", " ")
    return row["change"], Line(name, shown[0], shown[1], _note(row["change"]), inner=inner)


_SIDES = (("left", "added"), ("right", "dropped"))


def _text(name: str, given: Any, there: bool) -> str:
    if not there:
        return ""
    if name.endswith("_bytes") and isinstance(given, int):
        return amount(name, given)
    if isinstance(given, list):
        return some(given)
    return "none" if given is None else value(given)[:300]


def _note(change: str) -> str:
    return "" if change in ("same", "changed") else change


def _weighed(row: dict[str, Any]) -> tuple[str, Line]:
    name = row["name"]
    left, right = ("" if row[side] is None else amount(name, row[side]) for side in ("left", "right"))
    note, better = _note(row["change"]), ""
    if row["difference"]:
        note = f"{'+' if row['difference'] > 0 else ''}{amount(name, row['difference'])}"
        better = row["better"] or ""
    return row["change"], Line(name, left, right, note, "good" if better == "right" else "", better)


def _signature(found: dict[str, Any]) -> Part:
    if not found["known"]:
        return Part("Signature", said="It is not known of both: a version has one once it was examined.")
    lines = []
    for row in [*found["columns"], *found["outputs"]]:
        names = row["what"] or ["type"]
        left, right = (_fields(row[side], names) for side in ("left", "right"))
        note = ", ".join(row["what"]) if row["what"] else row["change"]
        breaks = row["breaks"]
        lines.append(Line(row["name"], left, right, f"{note}; breaks callers" if breaks else note, "bad" * breaks))
    if found["reordered"]:
        lines.append(Line("order", "", "", "the columns come in another order"))
    counted = [(found["same_columns"], "input"), (found["same_outputs"], "output")]
    said = " and ".join(f"{count} {what}" if count == 1 else f"{count} {what}s" for count, what in counted)
    return Part("Signature", lines, said=f"{said} are the same.")


def _fields(field: dict[str, Any] | None, names: list[str]) -> str:
    return "" if field is None else "; ".join(_seen(name, field.get(name)) for name in names)


def _seen(name: str, given: Any) -> str:
    if given is None:
        return "any"
    if name == "required":
        return "required" if given else "may be missing"
    if name == "range":
        return f"{value(given[0])} to {value(given[1])}"
    return some(given) or "one value" if isinstance(given, list) else value(given)


def _features(found: dict[str, Any]) -> Part:
    title = "Features that reach the predictor" if found["where"] == "predictor" else "Inputs as features"
    if not found["known"]:
        return Part(title, said="They are not known of both.")
    lines = []
    for change in ("dropped", "added"):
        names = some(found[change], MOST_NAMES)
        if names:
            sides = (names, "") if change == "dropped" else ("", names)
            lines.append(Line(change, *sides, f"{len(found[change])} {change}"))
    return Part(title, lines, said=f"{found['same']} are the same.")


def _steps(found: dict[str, Any]) -> Part:
    if not found["rows"]:
        return Part("Preprocessing and estimator", said="Neither tells its steps: a graph keeps none.")
    told: list[tuple[str, Line]] = []
    for row in found["rows"]:
        change, line = _row(row, labels=False)
        told.append((change, line))
        if change == "changed":
            told += [_row(each, inner=True) for each in row["parameters"]]
    if found["reordered"]:
        told.append(("changed", Line("order", "", "", "the steps come in another order")))
    said = "" if found["known"] else "The steps are not known of both."
    part = _part("Preprocessing and estimator", told)
    return Part(part.title, part.lines, part.same, said)


def usual_sides(numbers: list[int], serving: int | None, right: int | None) -> tuple[int | None, int | None]:
    """Return which two are compared when one or both were not said: what serves with the newest, or its forerunner."""
    newest = next((number for number in numbers if number != serving), None)
    chosen = right if right is not None else newest
    if chosen is None:
        return None, None
    if serving is not None and serving != chosen:
        return serving, chosen
    others = [number for number in numbers if number != chosen]
    before = next((number for number in others if number < chosen), None)
    return before if before is not None else next(iter(others), None), chosen


def title_of(version: Version, serving: int | None) -> str:
    """Return how a version is called in the lists to choose from."""
    said = ["serving"] if version.number == serving else []
    said += [f"@{alias.name}" for alias in version.aliases.all()]
    said += [label_of(version.state).lower()] if version.state != "ready" else []
    return f"Version {version.number}" + (f" ({', '.join(said)})" if said else "")
