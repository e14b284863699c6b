"""A search spread over parts: each measures some candidates, and the training, which waits, fits with the best.

The job that waits may also be one that trains a version again.
"""

import shutil
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from modelyard.control.jobs.children import run_in_child
from modelyard.control.jobs.models import Job
from modelyard.control.jobs.reporting import Report
from modelyard.control.jobs.services import Part, split, tell_waiting
from modelyard.control.registry.finding import find_dataset
from modelyard.control.registry.models import Dataset
from modelyard.control.registry.registration import new_scratch
from modelyard.control.training.progress import followed
from modelyard.control.training.tables import table_of
from modelyard.core.errors import ChildFailed, LimitExceeded, ModelRefused, ModelyardError
from modelyard.sandbox.examination import new_folder, take_left
from modelyard.sandbox.limits import Limits
from modelyard.sandbox.run import plain_text
from modelyard.trainers.parameters import read
from modelyard.trainers.running import PRELOAD, PROGRESS, SCORES
from modelyard.trainers.tabular.measuring import better
from modelyard.trainers.tabular.parameters import TabularParameters
from modelyard.trainers.tabular.searching import Candidate, Score, best, candidates, cuts, so_far
from modelyard.trainers.tabular.trainer import TabularTrainer

KIND = "search"
EVALUATE = "modelyard.trainers.running:evaluate"
CANDIDATES_OWN = ("memory", "output")
"""Limits past which it was the candidate in hand that used too much; past the time it was all of the part's."""
TELL_SECONDS = 1.0
MOST_SCORES_BYTES = 8 << 20


def searched(job: Job, dataset: Dataset) -> list[Score] | None:
    """Return the scores of all candidates of a search that was spread; none where one process does all that is asked;
    None when parts were made of the job just now, for which it waits.

    Raises:
        InvalidInput: no candidate has one.
    """
    if not job.parts_made:
        return None if spread(job, dataset) else []
    scores = gathered(job)
    best(scores)
    return scores


def spread(job: Job, dataset: Dataset) -> bool:
    """Split a training whose search is large into parts; False for any other."""
    if job.payload["trainer"] != TabularTrainer.name:
        return False
    found = cuts(_parameters(job), dataset.n_rows or 0)
    if found:
        split(job, [Part(KIND, {"first": first, "last": last}) for first, last in found])
    return bool(found)


def gathered(job: Job) -> list[Score]:
    """Return the scores of all candidates of a training that was split, in their order; of a part that failed, each
    candidate with the reason."""
    chosen = candidates(_parameters(job))
    found: list[Score] = []
    for part in job.parts.filter(kind=KIND).order_by("part"):
        if part.outcome is not None:
            found += msgspec.convert(part.outcome["scores"], list[Score])
            continue
        why = (part.error or {}).get("message", "it ended without a word")
        mine = chosen[part.payload["first"] : part.payload["last"]]
        found += [_unmeasured(one, f"its part of the search is {part.state}: {why}") for one in mine]
    metric = next((score.metric for score in found if score.metric), "")
    return [score if score.metric else replace(score, metric=metric) for score in found]


class SearchPart:
    """Does jobs of the kind "search", which are parts of a training; see `jobs.handlers.Handler`."""

    def run(self, job: Job, report: Report) -> dict[str, Any]:
        training = job.parent
        assert training is not None  # noqa: S101
        chosen = candidates(_parameters(training))[job.payload["first"] : job.payload["last"]]
        found: list[Score] = []
        scratch = new_scratch()
        try:
            with table_of(find_dataset(job.tenant, training.payload["dataset"])) as path:
                while len(found) < len(chosen):
                    folder = new_folder(scratch, f"from-{len(found)}")
                    told = Told(job, training, report, found, len(chosen))
                    found += _measured(job, training, path, chosen[len(found) :], folder, told)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        return {"scores": msgspec.to_builtins(found)}

    def about(self, job: Job) -> str:
        first, last = job.payload.get("first", 0) + 1, job.payload.get("last", 0)
        return f"candidate {first}" if first >= last else f"candidates {first} to {last}"

    def failed(self, job: Job, error: ModelyardError) -> None:
        """Nothing follows: the training tells of each candidate why it was not measured."""


