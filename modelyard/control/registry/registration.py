"""The job that examines what was uploaded, and makes the version `ready` or `refused`."""

import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from modelyard.artifacts.store import Stored
from modelyard.control.jobs.models import Job
from modelyard.control.jobs.reporting import Report
from modelyard.control.jobs.services import completing
from modelyard.control.registry.models import Version, VersionFile, VersionState
from modelyard.control.registry.services import MODEL_ROLE, SAMPLE_ROLE, lock_model, mark_changed
from modelyard.control.registry.storage import SCRATCH, store
from modelyard.control.registry.uploads import lock, release, release_later
from modelyard.control.tenancy.audit import plain
from modelyard.control.tenancy.services import record, system_actor
from modelyard.core.errors import InvalidInput, ModelRefused, ModelyardError, NotFound, TooLarge, UnsupportedFormat
from modelyard.core.signature import Signature
from modelyard.sandbox.elsewhere import examine_where
from modelyard.sandbox.examination import Examined
from modelyard.sandbox.limits import Limits

CHUNK_BYTES = 1 << 20
FILES_AT_FAULT = (ModelRefused, InvalidInput, UnsupportedFormat, TooLarge)
"""Errors that say something of the files, which then are not kept. After others (a full disk, say) they are."""


class Registration:
    """Does jobs of the kind "registration"; see `jobs.handlers.Handler`."""

    def run(self, job: Job, report: Report) -> dict[str, Any]:
        version = Version.objects.select_related("tenant", "model").filter(job=job).first()
        if version is None or version.state != VersionState.CHECKING:
            return {"state": version.state if version else "deleted"}
        limits = Limits.of(settings.MODELYARD)
        scratch = new_scratch()
        try:
            report(0.1, "opening the files in the sandbox")
            found, stored, environment = _examine(version, scratch, limits)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        try:
            _make_ready(job, version, found, stored, environment)
        except BaseException:
            release(version.tenant, [stored.digest])
            raise
        return {}

    def failed(self, job: Job, error: ModelyardError) -> None:
        version = Version.objects.select_related("tenant", "model").filter(job=job, state=VersionState.CHECKING).first()
        if version is None:
            return
        if not version.model.revision:
            mark_changed(version.model)  # else the data plane would say that there is no such model
        files = list(version.files.select_related("artifact"))
        refusal = {
            "code": error.code,
            "message": error.message,
            "details": plain(error.details),
            "files": [file.facts() for file in files],
        }
        Version.objects.filter(pk=version.pk).update(
            state=VersionState.REFUSED, refusal=refusal, checked_at=timezone.now()
        )
        if isinstance(error, FILES_AT_FAULT):
            VersionFile.objects.filter(version=version).delete()
            release_later(version.tenant, [file.artifact.digest for file in files])
        _record(version, "version.refuse", {"code": error.code, "message": error.message})


def new_scratch() -> Path:
    """Return an empty folder for one examination. A killed worker's stays, until the housekeeper takes it."""
    folder: Path = settings.MODELYARD.home / SCRATCH
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix="registration-", dir=folder))


def _examine(version: Version, scratch: Path, limits: Limits) -> tuple[Examined, Stored, str]:
    """Examine the version's files, and put what will be served into the store while they are still at hand; return
    the Python environment that it needs too."""
    tenant = str(version.tenant_id)
    files: dict[str, list[tuple[str, Path]]] = {MODEL_ROLE: [], SAMPLE_ROLE: []}
    with ExitStack() as opened:
        for file in version.files.select_related("artifact"):
            path = opened.enter_context(store().local(tenant, file.artifact.digest))
            files[file.role].append((file.filename, path))
        found, environment = examine_where(
            files[MODEL_ROLE],
            environment=version.environment,
            known=settings.MODELYARD.environments,
            sample=files[SAMPLE_ROLE][0] if files[SAMPLE_ROLE] else None,
            signature=msgspec.convert(version.signature, Signature) if version.signature else None,
            runs_code=version.tenant.runs_code,
            scratch=scratch,
            limits=limits,
        )
        largest = max(limits.scratch_bytes, int(settings.MODELYARD.max_upload_bytes))
        with found.serving.open("rb") as served:
            stored = store().put(tenant, iter(lambda: served.read(CHUNK_BYTES), b""), largest)
    with transaction.atomic():
        lock(version.tenant, [stored], make=True)
    return found, stored, environment


def _make_ready(job: Job, version: Version, found: Examined, stored: Stored, environment: str = "") -> None:
    outcome = {"state": "ready", "model": version.model.name, "number": version.number, "digest": stored.digest}
    manifest = {**version.manifest, "packages": {**found.packages, **version.manifest.get("packages", {})}}
    if environment:
        # what the client has captured is its own process, which cannot have written such a file
        packages = {**manifest["packages"], **found.packages}
        manifest = {**manifest, "packages": packages, "environment": environment}
    with completing(job, outcome):
        artifact = lock(version.tenant, [stored])[stored.digest]
        try:
            model = lock_model(system_actor(version.tenant, "worker"), version.model)
        except NotFound:
            outcome["state"] = "deleted"
            return
        ready = Version.objects.filter(pk=version.pk, state=VersionState.CHECKING).update(
            state=VersionState.READY,
            format=found.format,
            runtime=found.runtime,
            isolated=found.isolated,
            measured=found.measured,
            environment=environment,
            signature=msgspec.to_builtins(found.signature),
            sample=found.sample,
            report=found.report,
            manifest=manifest,
            serving=artifact,
            checked_at=timezone.now(),
        )
        if ready:
            mark_changed(model)
            _record(
                version,
                "version.ready",
                {"digest": stored.digest, "isolated": found.isolated, "environment": environment},
            )


def _record(version: Version, verb: str, details: dict[str, Any]) -> None:
    actor = system_actor(version.tenant, "worker")
    record(actor=actor, verb=verb, subject=f"version:{version.model.name}:{version.number}", details=details)
