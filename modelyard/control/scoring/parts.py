"""The job that scores some row groups of a dataset, and keeps the file of them: what a killed worker costs."""

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import msgspec
from django.conf import settings

from modelyard.artifacts.store import Stored
from modelyard.control.jobs.models import Job
from modelyard.control.jobs.reporting import Report, clean
from modelyard.control.registry.finding import find_dataset, find_version
from modelyard.control.registry.models import VersionState
from modelyard.control.registry.registration import new_scratch
from modelyard.control.registry.storage import store
from modelyard.control.scoring import kept
from modelyard.control.scoring.files import completed_with, put
from modelyard.control.scoring.models import Role
from modelyard.core.errors import Conflict, ModelyardError, Unavailable
from modelyard.core.signature import Signature
from modelyard.sandbox.environments import interpreter
from modelyard.sandbox.limits import Limits
from modelyard.scoring.footer import MAGIC, check_tail
from modelyard.scoring.naming import PARQUET
from modelyard.scoring.predicting import MOST_FAILED, REASON_CHARACTERS
from modelyard.scoring.scorer import Scored, Scorer, Wanted


class ScoringPart:
    """Does jobs of the kind "scoring-part"; see `jobs.handlers.Handler`."""

    def run(self, job: Job, report: Report) -> dict[str, Any]:
        began = time.monotonic()
        report(0.0, "starting", rows_done=0, rows_total=job.payload["rows"])
        owner = job.parent_id or job.pk
        held = kept.take(owner) or _start(job)
        try:
            result = _Result(job, report, held.scorer)
            stored = put(job, result.chunks())
        except BaseException:
            held.close()
            raise
        kept.give(owner, held)
        outcome = {**result.outcome(), "seconds": round(time.monotonic() - began, 3)}
        with completed_with(job, outcome, {Role.RESULT: stored, **result.kept_failed()}, tail=result.tail):
            pass
        return {}

    def failed(self, job: Job, error: ModelyardError) -> None:
        """Nothing follows: what a part leaves is kept with its success."""


class _Result:
    """A part's piece of the file on its way from the child into the store, and what is learnt of it.

    Of a Parquet file it is pages; before the first part's stands the magic. Nothing that the child says of itself is
    taken unseen: it reads what strangers wrote.
    """

    def __init__(self, job: Job, report: Report, scorer: Scorer) -> None:
        self._job, self._report, self._scorer = job, report, scorer
        self._rows = int(job.payload["rows"])
        self._is_parquet = job.payload["format"] == PARQUET
        self._scored = Scored(0, 0, [])

    def chunks(self) -> Iterator[bytes]:
        said = self._job.payload
        if self._is_parquet and not said["first"]:
            yield MAGIC
        for given in self._scorer.score(said["first"], said["groups"], said["first_row"], self._told):
            if isinstance(given, Scored):
                self._scored = given
            else:
                yield given
        self._check()
        self._told(self._rows)
        self._report.flush_progress()

    def _check(self) -> None:
        scored, first = self._scored, int(self._job.payload["first_row"])
        kept = len(scored.failed)
        is_whole = scored.rows == self._rows and kept <= scored.n_failed <= self._rows and kept <= MOST_FAILED
        if not is_whole or any(not 0 <= one.row - first < self._rows for one in scored.failed):
            raise Unavailable("the process that read the table counted other rows; the part is done again")
        if self._is_parquet:
            check_tail(scored.tail, self._rows)
        elif scored.tail:
            raise Unavailable("the process that read the table wrote on after its end; the part is done again")

    def outcome(self) -> dict[str, Any]:
        failed = self._scored.failed
        return {
            "rows": self._rows,
            "failed_rows": self._scored.n_failed,
            "failed_kept": len(failed),
            "reason": clean(failed[0].reason, REASON_CHARACTERS) if failed else "",
        }

    @property
    def tail(self) -> bytes:
        return self._scored.tail

    def kept_failed(self) -> dict[Role, Stored]:
        """Put the rows that failed into the store, where there are some."""
        if not self._scored.failed:
            return {}
        lines = (json.dumps(msgspec.to_builtins(one), ensure_ascii=False) for one in self._scored.failed)
        data = "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")
        return {Role.FAILED: put(self._job, [data])}

    def _told(self, rows: int) -> None:
        done = min(max(rows, 0), self._rows)
        self._report(done / self._rows, f"{done:,} of {self._rows:,} rows", rows_done=done)


def _start(job: Job) -> kept.Kept:
    """Start a scorer of the job's dataset and version. The files may go once it has opened them."""
    said = job.payload
    dataset = find_dataset(job.tenant, said["dataset"])
    version = find_version(job.tenant, said["model"], said["number"])
    if dataset.artifact is None or version.serving is None or version.state != VersionState.READY:
        raise Conflict(f"{version} or {dataset} is not ready any more")
    tenant, limits = str(job.tenant_id), Limits(
        seconds=job.limits.seconds,
        memory_bytes=job.limits.memory_bytes,
        unsafe_without_sandbox=settings.MODELYARD.unsafe_without_sandbox,
    )  # fmt: skip
    scratch = new_scratch()

    def closed() -> None:
        shutil.rmtree(scratch, ignore_errors=True)

    try:
        with ExitStack() as opened:
            wanted = Wanted(
                dataset=opened.enter_context(store().local(tenant, dataset.artifact.digest)),
                model=opened.enter_context(store().local(tenant, version.serving.digest)),
                runtime=version.runtime,
                isolated=version.isolated,
                signature=msgspec.convert(version.signature, Signature),
                keep=tuple(said["columns"]),
                form=said["format"],
                python=interpreter(version.environment, settings.MODELYARD.environments)
                if version.environment
                else None,
            )
            return kept.Kept(Scorer(wanted, scratch, limits), closed)
    except BaseException:
        closed()
        raise
