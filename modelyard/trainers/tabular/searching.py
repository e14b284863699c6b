"""A search over an estimator's parameters, in steps that do not know of one another, so that parts of it may run
anywhere: `candidates`, `cuts` into parts, `evaluate` one of them, the `best` of all scores."""

import itertools
import math
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from modelyard.core.errors import InvalidInput
from modelyard.core.wording import one_line
from modelyard.trainers.quiet import quiet, remarks_of
from modelyard.trainers.tabular import listed, measuring
from modelyard.trainers.tabular.checking import check_grid
from modelyard.trainers.tabular.estimators import Kind
from modelyard.trainers.tabular.material import Material, prepare
from modelyard.trainers.tabular.parameters import Range, Search, TabularParameters
from modelyard.trainers.trainer import Report

LEAST_ROWS = 500_000
"""That the fits of a part read together, at least: each starts a process and reads the dataset, which takes seconds."""
MOST_PARTS = 16
_MOST_REASONS = 5


class Candidate(msgspec.Struct, frozen=True):
    """Parameters of the estimator to try; `number` is its place in the search."""

    number: int
    parameters: dict[str, Any]


class Score(msgspec.Struct, frozen=True):
    """How good a candidate was.

    Attributes:
        value: mean of the metric over the folds; None where it could not be fitted, for the reason `failure`.
        folds: the metric on each fold.
        warning: the first thing that was warned of while it was fitted.
    """

    number: int
    parameters: dict[str, Any]
    metric: str
    value: float | None
    folds: list[float] = []
    failure: str | None = None
    warning: str | None = None


def candidates(parameters: TabularParameters) -> list[Candidate]:
    """Return all candidates: the same for the same parameters. A grid counts its last parameter fastest; equal random
    draws are taken once, so that there may be fewer than asked for.

    Raises:
        InvalidInput: there is no search, or a grid has more than `Search.count` combinations.
    """
    search = parameters.search
    if search is None:
        raise InvalidInput.at("parameters.search", "expected a method and a space")
    drawn = _grid(search) if search.method == "grid" else _draws(search, parameters)
    return [Candidate(number, given) for number, given in enumerate(drawn)]


def _grid(search: Search) -> list[dict[str, Any]]:
    check_grid(search)
    lists = [given for given in search.space.values() if not isinstance(given, Range)]
    return [dict(zip(search.space, values, strict=True)) for values in itertools.product(*lists)]


def _draws(search: Search, parameters: TabularParameters) -> list[dict[str, Any]]:
    random = np.random.default_rng(parameters.seed)
    estimator = listed.find(parameters.estimator or "", "parameters.estimator")
    whole = {one.name for one in estimator.parameters if one.kind is Kind.INTEGER}
    found: dict[bytes, dict[str, Any]] = {}
    for _ in range(search.count):
        given = {name: _drawn(space, name in whole, random) for name, space in search.space.items()}
        found.setdefault(msgspec.json.encode(given), given)
    return list(found.values())


def _drawn(space: list[Any] | Range, whole: bool, random: np.random.Generator) -> Any:
    if not isinstance(space, Range):
        return space[int(random.integers(len(space)))]
    low, high = (math.log(space.low), math.log(space.high)) if space.log else (space.low, space.high)
    value = float(random.uniform(low, high))
    value = min(max(math.exp(value) if space.log else value, space.low), space.high)
    return round(value) if whole else value


def cuts(parameters: TabularParameters, n_rows: int) -> list[tuple[int, int]]:
    """Return the parts of a search that is worth spreading, each as its first candidate and the one after its last;
    none for a small search.

    Each part's fits read `LEAST_ROWS` rows together, at least (candidates x folds x rows), and there are at most
    `MOST_PARTS`; parts differ by one candidate at most.
    """
    search = parameters.search
    if search is None:
        return []
    count = len(candidates(parameters))
    rows = count * search.folds * min(n_rows, parameters.max_rows)
    parts = min(MOST_PARTS, count, rows // LEAST_ROWS)
    if parts < 2:
        return []
    ends = [count * number // parts for number in range(parts + 1)]
    return list(itertools.pairwise(ends))


def evaluate(
    dataset: Path, parameters: TabularParameters, chosen: Sequence[Candidate], report: Report
) -> Iterator[Score]:
    """Measure some candidates by k-fold, on the rows that are not held out. To be called in the sandbox."""
    with quiet():
        yield from scores(prepare(dataset, parameters), chosen, report)


def scores(material: Material, chosen: Sequence[Candidate], report: Report) -> Iterator[Score]:
    """Give the score of each candidate. A candidate that cannot be fitted has none."""
    search = material.parameters.search
    assert search is not None  # noqa: S101
    metric = search.metric or measuring.DEFAULT[material.task]
    folds = material.folds(search.folds, "parameters.search.folds")
    leader: float | None = None
    report(0.0, so_far(0, len(chosen), {}))
    for done, candidate in enumerate(chosen, 1):
        score = _score(material, candidate, metric, folds)
        if score.value is not None and (leader is None or measuring.better(metric, score.value, leader)):
            leader = score.value
        told = {metric: leader} if leader is not None else {}
        report(done / len(chosen), so_far(done, len(chosen), told), **told)
        yield score


def so_far(done: int, count: int, leader: Mapping[str, float]) -> str:
    """Return in words how far a search is; `leader` is the metric and its best value, nothing before there is one."""
    best_one = "".join(f", best {metric} so far {value:.4g}" for metric, value in leader.items())
    return f"{done:,} of {count:,} candidates{best_one}"


def _score(material: Material, candidate: Candidate, metric: str, folds: Sequence[Any]) -> Score:
    failed = Score(candidate.number, candidate.parameters, metric, None)
    values = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for train, test in folds:
            estimator = material.unfitted(candidate.parameters)
            try:
                estimator.fit(material.frame.iloc[train], material.truth[train])
                held = material.frame.iloc[test]
                found = measuring.measured(estimator, held, material.truth[test], material.task)
            except MemoryError:
                raise
            except Exception as error:  # a library may raise anything at parameters that do not go together
                return msgspec.structs.replace(failed, failure=one_line(error, 300) or type(error).__name__)
            if metric not in found:
                return msgspec.structs.replace(failed, failure=f"it has no `{metric}`")
            values.append(found[metric])
    said = next((remark.message for remark in remarks_of(caught)), None)
    return msgspec.structs.replace(failed, value=float(np.mean(values)), folds=values, warning=said)


def best(found: Sequence[Score]) -> Score:
    """Return the best score; of equal ones the candidate that comes first.

    Raises:
        InvalidInput: no candidate has one.
    """
    leader: Score | None = None
    for score in sorted(found, key=lambda score: score.number):
        if score.value is None:
            continue
        if leader is None or leader.value is None or measuring.better(score.metric, score.value, leader.value):
            leader = score
    if leader is None:
        raise InvalidInput.at("parameters.search", f"no candidate could be measured: {_reasons(found)}")
    return leader


def _reasons(found: Sequence[Score]) -> str:
    """Return why candidates failed, the most frequent reason first."""
    counts = Counter(score.failure for score in found if score.failure).most_common()
    said = [f"{reason} ({count} times)" if count > 1 else f"{reason}" for reason, count in counts[:_MOST_REASONS]]
    rest = f"and {len(counts) - _MOST_REASONS} other reasons" if len(counts) > _MOST_REASONS else ""
    return "; ".join([*said, *([rest] if rest else [])]) or "there is none"
