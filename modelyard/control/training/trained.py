"""What a version's training told of itself, read. Others' trainers may report anything or nothing."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec

from modelyard.control.registry.models import Version
from modelyard.core.errors import NotFound
from modelyard.core.metrics import direction_of


class Rows(msgspec.Struct):
    """How many rows the `dataset` has, how many were `used`, and whether these were `drawn` of more."""

    dataset: int | None = None
    used: int | None = None
    drawn: bool = False
    trained: int = 0
    held_out: int = 0


class Folds(msgspec.Struct):
    mean: float
    std: float


class Confusion(msgspec.Struct):
    """`counts[i][j]`: rows of class i that were predicted as class j."""

    classes: list[Any]
    counts: list[list[int]]


class Score(msgspec.Struct):
    """What a search tried."""

    parameters: dict[str, Any]
    metric: str
    value: float | None = None
    failure: str | None = None


class Report(msgspec.Struct):
    """What is shown of a trainer's report, in the words of the built-in one. What is told otherwise is left out."""

    estimator: str = ""
    task: str = ""
    target: str = ""
    refit: str = ""
    features: list[Any] = []
    rows: Rows | None = None
    baseline: dict[str, float] = {}
    folds: dict[str, Folds] = {}
    confusion: Confusion | None = None
    search: list[Score] = []
    estimator_parameters: dict[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Measured:
    """A metric on the rows held out, `folds` by k-fold; `usual` is what always saying the commonest class, or the mean,
    reached."""

    name: str
    value: float
    usual: float | None = None
    folds: Folds | None = None
    no_better: bool = False


@dataclass(frozen=True, slots=True)
class Trained:
    """A version's training; `search` has the best candidate first, and `whole` is the report as the trainer gave it."""

    version: str
    trainer: str
    report: Report
    whole: Any
    metrics: list[Measured]
    warnings: list[Mapping[str, Any]]
    search: list[Score]


def trained(version: Version) -> Trained:
    """Return what the version's training told.

    Raises:
        NotFound: when it was not trained here.
    """
    told = version.training
    if not told:
        raise NotFound(f"{version} was pushed, not trained here: there is no training to tell of", what="training")
    report = _read(told.get("report"))
    return Trained(
        version=str(version),
        trainer=str(told.get("trainer", "")),
        report=report,
        whole=told.get("report"),
        metrics=_metrics(version.metrics, report),
        warnings=[each for each in _list(told.get("warnings")) if isinstance(each, Mapping)],
        search=_ordered(report.search),
    )


def _read(told: Any) -> Report:
    known: dict[str, Any] = {}
    for each in msgspec.structs.fields(Report):
        if isinstance(told, Mapping) and each.name in told:
            with suppress(msgspec.ValidationError):
                known[each.name] = msgspec.convert(told[each.name], each.type)
    return Report(**known)


def _metrics(metrics: Mapping[str, float], report: Report) -> list[Measured]:
    lines = []
    for name, value in sorted(metrics.items()):
        other, direction = report.baseline.get(name), direction_of(name)
        no_better = other is not None and direction is not None and not direction.better(value, other)
        lines.append(Measured(name, value, other, report.folds.get(name), no_better))
    return lines


def _ordered(scores: list[Score]) -> list[Score]:
    """Return the best first, and at the end what could not be measured."""
    direction = direction_of(scores[0].metric) if scores else None
    up = direction is None or direction.better(1.0, 0.0)
    measured = [(one.value, one) for one in scores if one.value is not None]
    measured.sort(key=lambda pair: -pair[0] if up else pair[0])
    return [*(one for _, one in measured), *(one for one in scores if one.value is None)]


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else []
