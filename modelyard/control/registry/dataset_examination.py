"""The job that examines what is to be a dataset, and makes it `ready` or `refused`."""

import shutil
from pathlib import Path
from typing import Any

import msgspec
from django.db import transaction
from django.utils import timezone

from modelyard.artifacts.store import Stored
from modelyard.control.jobs.models import Job
from modelyard.control.jobs.reporting import Report
from modelyard.control.jobs.services import completing
from modelyard.control.registry.dataset_models import Dataset, DatasetState
from modelyard.control.registry.datasets import UPLOAD_SETTING, limits
from modelyard.control.registry.registration import CHUNK_BYTES, new_scratch
from modelyard.control.registry.sources import SOURCES
from modelyard.control.registry.storage import store
from modelyard.control.registry.uploads import lock, release, release_later
from modelyard.control.rest.limits import most_bytes, upload_too_large
from modelyard.control.tenancy.audit import plain
from modelyard.control.tenancy.services import record, system_actor
from modelyard.core.errors import DatasetRefused, ModelRefused, ModelyardError, TooLarge
from modelyard.sandbox.examination import checked, new_folder, take_left
from modelyard.sandbox.findings import kept
from modelyard.sandbox.run import run
from modelyard.tables.examining import PRELOAD, TABLE
from modelyard.tables.facts import Examined

EXAMINE = "modelyard.tables.examining:examine"


class Examination:
    """Does jobs of the kind "dataset"; see `jobs.handlers.Handler`."""

    def run(self, job: Job, report: Report) -> dict[str, Any]:
        dataset = Dataset.objects.select_related("tenant", "upload").filter(job=job).first()
        if dataset is None or dataset.state != DatasetState.CHECKING:
            return {"state": dataset.state if dataset else "deleted"}
        scratch = new_scratch()
        try:
            if dataset.upload is None:
                report(0.0, "fetching the rows")
                _fetch(dataset, scratch)
            report(0.1, "reading the table in the sandbox")
            found, stored = _examine(dataset, scratch)
        except ModelRefused as error:  # the sandbox's word for whatever it stopped
            raise DatasetRefused(error.message, **error.details) from None
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        try:
            _make_ready(job, dataset, found, stored)
        except BaseException:
            release(dataset.tenant, [stored.digest])
            raise
        return {}

    def failed(self, job: Job, error: ModelyardError) -> None:
        dataset = (
            Dataset.objects.select_related("tenant", "upload").filter(job=job, state=DatasetState.CHECKING).first()
        )
        if dataset is None:
            return
        refusal = {"code": error.code, "message": error.message, "details": plain(error.details)}
        Dataset.objects.filter(pk=dataset.pk).update(
            state=DatasetState.REFUSED, refusal=refusal, upload=None, checked_at=timezone.now()
        )
        if dataset.upload is not None:
            release_later(dataset.tenant, [dataset.upload.digest])
        _record(dataset, "dataset.refuse", {"code": error.code, "message": error.message})


def _fetch(dataset: Dataset, scratch: Path) -> None:
    """Put what the dataset's source holds now into the store, as if it had been uploaded."""
    source = SOURCES.get(dataset.source["kind"])
    if source is None:
        raise DatasetRefused("what was sent is not there any more: send it again")
    most = most_bytes(UPLOAD_SETTING)
    try:
        chunks = source.fetch(dataset.source, new_folder(scratch, "fetched"), most)
        stored = store().put(str(dataset.tenant_id), chunks, most)
    except TooLarge:
        raise upload_too_large(UPLOAD_SETTING) from None
    with transaction.atomic():
        artifact = lock(dataset.tenant, [stored], make=True)[stored.digest]
        Dataset.objects.filter(pk=dataset.pk, state=DatasetState.CHECKING).update(
            upload=artifact, original_digest=stored.digest, original_bytes=stored.size_bytes
        )
    dataset.upload = artifact


def _examine(dataset: Dataset, scratch: Path) -> tuple[Examined, Stored]:
    """Let a child write the table, and put that into the store."""
    tenant, bounds = str(dataset.tenant_id), limits()
    folder = new_folder(scratch, "examined")
    if dataset.upload is None:
        raise DatasetRefused("what was sent is not there any more: send it again")
    with store().local(tenant, dataset.upload.digest) as path:
        arguments = {
            "path": str(path.resolve()),
            "form": dataset.format,
            "types": dataset.given,
            "scratch": str(folder.resolve()),
            "query": "query" in dataset.source,
        }
        said = run(EXAMINE, arguments, read=[path], scratch=folder, limits=bounds, preload=PRELOAD)
    found = checked(said, Examined)
    table = take_left(folder / TABLE, scratch / TABLE, bounds)
    if table is None:
        raise DatasetRefused("the process that read the file left no table")
    with table.open("rb") as written:
        stored = store().put(tenant, iter(lambda: written.read(CHUNK_BYTES), b""), bounds.scratch_bytes)
    with transaction.atomic():
        lock(dataset.tenant, [stored], make=True)
    return found, stored


def _make_ready(job: Job, dataset: Dataset, found: Examined, stored: Stored) -> None:
    outcome = {"state": "ready", "dataset": str(dataset), "digest": stored.digest, "n_rows": found.n_rows}
    with completing(job, outcome):
        artifact = lock(dataset.tenant, [stored])[stored.digest]
        ready = Dataset.objects.filter(pk=dataset.pk, state=DatasetState.CHECKING).update(
            state=DatasetState.READY,
            artifact=artifact,
            upload=None,
            columns=kept(msgspec.to_builtins(found.columns)),
            summary=kept(msgspec.to_builtins(found.summary)),
            head=kept(found.head),
            n_rows=found.n_rows,
            checked_at=timezone.now(),
        )
        if not ready:
            outcome["state"] = "deleted"
            return
        release_later(dataset.tenant, [dataset.upload.digest] if dataset.upload else [])
        _record(dataset, "dataset.ready", {"digest": stored.digest, "n_rows": found.n_rows})


def _record(dataset: Dataset, verb: str, details: dict[str, Any]) -> None:
    actor = system_actor(dataset.tenant, "worker")
    record(actor=actor, verb=verb, subject=f"dataset:{dataset}", details=details)
