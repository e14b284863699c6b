"""What is refused before a row is read: all that the parameters and the dataset's summary show."""

import math
from typing import Any

from modelyard.core.errors import InvalidInput
from modelyard.core.metrics import nearest
from modelyard.core.table import Summary
from modelyard.trainers.schema import FLAG, NUMBERS, TEXT, TIMES, Schema
from modelyard.trainers.tabular import listed
from modelyard.trainers.tabular.estimators import Estimator, Kind, Task
from modelyard.trainers.tabular.measuring import METRICS
from modelyard.trainers.tabular.parameters import Range, Search, TabularParameters

MOST_CLASSES = 1_000
FEW_CLASSES = 20
"""A target of at most as many different whole numbers is taken for classes, where nobody tells the task."""
MOST_SUM, SUM_ERROR = 2.0**30, 2.0**-10
"""The mean tells a sum of at most so much to within so much: it is rounded, by 2**-53, for each batch of a table."""
BOTH_SIDES = (2, "parameters.holdout", "a hold-out that has every class")
"""Rows that each class must have, where that is asked for, and what for."""


def check(parameters: TabularParameters, schema: Schema) -> None:
    """Let pass what can be trained, as far as is known without the rows.

    Raises:
        InvalidInput: with the place, and the likely mend.
    """
    if schema.n_rows == 0:
        raise InvalidInput.at("dataset", "it has 0 rows: expected some to learn from")
    target = schema.column(parameters.target, "parameters.target")
    task = _check_target(target, parameters.task)
    estimator = _check_estimator(parameters, task)
    features = _check_features(parameters, schema)
    _check_missing(parameters, estimator, features)
    if parameters.search is not None:
        check_search(parameters.search, estimator, task or (estimator.task if estimator else None))


def _check_target(target: Summary, task: Task | None) -> Task | None:
    """Return the task, None where only the rows can tell it."""
    place, name = "parameters.target", target.name
    if target.type in TIMES:
        raise InvalidInput.at(place, f"column `{name}` holds times: expected numbers, texts or truth values")
    if target.count == 0:
        raise InvalidInput.at(place, f"all values of column `{name}` are missing")
    if task is Task.REGRESSION and target.type not in NUMBERS:
        kind = "texts" if target.type == TEXT else "truth values"
        raise InvalidInput.at(
            place, f"column `{name}` holds {kind}: a regression needs numbers; is it a classification?"
        )
    if target.infinite:
        raise InvalidInput.at(place, f"column `{name}` has {target.infinite} infinite values")
    fractions = _has_fractions(target)
    if task is Task.CLASSIFICATION and fractions:
        raise InvalidInput.at(place, f"column `{name}` holds fractions, which are no classes; is it a regression?")
    told = task or (Task.REGRESSION if fractions else _task_of(target))
    _check_classes(target, told)
    return told


def _has_fractions(target: Summary) -> bool:
    """Tell whether the summary shows a fraction: at an end, or in the sum, which of whole numbers is whole."""
    ends = [value for value in (target.min, target.max) if isinstance(value, float)]
    if any(not value.is_integer() for value in ends):
        return True
    if not ends or target.mean is None or max(map(abs, ends)) * target.count > MOST_SUM:
        return False
    total = target.mean * target.count
    return abs(total - round(total)) > SUM_ERROR


def _task_of(target: Summary) -> Task | None:
    """Return the task that a target without fractions tells, None where only the rows can."""
    if target.type in (TEXT, FLAG):
        return Task.CLASSIFICATION
    low, high = target.min, target.max
    few = isinstance(low, int) and isinstance(high, int) and high - low < FEW_CLASSES
    return Task.CLASSIFICATION if few else None


def _check_classes(target: Summary, task: Task | None) -> None:
    place, name = "parameters.target", target.name
    if target.distinct == 1 or (target.min is not None and target.min == target.max):
        what = "one class" if task is Task.CLASSIFICATION else "one value"
        raise InvalidInput.at(place, f"column `{name}` has {what} only: there is nothing to learn")
    if target.distinct is not None and target.distinct > MOST_CLASSES:
        raise InvalidInput.at(place, f"column `{name}` has {target.distinct} classes, expected at most {MOST_CLASSES}")
    if task is Task.CLASSIFICATION and target.exact and target.top and len(target.top) == target.distinct:
        check_least(target.top[-1].value, target.top[-1].count, *BOTH_SIDES)


def check_least(rarest: Any, count: int, least: int, place: str, what: str) -> None:
    """Let pass classes of which the rarest has `count` rows.

    Raises:
        InvalidInput: when these are less than `least`.
    """
    if count < least:
        rows = "1 row" if count == 1 else f"{count} rows"
        message = f"class `{rarest}` has {rows}, too few for {what}: add rows of it, or leave it out"
        raise InvalidInput.at(place, message)


