"""The job that makes a file of stored answers of a scoring's result, and has answers told from it."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
from django.db import transaction

from modelyard.artifacts.checking import room
from modelyard.artifacts.store import Stored
from modelyard.control.jobs.children import run_in_child
from modelyard.control.jobs.handlers import named_in
from modelyard.control.jobs.models import Job
from modelyard.control.jobs.reporting import Report
from modelyard.control.jobs.services import completing
from modelyard.control.precomputed.results import columns_of
from modelyard.control.precomputed.services import publish
from modelyard.control.registry.finding import find_version
from modelyard.control.registry.locks import lock_model, lock_version
from modelyard.control.registry.models import Version
from modelyard.control.registry.registration import CHUNK_BYTES, new_scratch
from modelyard.control.registry.storage import store
from modelyard.control.registry.uploads import lock, release
from modelyard.control.tenancy.services import Actor, system_actor
from modelyard.core.errors import Conflict, ModelRefused, ModelyardError, NotFound
from modelyard.core.signature import Signature
from modelyard.sandbox.examination import checked, new_folder, take_left
from modelyard.sandbox.limits import Limits
from modelyard.tables.precomputing import FILE, PRELOAD

PRECOMPUTE = "modelyard.tables.precomputing:precompute"


class Made(msgspec.Struct, frozen=True):
    """What the child says: answers that it stored, and rows that had none."""

    rows: int
    skipped: int


class Precomputing:
    """Does jobs of the kind "precomputing"; see `jobs.handlers.Handler`."""

    repeatable = True

    def run(self, job: Job, report: Report) -> dict[str, Any]:
        version = find_version(job.tenant, job.payload["model"], job.payload["version"])
        report(0.05, "sorting the answers by entity")
        scratch = new_scratch()
        try:
            made, stored = _make(job, version, scratch, report)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        try:
            _publish(job, version, made, stored)
        except BaseException:
            release(job.tenant, [stored.digest])
            raise
        return {}

    def about(self, job: Job) -> str:
        return named_in({**job.payload, "number": job.payload.get("version")})

    def failed(self, job: Job, error: ModelyardError) -> None:
        """Nothing follows: what answered before answers on."""


def _make(job: Job, version: Version, scratch: Path, report: Report) -> tuple[Made, Stored]:
    """Let a child write the file, and put that into the store."""
    tenant, folder = str(job.tenant_id), new_folder(scratch, "made")
    bounds = Limits(scratch_bytes=job.limits.output_bytes)
    columns = columns_of(msgspec.convert(version.signature, Signature))
    try:
        path = scratch / "result.parquet"
        with room(), path.open("xb") as file:
            for piece in job.payload["pieces"]:
                file.writelines(store().open(tenant, piece))
    except NotFound:
        raise Conflict("the scoring's result is not there any more: score again") from None
    arguments = {
        "path": str(path.resolve()),
        "scratch": str(folder.resolve()),
        "entity": job.payload["entity"],
        "columns": msgspec.to_builtins(columns),
    }
    said = run_in_child(job, PRECOMPUTE, arguments, read=[path], scratch=folder, preload=PRELOAD)
    made = checked(said, Made)
    report(0.8, f"keeping {made.rows:,} answers")
    taken = take_left(folder / FILE, scratch / FILE, bounds)
    if taken is None:
        raise ModelRefused("the process that sorted the answers left no file")
    with taken.open("rb") as written:
        stored = store().put(tenant, iter(lambda: written.read(CHUNK_BYTES), b""), bounds.scratch_bytes)
    with transaction.atomic():
        lock(job.tenant, [stored], make=True)
    return made, stored


def _publish(job: Job, version: Version, made: Made, stored: Stored) -> None:
    actor, outcome = _actor(job), {"model": version.model.name, "version": version.number, "digest": stored.digest}
    with completing(job, outcome):
        artifact = lock(job.tenant, [stored])[stored.digest]
        lock_model(actor, version.model)
        row = publish(
            actor=actor,
            model=version.model,
            artifact=artifact,
            job=job,
            version=lock_version(actor, version),
            version_number=version.number,
            entity=job.payload["entity"],
            n_rows=made.rows,
            n_skipped=made.skipped,
            dataset=job.payload["dataset"],
            scoring=Job.objects.of(job.tenant).filter(pk=job.payload["scoring"]).first(),
        )
        outcome |= {"number": row.number, "rows": row.n_rows, "skipped": row.n_skipped}


def _actor(job: Job) -> Actor:
    """Return the system, in the name of who asked for the job."""
    return replace(system_actor(job.tenant, "worker"), name=job.created_by)