def _measured(
    job: Job, training: Job, table: Path, chosen: Sequence[Candidate], folder: Path, told: "Told"
) -> list[Score]:
    """Let a child measure candidates until it has all, or one of them ends it: that one is told of as failed. Past the
    time of the part what was measured by then is kept, and those that are left are told of as failed."""
    first = chosen[0].number
    arguments = {
        "dataset": str(table.resolve()),
        "parameters": training.payload["parameters"],
        "first": first,
        "last": first + len(chosen),
        "scratch": str(folder.resolve()),
    }
    stopped: ChildFailed | LimitExceeded | None = None
    try:
        with followed(folder, told):
            run_in_child(job, EVALUATE, arguments, read=[table], scratch=folder, preload=PRELOAD, doing="the search")
    except (ChildFailed, LimitExceeded) as error:
        stopped = error
    found = _left(folder, chosen)
    rest = chosen[len(found) :]
    if not rest:
        return found
    if stopped is None:
        raise ModelRefused("the search answered nonsense: scores are missing")
    if isinstance(stopped, ChildFailed) or stopped.details.get("limit") in CANDIDATES_OWN:
        if not (folder / PROGRESS).is_file():  # it had not come to the first candidate
            raise stopped
        return [*found, _unmeasured(rest[0], stopped.message)]
    if not found and first == job.payload["first"]:  # another try may fare better
        raise stopped
    return [*found, *(_unmeasured(one, f"its part of the search was ended: {stopped.message}") for one in rest)]


def _left(folder: Path, chosen: Sequence[Candidate]) -> list[Score]:
    """Return the whole lines of scores that a child left; the last is cut where it was killed."""
    path = take_left(folder / SCORES, folder.with_suffix(".scores"), Limits(scratch_bytes=MOST_SCORES_BYTES))
    found: list[Score] = []
    for line, candidate in zip(path.read_bytes().splitlines() if path else (), chosen, strict=False):
        try:
            score = msgspec.json.decode(line, type=Score)
        except msgspec.DecodeError:
            break
        failure = plain_text(score.failure) if score.failure else None
        found.append(replace(score, number=candidate.number, parameters=candidate.parameters, failure=failure))
    return found


class Told:
    """Hands on what a part's child says, and tells the training, which waits, how far its parts are together."""

    def __init__(self, job: Job, training: Job, report: Report, found: Sequence[Score], size: int) -> None:
        self._job, self._training, self._report = job, training, report
        self._before, self._size = len(found), size
        measured = [(score.metric, score.value) for score in found if score.value is not None]
        self._metrics = _best_of([{metric: value} for metric, value in measured])
        self._told_at = float("-inf")

    def __call__(self, fraction: float, message: str, metrics: dict[str, Any]) -> None:
        done = self._before + round(fraction * (self._size - self._before))
        found = _best_of([self._metrics, metrics])
        said = so_far(done, self._size, found)
        self._report(done / self._size, said, metrics=found)
        self._report.log(said)
        if fraction == 1 or time.monotonic() - self._told_at >= TELL_SECONDS:
            self._told_at = time.monotonic()
            self._tell_training(done, found)

    def _tell_training(self, done: int, own: dict[str, Any]) -> None:
        count, whole, leaders = done, self._size, [own]
        others = Job.objects.filter(parent=self._training, kind=KIND).exclude(pk=self._job.pk)
        for part in others.only("payload", "progress", "state", "metrics"):
            size = part.payload["last"] - part.payload["first"]
            count += round(part.progress * size) if part.is_open else size
            whole += size
            leaders.append(part.metrics)
        found = _best_of(leaders)
        tell_waiting(self._training.pk, so_far(count, whole, found), found)


def _best_of(leaders: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the best of values of the one metric of a search; each may be there or not."""
    found: dict[str, Any] = {}
    for name, value in (pair for one in leaders for pair in islice(one.items(), 1)):
        if name not in found or better(name, value, found[name]):
            found[name] = value
    return dict(islice(found.items(), 1))


def _unmeasured(candidate: Candidate, reason: str) -> Score:
    return Score(candidate.number, candidate.parameters, "", None, failure=reason)


def _parameters(job: Job) -> TabularParameters:
    return read(TabularParameters, job.payload["parameters"])
