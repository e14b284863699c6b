"""A training from the dataset's file to the files of the model."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from modelyard.core.errors import InvalidInput
from modelyard.core.wording import one_line
from modelyard.trainers.describing import summarised
from modelyard.trainers.leaving import leave_pipeline, leave_report, leave_sample
from modelyard.trainers.quiet import quiet, remarks_of
from modelyard.trainers.size import check_size
from modelyard.trainers.surroundings import surroundings
from modelyard.trainers.tabular import measuring, searching
from modelyard.trainers.tabular.estimators import Task
from modelyard.trainers.tabular.features import signature
from modelyard.trainers.tabular.leakage import imbalance, leaks
from modelyard.trainers.tabular.material import Material, prepare
from modelyard.trainers.tabular.parameters import TabularParameters
from modelyard.trainers.trainer import Baseline, Fitted, Remark, Report

NAME = "tabular"
SMALLER = ("n_estimators", "max_depth", "max_leaf_nodes", "min_samples_leaf")
"""Parameters that make a model of trees smaller, where an estimator has them."""


def fit(
    dataset: Path,
    parameters: TabularParameters,
    report: Report,
    out: Path,
    scores: Sequence[searching.Score] | None = None,
) -> Fitted:
    """Search where asked for, measure on the hold-out, fit at last, and leave the files.

    `scores` are those of all candidates where they were measured before, by the parts of a search.

    Raises:
        InvalidInput: the rows, or scikit-learn itself, refuse the parameters.
        TooLarge: the model is larger than it may be.
    """
    with quiet() as caught:
        report(0.0, "reading")
        material = prepare(dataset, parameters)
        report(0.05, f"{len(material.truth):,} rows, {len(material.features):,} features")
        found = list(scores) if scores is not None else _searched(material, report)
        winner = searching.best(found).parameters if found else {}
        measured, metrics = _measured(material, winner, report)
        check_size(measured, _smaller(material))
        folds = _by_folds(material, winner, report)
        report(0.85, "looking for what flatters the metrics", **metrics)
        remarks = [*material.remarks, *_remarks(material)]
        report(0.9, "fitting with all rows" if parameters.refit == "all" else "keeping what was measured", **metrics)
        final = _fitted(material, winner, None) if parameters.refit == "all" else measured
        check_size(final, _smaller(material))
        predicted = measured.predict(material.frame.iloc[material.test])
        truth = material.truth[material.test]
        baseline = measuring.baseline(truth, material.task, material.truth[material.train])
    remarks += remarks_of(caught)
    file = leave_pipeline(final, out)
    sample = leave_sample(material.arrow, material.test, out)
    told = {
        **_told(material, winner),
        "metrics": metrics,
        "folds": folds,
        "baseline": baseline,
        "confusion": measuring.confusion(truth, predicted, measured.classes_)
        if material.task is Task.CLASSIFICATION
        else None,
        "search": [msgspec.to_builtins(score) for score in found],
        "warnings": msgspec.to_builtins(remarks),
        **surroundings(),
    }
    leave_report(told, out)
    report(1.0, "trained", **metrics)
    columns = signature(material.frame, material.features)
    return Fitted((file,), metrics, tuple(remarks), columns, sample, _baseline(material, predicted), told)


def _searched(material: Material, report: Report) -> list[searching.Score]:
    if material.parameters.search is None:
        return []
    chosen = searching.candidates(material.parameters)
    return list(searching.scores(material, chosen, _part(report, 0.05, 0.65)))


def _part(report: Report, begin: float, end: float) -> Report:
    """Return a report of which 0 to 1 is `begin` to `end` of the whole."""

    def told(fraction: float, message: str, **metrics: float) -> None:
        report(begin + (end - begin) * fraction, message, **metrics)

    return told


def _fitted(material: Material, given: dict[str, Any], rows: np.ndarray | None) -> Any:
    """Return the pipeline fitted on these rows; None: on all."""
    estimator = material.unfitted(given)
    with _refusals(material):
        if rows is None:
            return estimator.fit(material.frame, material.truth)
        return estimator.fit(material.frame.iloc[rows], material.truth[rows])


@contextmanager
def _refusals(material: Material) -> Iterator[None]:
    try:
        yield
    except (ValueError, ArithmeticError) as error:
        said = one_line(error, 400)
        raise InvalidInput.at("parameters.parameters", f"`{material.estimator.name}` refuses: {said}") from error


def _measured(material: Material, given: dict[str, Any], report: Report) -> tuple[Any, dict[str, float]]:
    report(0.65, f"fitting on {len(material.train):,} rows")
    estimator = _fitted(material, given, material.train)
    with _refusals(material):
        held = material.frame.iloc[material.test]
        metrics = measuring.measured(estimator, held, material.truth[material.test], material.task)
    report(0.75, f"measured on {len(material.test):,} rows held out", **metrics)
    return estimator, metrics


def _smaller(material: Material) -> str:
    """Return in words what makes the model smaller."""
    known = {one.name for one in material.estimator.parameters}
    names = [f"`{name}`" for name in SMALLER if name in known]
    if not names:
        return "learn from fewer rows (`max_rows`), or with another estimator"
    return f"bound the trees of `{material.estimator.name}` by its parameters {', '.join(names)}"


def _by_folds(material: Material, given: dict[str, Any], report: Report) -> dict[str, dict[str, float]] | None:
    """Return mean and standard deviation of each metric over the folds of the rows that are not held out."""
    if material.parameters.folds is None:
        return None
    found: dict[str, list[float]] = {}
    parts = material.folds(material.parameters.folds)
    for number, (train, test) in enumerate(parts, 1):
        estimator = _fitted(material, given, train)
        with _refusals(material):
            here = measuring.measured(estimator, material.frame.iloc[test], material.truth[test], material.task)
        for name, value in here.items():
            found.setdefault(name, []).append(value)
        report(0.75 + 0.1 * number / len(parts), f"fold {number} of {len(parts)}")
    return {
        name: {"mean": float(np.mean(values)), "std": float(np.std(values))}
        for name, values in found.items()
        if len(values) == len(parts)
    }


def _remarks(material: Material) -> list[Remark]:
    rare = imbalance(material.truth) if material.task is Task.CLASSIFICATION else []
    found = leaks(material.frame, material.features, material.truth, material.train, material.test, material.task)
    return [*rare, *found]


def _told(material: Material, winner: dict[str, Any]) -> dict[str, Any]:
    asked = material.parameters
    everything = asked.refit == "all"
    return {
        "trainer": NAME,
        "task": material.task.value,
        "task_inferred": asked.task is None,
        "estimator": material.estimator.name,
        "estimator_parameters": {
            **{one.name: one.default for one in material.estimator.parameters},
            **asked.parameters,
            **winner,
        },
        "parameters": msgspec.to_builtins(asked),
        "seed": asked.seed,
        "target": asked.target,
        "classes": material.classes.tolist() if material.task is Task.CLASSIFICATION else None,
        "features": [{"name": one.name, "kind": one.kind.value, "missing": one.missing} for one in material.features],
        "rows": {
            "dataset": material.total,
            "used": len(material.truth),
            "drawn": material.drawn,
            "trained": len(material.train),
            "held_out": len(material.test),
        },
        "refit": "fitted at last on all rows; the metrics are those of a fit without the rows held out"
        if everything
        else "fitted on the rows that are not held out; the metrics are of those that are",
        "reproducible": "bytes",
    }


def _baseline(material: Material, predicted: np.ndarray) -> Baseline:
    rows = material.frame.iloc[material.train]
    return Baseline(
        tuple(summarised(feature.name, rows[feature.name]) for feature in material.features),
        summarised(material.parameters.target, material.truth[material.train]),
        summarised("prediction", predicted),
    )
