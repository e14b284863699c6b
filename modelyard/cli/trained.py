"""`modelyard training`: what a version's training told."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from modelyard.cli.connection import connected
from modelyard.cli.options import Json, Ref, Url
from modelyard.cli.output import curl, print_json, print_table
from modelyard.core.reference import parse_reference

if TYPE_CHECKING:
    from modelyard.client.records import MeasuredMetric, Trained

MOST_CLASSES = 12
MOST_CANDIDATES = 10


def training(version: Ref, url: Url = None, json: Json = False) -> None:
    """Show what a version's training told: warnings, metrics beside the baseline, confusion matrix, search."""
    with connected(url) as yard:
        told = yard.client.training(version)
        named = parse_reference(told.version)
        same = curl("GET", yard.api(f"models/{named.model}/versions/{named.version}/training/"))
    if json:
        print_json(told)
        return
    for line in _lines(told):
        print(line)
    _show_metrics(told.metrics)
    _show_confusion(told.confusion)
    _show_search(told.search)
    print(f"  curl     {same}")


def _lines(told: "Trained") -> Iterator[str]:
    what = f"{told.estimator}, a {told.task} of {told.target}" if told.estimator else "what its trainer told"
    yield f"{told.version}: {what} (trainer {told.trainer})"
    if told.rows:
        rows = told.rows
        yield f"  rows     {rows['trained']:,} learnt from, {rows['held_out']:,} held out{_of(rows)}"
    if told.refit:
        yield f"  refit    {told.refit}"
    for warning in (*map(str, told.warnings), told.no_better):
        if warning:
            yield f"  warning  {warning}"


def _of(rows: dict[str, Any]) -> str:
    """Return of how many they are, where the dataset has more."""
    total, used = rows.get("dataset"), rows.get("used")
    if total is None or used is None or total == used:
        return ""
    return f"; {used:,} of {total:,} used" + (", drawn by the seed" if rows.get("drawn") else "")


def _show_metrics(measured: "Sequence[MeasuredMetric]") -> None:
    by_folds = any(one.folds for one in measured)
    columns = ["metric", "held out", "baseline", *["by k-fold"] * by_folds, ""]
    print_table("Metrics", columns, [_cells(one, by_folds) for one in measured], empty="no metrics were told")


def _cells(one: "MeasuredMetric", by_folds: bool) -> list[str]:
    usual = "" if one.baseline is None else f"{one.baseline:.6g}"
    folds = f"{one.folds['mean']:.6g} ± {one.folds['std']:.2g}" if one.folds else ""
    return [one.name, f"{one.value:.6g}", usual, *[folds] * by_folds, "no better" if one.no_better else ""]


def _show_confusion(told: dict[str, Any] | None) -> None:
    if told is None:
        return
    classes = [str(name) for name in told["classes"]]
    if len(classes) > MOST_CLASSES:
        print(f"  the confusion matrix of {len(classes)} classes is in --json")
        return
    rows = [[name, *counts] for name, counts in zip(classes, told["counts"], strict=False)]
    print_table("Confusion matrix", ["true, predicted", *classes], rows, empty="")


def _show_search(found: list[dict[str, Any]]) -> None:
    if not found:
        return
    rows = [[_value(one), _given(one["parameters"])] for one in found[:MOST_CANDIDATES]]
    print_table("Search", [found[0]["metric"], "parameters"], rows, empty="")
    if len(found) > MOST_CANDIDATES:
        print(f"  the best {MOST_CANDIDATES} of {len(found)} candidates; --json has all")


def _value(one: dict[str, Any]) -> str:
    return f"failed: {one['failure']}" if one["value"] is None else f"{one['value']:.6g}"


def _given(parameters: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in parameters.items())
