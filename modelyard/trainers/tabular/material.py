"""The rows made ready: read, the target taken off, the task told, the features chosen, the hold-out drawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from modelyard.core.errors import InvalidInput
from modelyard.core.metrics import nearest
from modelyard.trainers.reading import frame_of, read_rows
from modelyard.trainers.schema import TIMES
from modelyard.trainers.tabular import listed
from modelyard.trainers.tabular.checking import (
    BOTH_SIDES,
    FEW_CLASSES,
    MOST_CLASSES,
    check_least,
    check_search,
    check_task,
)
from modelyard.trainers.tabular.estimators import Estimator, Task
from modelyard.trainers.tabular.features import Feature, choose
from modelyard.trainers.tabular.parameters import TabularParameters
from modelyard.trainers.tabular.preparing import pipeline
from modelyard.trainers.trainer import Remark


@dataclass(frozen=True)
class Material:
    """What is learnt from.

    Attributes:
        frame: the features, a DataFrame.
        arrow: the same columns, as they were read.
        truth: the target: int64, float64, bool or Python texts.
        total: rows of the dataset.
        train: rows that are learnt from to be measured, and `test` those that are held out.
    """

    parameters: TabularParameters
    frame: Any
    arrow: Any
    truth: np.ndarray
    task: Task
    estimator: Estimator
    features: list[Feature]
    remarks: list[Remark]
    total: int
    drawn: bool
    train: np.ndarray
    test: np.ndarray

    @cached_property
    def classes(self) -> np.ndarray:
        return np.unique(self.truth)

    def unfitted(self, given: dict[str, Any] | None = None) -> Any:
        """Return the pipeline, with `given` parameters of the estimator over those that were asked for."""
        made = self.estimator.make({**self.parameters.parameters, **(given or {})}, self.parameters.seed)
        return pipeline(made, self.features, self.parameters)

    def folds(self, count: int, place: str = "parameters.folds") -> list[tuple[np.ndarray, np.ndarray]]:
        """Return `count` pairs of rows, to learn from and to measure on, of `train`; `place` is where that was asked.

        Raises:
            InvalidInput: when a class, or all of it, has fewer rows.
        """
        from sklearn.model_selection import KFold, StratifiedKFold

        truth = self.truth[self.train]
        if self.task is Task.CLASSIFICATION:
            _check_least(truth, count, place, f"{count} folds")
            cutter: Any = StratifiedKFold(count, shuffle=True, random_state=self.parameters.seed)
        else:
            if len(truth) < 2 * count:
                raise InvalidInput.at(place, f"{len(truth)} rows are too few for {count} folds")
            cutter = KFold(count, shuffle=True, random_state=self.parameters.seed)
        places = cutter.split(np.zeros((len(truth), 1)), truth)
        return [(self.train[learnt], self.train[measured]) for learnt, measured in places]


def prepare(dataset: Path, parameters: TabularParameters) -> Material:
    """Read the dataset, and make it ready.

    Raises:
        InvalidInput: with the place, when it does not fit the parameters.
    """
    named, times = _columns(dataset, parameters)
    rows = read_rows(dataset, [*named, parameters.target], parameters.max_rows, parameters.seed)
    frame = frame_of(rows.table)
    target = frame.pop(parameters.target)
    remarks: list[Remark] = []
    arrow = rows.table.select(named)
    lacking = target.isna().to_numpy()
    if lacking.any():
        message = f"{int(lacking.sum()):,} rows without a value of the target were left out"
        remarks.append(Remark("target_missing", message, parameters.target))
        frame, target = frame[~lacking].reset_index(drop=True), target[~lacking]
        arrow = arrow.filter(~lacking)
    if not len(frame):
        raise InvalidInput.at("dataset", "it has 0 rows with a value of the target: expected some to learn from")
    task, truth = _task(target.to_numpy(), parameters)
    estimator = listed.find(parameters.estimator or listed.DEFAULT[task], "parameters.estimator")
    check_task(estimator, task)
    if parameters.search is not None:
        check_search(parameters.search, estimator, task)
    features, said = choose(frame, named, times)
    kept = [feature.name for feature in features]
    _check_missing(features, estimator, parameters)
    train, test = _split(truth, task, parameters)
    return Material(
        parameters, frame[kept], arrow.select(kept), truth, task, estimator, features, [*remarks, *said],
        rows.total, rows.drawn, train, test,
    )  # fmt: skip


def _columns(dataset: Path, parameters: TabularParameters) -> tuple[list[str], list[str]]:
    """Return the names of the columns to learn from, and of those of times among them."""
    import pyarrow as pa
    from pyarrow import parquet

    schema = parquet.read_schema(dataset)
    for place, names in (
        ("target", [parameters.target]),
        ("features", parameters.features or []),
        ("exclude", parameters.exclude),
    ):
        for name in names:
            if name not in schema.names:
                hint = nearest(name, schema.names)
                raise InvalidInput.at(f"parameters.{place}", f"the dataset has no column `{name}`; {hint}", "unknown")
    left_out = {parameters.target, *parameters.exclude}
    named = [name for name in dict.fromkeys(parameters.features or schema.names) if name not in left_out]
    times = [name for name in named if pa.types.is_temporal(schema.field(name).type)]
    if pa.types.is_temporal(schema.field(parameters.target).type):
        message = f"column `{parameters.target}` holds {' and '.join(sorted(TIMES))}s: expected numbers or texts"
        raise InvalidInput.at("parameters.target", message)
    return [name for name in named if name not in times], times


def _task(values: np.ndarray, parameters: TabularParameters) -> tuple[Task, np.ndarray]:
    place, name = "parameters.target", parameters.target
    numeric = values.dtype.kind in "if"
    if numeric and not np.isfinite(values).all():
        raise InvalidInput.at(place, f"column `{name}` has infinite values")
    whole = numeric and bool((values == np.floor(values)).all())
    task = parameters.task
    if task is None:
        few = not numeric or (whole and len(np.unique(values)) <= FEW_CLASSES)
        task = Task.CLASSIFICATION if few else Task.REGRESSION
    if task is Task.REGRESSION:
        if not numeric:
            raise InvalidInput.at(place, f"column `{name}` holds no numbers, which a regression needs")
        if len(np.unique(values)) < 2:
            raise InvalidInput.at(place, f"column `{name}` has one value only: there is nothing to learn")
        return task, values.astype(np.float64)
    if numeric and not whole:
        raise InvalidInput.at(place, f"column `{name}` holds fractions, which are no classes; is it a regression?")
    truth = values.astype(np.int64) if numeric else values if values.dtype == bool else _plain(values)
    if any(isinstance(one, str) and "\0" in one for one in np.unique(truth).tolist()):
        raise InvalidInput.at(place, f"column `{name}` has a class with a zero character, which cannot be kept")
    count = len(np.unique(truth))
    if count < 2:
        raise InvalidInput.at(place, f"column `{name}` has one class only: there is nothing to learn")
    if count > MOST_CLASSES:
        raise InvalidInput.at(place, f"column `{name}` has {count} classes, expected at most {MOST_CLASSES}")
    return task, truth


def _plain(values: np.ndarray) -> np.ndarray:
    """Return truth values of which some were missing as bool; texts as they are."""
    return values.astype(bool) if isinstance(values[0], bool) else values


def _check_missing(features: Sequence[Feature], estimator: Estimator, parameters: TabularParameters) -> None:
    if parameters.impute_numbers != "none" or estimator.takes_missing:
        return
    lacking = [feature.name for feature in features if feature.missing and feature.kind == "number"]
    if lacking:
        raise InvalidInput.at(
            "parameters.impute_numbers",
            f"column `{lacking[0]}` lacks values, which `{estimator.name}` does not take: expected `median`, say",
        )


def _split(truth: np.ndarray, task: Task, parameters: TabularParameters) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of the rows that are learnt from and of those held out, each in order."""
    from sklearn.model_selection import train_test_split

    place = "parameters.holdout"
    held = int(np.ceil(parameters.holdout * len(truth)))
    if task is Task.CLASSIFICATION:
        _check_least(truth, *BOTH_SIDES)
        count = len(np.unique(truth))
        if min(held, len(truth) - held) < count:
            raise InvalidInput.at(
                place,
                f"{held:,} of {len(truth):,} rows would be held out: both parts must hold each of {count} classes",
            )
    elif min(held, len(truth) - held) < 2:
        raise InvalidInput.at(place, f"{held:,} of {len(truth):,} rows would be held out: both parts need 2 at least")
    train, test = train_test_split(
        np.arange(len(truth)),
        test_size=parameters.holdout,
        random_state=parameters.seed,
        stratify=truth if task is Task.CLASSIFICATION else None,
    )
    return np.sort(train), np.sort(test)


def _check_least(truth: np.ndarray, least: int, place: str, what: str) -> None:
    classes, counts = np.unique(truth, return_counts=True)
    rarest = int(counts.argmin())
    check_least(classes[rarest], int(counts[rarest]), least, place, what)
