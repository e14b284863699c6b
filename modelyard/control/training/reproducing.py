"""Training a version again: what must be there for it, and the job that is asked for."""

from typing import Any

from django.conf import settings
from django.db import transaction

from modelyard.control.jobs.models import Job
from modelyard.control.jobs.services import submit
from modelyard.control.registry.models import Dataset, Version, VersionState
from modelyard.control.registry.uploads import has_bytes
from modelyard.control.tenancy.models import Scope
from modelyard.control.tenancy.services import Actor, record, require
from modelyard.control.training.services import known_trainers
from modelyard.core.errors import Conflict
from modelyard.core.metrics import nearest
from modelyard.trainers.table import version_of

KIND = "reproduction"


def reproduce(*, actor: Actor, version: Version) -> Job:
    """Ask for the version's training to be run again and compared with it; nothing is registered.

    Raises:
        Conflict: when the version was not trained here, is not ready, or what it was made with is not there any more.
    """
    require(actor, Scope.WRITE)
    payload = {
        "model": version.model.name,
        "number": version.number,
        "trainer": trainer_of(version),
        "parameters": version.manifest.get("parameters", {}),
        "dataset": str(dataset_of(version)),
    }
    with transaction.atomic():
        job = submit(tenant=actor.tenant, kind=KIND, payload=payload, created_by=actor.name)
        record(actor=actor, verb="version.reproduce", subject=f"version:{version}", details={"job": str(job.pk)})
    return job


def trainer_of(version: Version) -> str:
    """Return the trainer that made the version, and can make it again.

    Raises:
        Conflict: see `reproduce`.
    """
    if not version.training:
        raise Conflict(
            f"{version} was pushed, not trained here: neither its trainer nor its parameters are known; "
            "train it with `modelyard train`, and what comes of that can be reproduced"
        )
    if version.state != VersionState.READY:
        raise Conflict(f"{version} is {version.state}: expected one that is ready{version.refused_because}")
    name, then = str(version.training["trainer"]), version.training.get("version")
    known = known_trainers()
    if name not in known:
        raise Conflict(
            f"{version} was trained by `{name}`, which this server does not have ({nearest(name, known)}): "
            "install its package again, or name it in MODELYARD_TRAINERS"
        )
    now = version_of(known[name])
    if then is not None and then != now:
        raise Conflict(
            f"{version} was trained by version {then or '(none)'} of `{name}`, and here is version {now or '(none)'}, "
            "which makes other models: install the release that has the former"
        )
    _check_environment(version)
    return name


def _check_environment(version: Version) -> None:
    known: dict[str, Any] = dict(settings.MODELYARD.environments)
    if version.environment and version.environment not in known:
        raise Conflict(
            f"{version} needs the Python environment `{version.environment}`, which this server does not have: "
            "name it in MODELYARD_ENVIRONMENTS"
        )


def dataset_of(version: Version) -> Dataset:
    """Return the dataset that the version learnt from, by its digest; its own, where that is there still.

    Raises:
        Conflict: when it, or its bytes, are not there any more.
    """
    digest = str(version.manifest.get("data_digest") or "").removeprefix("sha256:")
    rows = list(Dataset.objects.of(version.tenant).with_facts().ready().filter(artifact__digest=digest).order_by("pk"))
    found = next((row for row in rows if row.pk == version.dataset_id), rows[0] if rows else None)
    if found is None:
        raise Conflict(
            f"no dataset holds what {version} learnt from (sha256 {digest[:16]}…), it is deleted: push the same "
            "table again, under any name"
        )
    if not has_bytes(version.tenant, digest):
        raise Conflict(
            f"the bytes of {found}, which {version} learnt from, are not in the store any more (sha256 {digest[:16]}…)"
            ": bring them back from a backup, or push the same table again"
        )
    return found
