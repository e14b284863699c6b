"""Two versions of a model beside one another: what each says of itself, and in what they differ.

Every part is a list of rows `{"name", "change", "left", "right"}`. `change` is `same`, `changed`, `added` (only the
right one has it) or `dropped` (only the left one); null on a side that has it not, or does not know.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from modelyard.control.registry.models import Version
from modelyard.core.metrics import MEASURED, direction_of
from modelyard.core.signature import Column, Output, Signature

Row = dict[str, Any]
_NOTHING: Any = object()

PARTS = ("signature", "features", "steps", "parameters", "metrics", "measured", "packages", "data", "manifest", "about")
MANIFEST = ("code", "seed", "python", "platform", "time_zone", "locale", "region")
"""Fields of a manifest that are one value; packages, parameters and the data digest are parts of their own."""


def compare(left: Version, right: Version) -> dict[str, Any]:
    """Return all parts of `PARTS`, and under `differences` how many rows of each differ; no query but for files.

    `left` is meant as the older one: `added` is what the right one has more.
    """
    parts: dict[str, Any] = {
        "signature": _signature(left, right),
        "features": _features(left, right),
        "steps": _steps(left, right),
        "parameters": rows(left.manifest.get("parameters") or {}, right.manifest.get("parameters") or {}),
        "metrics": [_weighed(row) for row in rows(left.metrics, right.metrics)],
        "measured": [_weighed(row) for row in rows(_measured(left), _measured(right))],
        "packages": rows(left.manifest.get("packages") or {}, right.manifest.get("packages") or {}),
        "data": rows(_data(left), _data(right)),
        "manifest": rows(_given(left, MANIFEST), _given(right, MANIFEST)),
        "about": rows(_about(left), _about(right)),
    }
    counts = {name: _differing(parts[name]) for name in PARTS}
    return {
        "model": left.model.name,
        "left": _side(left),
        "right": _side(right),
        "differences": counts,
        "same": not any(counts.values()),
        **parts,
    }


def breaking(left: Version, right: Version) -> tuple[list[str], list[str]]:
    """Return the columns by which whoever asks as the left one wants to be asked is refused by the right one, and the
    outputs that whoever reads the left one's answers does not find so in the right one's."""
    found = _signature(left, right)
    columns, outputs = ([row["name"] for row in found[kind] if row["breaks"]] for kind in ("columns", "outputs"))
    return columns, outputs


def rows(left: Mapping[str, Any], right: Mapping[str, Any]) -> list[Row]:
    """Return a row for each name of the two, in the left one's order; what only the right one has comes where it is."""
    return [
        {"name": name, **_pair(left.get(name, _NOTHING), right.get(name, _NOTHING))}
        for name in _merged(list(left), list(right))
    ]


def _pair(left: Any, right: Any) -> Row:
    if left is _NOTHING:
        return {"change": "added", "left": None, "right": right}
    if right is _NOTHING:
        return {"change": "dropped", "left": left, "right": None}
    same = left == right and isinstance(left, bool) == isinstance(right, bool)
    return {"change": "same" if same else "changed", "left": left, "right": right}


def _merged(left: Sequence[str], right: Sequence[str]) -> list[str]:
    """Return the names of the left one, and after each those that follow it in the right one alone."""
    known = set(left)
    following: dict[str | None, list[str]] = {}
    before = None
    for name in right:
        if name in known:
            before = name
        else:
            following.setdefault(before, []).append(name)
    merged = following.get(None, [])
    return merged + [each for name in left for each in (name, *following.get(name, []))]


def _signature(left: Version, right: Version) -> dict[str, Any]:
    """Return the columns and outputs that differ, and how many do not. `breaks`: who asked the left one as it wanted
    to be asked is refused by the right one, or finds in its answers not what the left one's had."""
    if not left.signature or not right.signature:
        return {"known": False, "columns": [], "outputs": [], "same_columns": 0, "same_outputs": 0, "reordered": False}
    one, other = (msgspec.convert(side.signature, Signature) for side in (left, right))
    columns, outputs = _fields(one.columns, other.columns), _fields(one.outputs, other.outputs)
    differing = [{**row, "breaks": _breaks(row)} for row in columns if row["change"] != "same"]
    return {
        "known": True,
        "columns": differing,
        "outputs": [{**row, "breaks": row["change"] != "added"} for row in outputs if row["change"] != "same"],
        "same_columns": len(columns) - len(differing),
        "same_outputs": sum(row["change"] == "same" for row in outputs),
        "reordered": _reordered(one.names, other.names),
    }


def _fields(left: Sequence[Column | Output], right: Sequence[Column | Output]) -> list[Row]:
    sides = [{each.name: _field(each) for each in side} for side in (left, right)]
    told = rows(*sides)
    for row in told:
        before, after = row["left"] or {}, row["right"] or {}
        row["what"] = [name for name in before if name in after and before[name] != after[name]]
    return told


