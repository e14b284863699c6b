"""The job that scores a dataset: cut into parts, whose files are the pieces of one."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from math import ceil
from typing import Any

from django.db.models import OuterRef, Subquery
from django.db.models.functions import Now

from modelyard.artifacts.store import Stored
from modelyard.control.jobs.models import Job, State
from modelyard.control.jobs.reporting import Report
from modelyard.control.jobs.services import Part, split
from modelyard.control.precomputed.results import read_result
from modelyard.control.precomputed.services import precompute_result
from modelyard.control.registry.finding import find_dataset, find_version
from modelyard.control.registry.models import Dataset, Version
from modelyard.control.registry.uploads import release_later
from modelyard.control.scoring.files import check_size, completed_with, put
from modelyard.control.scoring.models import Role, ScoredFile
from modelyard.control.scoring.services import PART_KIND, forget_parts
from modelyard.control.tenancy.services import system_actor
from modelyard.core.errors import Conflict, ModelFailed, ModelyardError
from modelyard.scoring.footer import MAGIC, Piece, joined_tail
from modelyard.scoring.naming import PARQUET
from modelyard.tables.types import rows_per_group

PART_ROWS, ISOLATED_PART_ROWS = 1_048_576, 131_072
"""What a killed worker costs at most, of a graph and of what is none, which takes about ten times as long."""
MOST_PARTS = 256
JOINING = 0.95


class Scoring:
    """Does jobs of the kind "scoring"; see `jobs.handlers.Handler`."""

    repeatable = True

    def run(self, job: Job, report: Report) -> dict[str, Any]:
        if job.parts_made:
            return _join(job, report)
        said = job.payload
        dataset = find_dataset(job.tenant, said["dataset"])
        version = find_version(job.tenant, said["model"], said["number"])
        parts = _parts(said, dataset, version)
        report(0.0, f"scoring {dataset} with {version}", rows_done=0, rows_total=dataset.n_rows)
        report.log(f"{said['asked']} is {version}" if said["asked"] != str(version) else f"the version is {version}")
        report.log(f"{dataset}: {dataset.n_rows:,} rows, in {len(parts)} part{'s' * (len(parts) != 1)}")
        split(job, parts, fail_fast=True)
        return {}

    def failed(self, job: Job, error: ModelyardError) -> None:
        release_later(job.tenant, forget_parts(job))


def _parts(said: dict[str, Any], dataset: Dataset, version: Version) -> list[Part]:
    """Cut the dataset evenly, by its row groups, which are all of one size but the last."""
    if not dataset.n_rows:
        raise Conflict(f"{dataset} has no rows any more")
    rows = rows_per_group(len(dataset.columns))
    groups = ceil(dataset.n_rows / rows)
    wanted = ISOLATED_PART_ROWS if version.isolated else PART_ROWS
    count = min(MOST_PARTS, ceil(groups / max(1, round(wanted / rows))))
    cuts = [groups * part // count for part in range(count + 1)]
    return [
        Part(
            PART_KIND,
            {
                **said,
                "first": first,
                "groups": end - first,
                "first_row": first * rows,
                "rows": min(dataset.n_rows, end * rows) - first * rows,
            },
        )
        for first, end in pairwise(cuts)
    ]


def _join(job: Job, report: Report) -> dict[str, Any]:
    """Make the parts' files the pieces of one, and their failed rows of another: nothing is copied."""
    parts = list(Job.objects.filter(parent=job).order_by("part"))
    if bad := next((part for part in parts if part.state == State.FAILED), None):
        _raise(bad)
    if any(part.state != State.SUCCEEDED for part in parts):
        raise Conflict("a part of it was cancelled: run it again")
    said: list[dict[str, Any]] = [part.outcome or {} for part in parts]
    rows, failed = (sum(one[name] for one in said) for name in ("rows", "failed_rows"))
    if failed == rows:
        reason = next((one["reason"] for one in said if one["reason"]), "nothing")
        raise ModelFailed(f"no row of {job.payload['dataset']} could be scored; the first said: {reason}")
    report(JOINING, "joining the parts", rows_done=rows, rows_total=rows)
    made = ScoredFile.objects.filter(job__parent=job)
    pieces = list(made.defer("tail").select_related("artifact").order_by("job__part"))
    ending = _ending(job, pieces, report)
    outcome = _outcome(job, parts, rows, failed, _files(pieces, ending))
    report.log(f"{rows:,} rows, {failed:,} of them without a prediction")
    with completed_with(job, outcome, ending, place=len(parts)):
        number = Job.objects.filter(pk=OuterRef("job")).values("part")
        made.update(job=job, place=Subquery(number) - 1, tail=b"")
        if job.payload.get("precompute"):
            outcome |= _store_by_entity(job, outcome)
    return {}


