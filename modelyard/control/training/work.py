"""The job that trains: fits in the sandbox, keeps what came of it, and has it registered as a version."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
from django.conf import settings

from modelyard.control.jobs.children import run_in_child
from modelyard.control.jobs.models import Job
from modelyard.control.jobs.reporting import Report
from modelyard.control.jobs.services import holding
from modelyard.control.registry.finding import find_dataset, find_model
from modelyard.control.registry.models import Dataset, Model, Version, VersionState
from modelyard.control.registry.registration import CHUNK_BYTES, new_scratch
from modelyard.control.registry.services import KIND as REGISTRATION
from modelyard.control.registry.services import create_model, register_version
from modelyard.control.registry.uploads import Upload, keep_upload, release
from modelyard.control.tenancy.services import Actor, record, system_actor
from modelyard.control.training.progress import followed, telling
from modelyard.control.training.searching import searched
from modelyard.control.training.services import KIND, known_trainers
from modelyard.control.training.tables import table_of
from modelyard.core.errors import Cancelled, Conflict, ModelRefused, ModelyardError
from modelyard.sandbox.examination import checked, new_folder, take_left
from modelyard.sandbox.findings import kept
from modelyard.sandbox.limits import Limits
from modelyard.trainers.parameters import read
from modelyard.trainers.running import PRELOAD, SCORES
from modelyard.trainers.size import too_large
from modelyard.trainers.surroundings import code_of, surroundings
from modelyard.trainers.table import modules_of, version_of
from modelyard.trainers.tabular.searching import Score
from modelyard.trainers.trainer import Fitted

TRAIN = "modelyard.trainers.running:train"
SETTLE = "modelyard.trainers.running:settle"
OUT = "out"
MOST_FILES = 16
FITTED = 0.9
"""How far the work is when the model is fitted; the rest is its registration."""


class Training:
    """Does jobs of the kind "training"; see `jobs.handlers.Handler`."""

    repeatable = True

    def run(self, job: Job, report: Report) -> dict[str, Any]:
        if job.parts.filter(kind=REGISTRATION).exists():
            return _outcome(job)
        dataset = find_dataset(job.tenant, job.payload["dataset"])
        scores = searched(job, dataset)
        if scores is None:
            return {}
        scratch = new_scratch()
        try:
            fitted, uploads = _fit(job, dataset, scratch, report, scores)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        try:
            report(FITTED, "registering the version", metrics=fitted.metrics)
            report.log("registering the version")
            _register(job, dataset, fitted, uploads)
        except BaseException:
            release(job.tenant, [upload.stored.digest for upload in uploads])
            raise
        return {}

    def failed(self, job: Job, error: ModelyardError) -> None:
        """Record that the operator cancelled it with the job for several tenants, which is not this tenant's. Else
        nothing follows: a version that is half made would be one of its registration, which says itself why."""
        if not isinstance(error, Cancelled) or job.parent is None or job.own_parent is not None:
            return
        if (by := job.parent.cancelled_by) and error.details["by"] == by:
            actor, details = replace(_actor(job), name=by), {"kind": job.kind}
            record(actor=actor, verb="job.cancel", subject=f"job:{job.pk}", details=details)


def _fit(
    job: Job, dataset: Dataset, scratch: Path, report: Report, scores: Sequence[Score]
) -> tuple[Fitted, list[Upload]]:
    """Fit, and keep the files; the sample is the last, where there is one."""
    fitted, files = fit(job, dataset, scratch, report, scores)
    return fitted, _keep(job, files)


def fit(
    job: Job, dataset: Dataset, scratch: Path, report: Report, scores: Sequence[Score] = ()
) -> tuple[Fitted, list[Path]]:
    """Let a child fit what the job's payload asks for, and take the files that it left, by the names that it gave
    them; the sample is the last, where there is one.

    `scores` are those of all candidates, where the parts of a search have measured them.
    """
    folder = new_folder(scratch, "fitting")
    with table_of(dataset) as path, followed(folder, telling(report, FITTED)):
        arguments = {
            "dataset": str(path.resolve()),
            "parameters": job.payload["parameters"],
            "scratch": str(folder.resolve()),
            "most_bytes": settings.MODELYARD.max_upload_bytes if job.kind == KIND else 0,
        }
        if scores:
            (folder / SCORES).write_bytes(msgspec.json.Encoder().encode_lines(scores))
        else:
            arguments |= {
                "trainer": job.payload["trainer"],
                "paths": list(settings.MODELYARD.trainers),
                "functions": list(settings.MODELYARD.training_functions),
            }
        said = run_in_child(
            job,
            SETTLE if scores else TRAIN,
            arguments,
            read=[path],
            scratch=folder,
            preload=PRELOAD,
            doing="the training",
        )
    fitted = checked(said, Fitted)
    return fitted, _take(job, fitted, folder / OUT, new_folder(scratch, "taken"))


def _take(job: Job, fitted: Fitted, left: Path, taken: Path) -> list[Path]:
    """Take the files from where the child left them. Their names are its word: each must be a plain name there."""
    names = [*fitted.files, *([fitted.sample] if fitted.sample else [])]
    if not fitted.files or len(names) > MOST_FILES or any(Path(name).name != name for name in names):
        raise ModelRefused("the trainer left no files that a version could be made of")
    bounds = Limits(scratch_bytes=job.limits.output_bytes)
    found = []
    for name in names:
        path = take_left(left / name, taken / name, bounds)
        if path is None:
            raise ModelRefused(f"the trainer left no file `{name}`, which it names")
        found.append(path)
    return found


def _keep(job: Job, files: list[Path]) -> list[Upload]:
    actor, most = _actor(job), settings.MODELYARD.max_upload_bytes
    if sum(path.stat().st_size for path in files) > most:
        raise too_large(most, f"let the trainer `{job.payload['trainer']}` make a smaller one")
    uploads: list[Upload] = []
    try:
        for path in files:
            uploads.append(keep_upload(actor=actor, filename=path.name, chunks=_chunks(path)))
    except BaseException:
        release(job.tenant, [upload.stored.digest for upload in uploads])
        raise
    return uploads


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(CHUNK_BYTES):
            yield piece


def _register(job: Job, dataset: Dataset, fitted: Fitted, uploads: list[Upload]) -> None:
    """Make the version, its model where there was none, and hand the job on to its registration: one transaction."""
    warnings = msgspec.to_builtins(fitted.warnings)
    told = {
        "trainer": job.payload["trainer"],
        "version": version_of(known_trainers()[job.payload["trainer"]]),
        "report": fitted.report,
        "warnings": warnings,
    }
    with holding(job):
        register_version(
            actor=_actor(job),
            model=_model(job),
            files=uploads[: len(fitted.files)],
            sample=uploads[-1] if fitted.sample else None,
            metrics=fitted.metrics,
            manifest=_manifest(job, dataset),
            description=job.payload["description"],
            dataset=dataset,
            training=kept(told),
            baseline=kept(msgspec.to_builtins(fitted.baseline)),
            part_of=job,
        )


def _model(job: Job) -> Model:
    """Return the model, made where there was none when the training was asked for: a training that fails leaves none.

    Raises:
        NotFound: when there was one, which is gone.
    """
    name = job.payload["model"]
    if job.payload.get("makes_model") and not Model.objects.of(job.tenant).filter(name=name).exists():
        with suppress(Conflict):  # somebody else made it in between
            create_model(actor=_actor(job), name=name)
    return find_model(job.tenant, name)


def _manifest(job: Job, dataset: Dataset) -> dict[str, Any]:
    """Return what is needed to train again; what opens the files is added when the version is examined."""
    parameters, trainer = job.payload["parameters"], known_trainers()[job.payload["trainer"]]
    return {
        "code": code_of(trainer.name),
        "data_digest": f"sha256:{dataset.artifact.digest}" if dataset.artifact else None,
        "parameters": parameters,
        "seed": parameters.get("seed", 0),
        **surroundings(modules_of(trainer, read(trainer.Parameters, parameters))),
        "time_zone": "UTC",
        "locale": "C",
    }


def _actor(job: Job) -> Actor:
    """Return the system, in the name of who asked for the job."""
    return replace(system_actor(job.tenant, "worker"), name=job.created_by)


def _outcome(job: Job) -> dict[str, Any]:
    """Return what the registration, the job's part, came to.

    Raises:
        ModelRefused: when the version was refused.
    """
    version = Version.objects.select_related("model").filter(job__parent=job).order_by("-pk").first()
    if version is None:
        return {"state": "deleted"}
    if version.state != VersionState.READY:
        said = (version.refusal or {}).get("message", "its registration ended without a word")
        raise ModelRefused(f"{version} is {version.state}: {said}")
    return {"state": "ready", "model": version.model.name, "number": version.number, "metrics": version.metrics}