def _check_estimator(parameters: TabularParameters, task: Task | None) -> Estimator | None:
    """Return the estimator, None where the task that is not known yet decides on it."""
    if parameters.estimator is None and (parameters.parameters or parameters.search):
        raise InvalidInput.at("parameters.estimator", "expected one, to which the parameters given belong")
    name = parameters.estimator or (listed.DEFAULT[task] if task else None)
    if name is None:
        return None
    estimator = listed.find(name, "parameters.estimator")
    check_task(estimator, task)
    for key, value in parameters.parameters.items():
        estimator.parameter(key, "parameters.parameters").check(value, f"parameters.parameters.{key}")
    return estimator


def check_task(estimator: Estimator, task: Task | None) -> None:
    """Refuse a classifier for a regression, and the other way round.

    Raises:
        InvalidInput: naming those that fit.
    """
    if task is not None and estimator.task is not task:
        like = estimator.name.replace("Classifier", "").replace("Regressor", "")
        fitting = [one.name for one in listed.TABLE.values() if one.task is task]
        raise InvalidInput.at(
            "parameters.estimator",
            f"`{estimator.name}` is for a {estimator.task}, and this is a {task}; {nearest(like, fitting)}",
        )


def _check_features(parameters: TabularParameters, schema: Schema) -> list[Summary]:
    if parameters.features is not None and parameters.target in parameters.features:
        raise InvalidInput.at("parameters.features", f"column `{parameters.target}` is the target: leave it out")
    named = [schema.column(name, "parameters.features") for name in dict.fromkeys(parameters.features or schema.names)]
    left_out = {schema.column(name, "parameters.exclude").name for name in parameters.exclude} | {parameters.target}
    features = [column for column in named if column.name not in left_out and column.type not in TIMES]
    if not any(column.count for column in features):
        raise InvalidInput.at("parameters.features", "no column is left to learn from (times are not learnt from)")
    for column in features:
        if column.infinite:
            raise InvalidInput.at(
                "dataset", f"column `{column.name}` has {column.infinite} infinite values; exclude it, or mend the data"
            )
    return features


def _check_missing(parameters: TabularParameters, estimator: Estimator | None, features: list[Summary]) -> None:
    if parameters.impute_numbers != "none" or estimator is None or estimator.takes_missing:
        return
    lacking = [column.name for column in features if column.missing and column.type in NUMBERS]
    if lacking:
        raise InvalidInput.at(
            "parameters.impute_numbers",
            f"column `{lacking[0]}` lacks values, which `{estimator.name}` does not take: expected `median`, say",
        )


def check_search(search: Search, estimator: Estimator | None, task: Task | None) -> None:
    """Let pass a search whose every candidate the estimator takes.

    Raises:
        InvalidInput: with the place of what does not fit.
    """
    place = "parameters.search"
    if search.metric is not None and task is not None and search.metric not in METRICS[task]:
        raise InvalidInput.at(
            f"{place}.metric",
            f"there is no `{search.metric[:100]}` of a {task}; {nearest(search.metric, METRICS[task])}",
        )
    check_grid(search)
    if estimator is None:
        return
    for name, given in search.space.items():
        parameter = estimator.parameter(name, f"{place}.space")
        if isinstance(given, Range):
            _check_range(given, search, parameter.kind, f"{place}.space.{name}")
        values: list[Any] = [given.low, given.high] if isinstance(given, Range) else given
        for value in values:
            whole = isinstance(given, Range) and parameter.kind is Kind.INTEGER and float(value).is_integer()
            parameter.check(int(value) if whole else value, f"{place}.space.{name}")


def check_grid(search: Search) -> None:
    """Refuse a grid of more combinations than the search may try.

    Raises:
        InvalidInput: with their number.
    """
    count = math.prod(len(given) for given in search.space.values() if not isinstance(given, Range))
    if search.method == "grid" and count > search.count:
        message = f"the grid has {count} combinations, `count` allows {search.count}: raise it, or draw at random"
        raise InvalidInput.at("parameters.search", message)


def _check_range(given: Range, search: Search, kind: Kind, place: str) -> None:
    if search.method == "grid":
        raise InvalidInput.at(place, "a grid has no ranges: expected a list of values, or the method `random`")
    if kind not in (Kind.INTEGER, Kind.NUMBER):
        raise InvalidInput.at(place, "expected a list of values: it is no number")
    if not given.low < given.high or (given.log and given.low <= 0):
        raise InvalidInput.at(place, "expected `low` below `high`, and above 0 where `log` is true")