def _raise(part: Job) -> None:
    error = part.error or {}
    said = error.get("message", "it failed without a word")
    raise ModelFailed(f"part {part.part}: {said}", part=part.part, code=error.get("code"))


def _ending(job: Job, pieces: list[ScoredFile], report: Report) -> dict[Role, Stored]:
    """Put the last piece of a Parquet file into the store: its tail, made of those of the parts."""
    tail = b""
    if job.payload["format"] == PARQUET:
        tail = joined_tail(_tails([piece for piece in pieces if piece.role == Role.RESULT], report))
    check_size(job, sum(piece.artifact.size_bytes for piece in pieces) + len(tail))
    return {Role.RESULT: put(job, [tail])} if tail else {}


def _tails(results: list[ScoredFile], report: Report) -> Iterator[Piece]:
    """Give what each part left of the table; one tail at a time is read, since they are long of a wide table."""
    magic = len(MAGIC)  # before the first part's pages
    for piece in results:
        report.check()
        tail = bytes(ScoredFile.objects.values_list("tail", flat=True).get(pk=piece.pk))
        if not tail:
            raise Conflict("a part of it was scored before Modelyard was brought up to date: run the job again")
        yield Piece(piece.artifact.size_bytes - magic, tail)
        magic = 0


def _files(pieces: list[ScoredFile], ending: dict[Role, Stored]) -> dict[str, Any]:
    """Return what is told of the files: their sizes, and the digests of their pieces, in order."""
    told: dict[str, Any] = {}
    for role in Role:
        made = [Stored(piece.artifact.digest, piece.artifact.size_bytes) for piece in pieces if piece.role == role]
        made += [ending[role]] if role in ending else []
        if made:
            told[role] = {"size_bytes": sum(one.size_bytes for one in made), "pieces": [one.digest for one in made]}
    return told


def _outcome(job: Job, parts: list[Job], rows: int, failed: int, files: dict[str, Any]) -> dict[str, Any]:
    said = job.payload
    seconds = max(_seconds(job), 0.001)
    return {
        "version": f"{said['model']}:{said['number']}",
        **{name: said[name] for name in ("asked", "model", "number", "dataset", "format", "columns", "entity")},
        "rows": rows,
        "failed_rows": failed,
        "failed_kept": sum((part.outcome or {})["failed_kept"] for part in parts),
        "files": files,
        "parts": len(parts),
        "seconds": round(seconds, 3),
        "rows_per_second": round(rows / seconds),
    }


def _seconds(job: Job) -> float:
    """Return how long ago the job was started, by the clock that told when: the database's."""
    now, began = Job.objects.annotate(now=Now()).values_list("now", "started_at").get(pk=job.pk)
    return (now - began).total_seconds() if began else 0.0


def _store_by_entity(job: Job, outcome: dict[str, Any]) -> dict[str, str]:
    """Ask for the answers to be stored by entity, and return what is told of that. What was scored stays where that is
    refused: the version may have been deleted since."""
    actor = replace(system_actor(job.tenant, "worker"), name=job.created_by)
    try:
        return {"precomputing": str(precompute_result(actor=actor, result=read_result(outcome), scoring=job).pk)}
    except ModelyardError as error:
        return {"not_precomputed": error.message}