def _field(field: Column | Output) -> dict[str, Any]:
    shown: dict[str, Any] = {"type": str(field.type), "shape": list(field.shape)}
    if isinstance(field, Output):
        return {**shown, "role": str(field.role), "classes": list(field.classes) if field.classes else None}
    seen = None if field.minimum is None else [field.minimum, field.maximum]
    categories = list(field.categories) if field.categories else None
    return {**shown, "required": not field.optional, "categories": categories, "range": seen}


def _breaks(row: Row) -> bool:
    if row["change"] == "added":
        return bool(row["right"]["required"])
    if row["change"] == "dropped":
        return True
    return bool({"type", "shape"} & set(row["what"])) or (row["right"]["required"] and not row["left"]["required"])


def _features(left: Version, right: Version) -> dict[str, Any]:
    """Return which features one has and the other has not: those that reach the predictor, else the inputs."""
    reached = [(side.report or {}).get("features") for side in (left, right)]
    where = "predictor"
    if None in reached:
        where = "inputs"
        reached = [[column["name"] for column in (side.signature or {}).get("columns", [])] for side in (left, right)]
    one, other = (dict.fromkeys(names or []) for names in reached)
    return {
        "known": bool(one and other),
        "where": where,
        "added": [name for name in other if name not in one] if one else [],
        "dropped": [name for name in one if name not in other] if other else [],
        "same": sum(name in other for name in one),
    }


def _steps(left: Version, right: Version) -> dict[str, Any]:
    """Return each step with its class on both sides, and the parameters that differ."""
    sides = [{step["name"]: step for step in _outline(side)} for side in (left, right)]
    told = []
    for name in _merged(*(list(side) for side in sides)):
        before, after = (side.get(name) for side in sides)
        row = {"name": name, **_pair(*(each["class"] if each else _NOTHING for each in (before, after)))}
        both = [each["parameters"] if each else {} for each in (before, after)]
        row["parameters"] = [each for each in rows(*both) if each["change"] != "same"]
        if row["change"] == "same" and row["parameters"]:
            row["change"] = "changed"
        told.append(row)
    return {"known": all(sides), "rows": told, "reordered": _reordered(*(list(side) for side in sides))}


def _outline(version: Version) -> list[dict[str, Any]]:
    """Return the steps; of versions that were examined before parameters were kept, their classes alone."""
    report = version.report or {}
    if "outline" in report:
        return list(report["outline"])
    return [{"name": kind.lower(), "class": kind, "parameters": {}} for kind in report.get("steps", [])]


def _reordered(left: Sequence[str], right: Sequence[str]) -> bool:
    one, other = set(left), set(right)
    return [name for name in left if name in other] != [name for name in right if name in one]


def _measured(version: Version) -> dict[str, Any]:
    return {name: value for name, value in version.values.items() if name in MEASURED}


def _weighed(row: Row) -> Row:
    """Add by how much the right one is more, and which is better where the metric is well known."""
    left, right = row["left"], row["right"]
    direction = direction_of(row["name"])
    row["direction"] = direction and str(direction)
    row["difference"] = None if left is None or right is None else right - left
    row["better"] = None
    if row["difference"] == 0:
        row["better"] = "same"
    elif direction and row["difference"] is not None:
        row["better"] = "right" if direction.better(right, left) else "left"
    return row


def _given(version: Version, names: Sequence[str]) -> dict[str, Any]:
    return {name: version.manifest[name] for name in names if version.manifest.get(name) not in (None, "")}


def _data(version: Version) -> dict[str, Any]:
    named = {"dataset": str(version.dataset)} if version.dataset else {}
    return {**named, **_given(version, ("data_digest",))}


def _about(version: Version) -> dict[str, Any]:
    pushed = [file for file in version.files.all() if file.role == "model"]
    return {
        "format": version.format or None,
        "runtime": version.runtime or None,
        "isolated": version.isolated if version.runtime else None,
        "estimator": (version.report or {}).get("estimator"),
        "digest": version.serving.digest if version.serving else None,
        "pushed_bytes": sum(file.artifact.size_bytes for file in pushed) if pushed else None,
        "description": version.description or None,
    }


def _side(version: Version) -> dict[str, Any]:
    return {
        "number": version.number,
        "reference": str(version),
        "state": str(version.state),
        "created_by": version.created_by,
        "created_at": version.created_at.isoformat(),
        "aliases": [alias.name for alias in version.aliases.all()],
        "measured": version.measured,
    }


def _differing(part: Any) -> int:
    if isinstance(part, list):
        return sum(row["change"] != "same" for row in part)
    if "rows" in part:
        return _differing(part["rows"]) + int(part["reordered"])
    if "columns" in part:
        return len(part["columns"]) + len(part["outputs"]) + int(part["reordered"])
    return len(part["added"]) + len(part["dropped"])
