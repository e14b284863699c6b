"""What a training told of itself, made ready for a version's page."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from modelyard.control.registry.models import Version
from modelyard.control.training.trained import Confusion, Measured, Report, Score, trained

MOST_CLASSES = 12
MOST_CANDIDATES = 10
MOST_SUMMARIES = 30
SHADES = 4


@dataclass(frozen=True, slots=True)
class Cell:
    """Rows of one class that were predicted as one class; `shade` is 0 to `SHADES`, by their share of the class."""

    count: int
    shade: int
    right: bool


@dataclass(slots=True)
class TrainingSummary:
    """What is shown."""

    trainer: str
    report: Report
    whole: Any
    metrics: list[Measured]
    warnings: list[Mapping[str, Any]]
    candidates: list[Score]
    tried: int
    set_parameters: list[tuple[str, Any]]
    baseline: list[tuple[Any, Any]]
    classes: list[Any] = field(default_factory=list)
    confusion: list[tuple[Any, list[Cell]]] = field(default_factory=list)
    too_many_classes: int = 0


def summary_of(version: Version) -> TrainingSummary | None:
    """Return what is shown of a version's training; None where it was not trained here."""
    if not version.training:
        return None
    told = trained(version)
    summary = TrainingSummary(
        trainer=told.trainer,
        report=told.report,
        whole=told.whole,
        metrics=told.metrics,
        warnings=told.warnings,
        candidates=told.search[:MOST_CANDIDATES],
        tried=len(told.search),
        set_parameters=list(told.report.estimator_parameters.items()),
        baseline=_baseline(version.baseline),
    )
    if told.report.confusion is not None:
        _add_confusion(summary, told.report.confusion)
    return summary


def _baseline(told: Any) -> list[tuple[Any, Any]]:
    baseline: Mapping[str, Any] = told if isinstance(told, Mapping) else {}
    features = baseline.get("features")
    listed = list(features)[:MOST_SUMMARIES] if isinstance(features, (list, tuple)) else []
    return [(each, each) for each in (*listed, baseline.get("target"), baseline.get("predictions")) if each]


def _add_confusion(summary: TrainingSummary, told: Confusion) -> None:
    if len(told.classes) > MOST_CLASSES:
        summary.too_many_classes = len(told.classes)
        return
    summary.classes = told.classes
    for place, (name, row) in enumerate(zip(told.classes, told.counts, strict=False)):
        total = sum(row) or 1
        cells = [Cell(count, _shade(count / total), at == place) for at, count in enumerate(row)]
        summary.confusion.append((name, cells))


def _shade(share: float) -> int:
    return 0 if share <= 0 else min(SHADES, 1 + int(share * SHADES))
