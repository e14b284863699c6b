"""Every write of training: a job is asked for."""

from functools import cache
from typing import Any

from django.conf import settings
from django.db import transaction

from modelyard.control.jobs.models import Job
from modelyard.control.jobs.services import submit
from modelyard.control.registry import facts
from modelyard.control.registry.models import Dataset, DatasetState, Model
from modelyard.control.tenancy.models import Scope
from modelyard.control.tenancy.services import Actor, record, require
from modelyard.core.errors import Conflict, NotFound
from modelyard.core.reference import check_name
from modelyard.trainers.parameters import read
from modelyard.trainers.schema import Schema
from modelyard.trainers.table import Trainers, find, trainers_of

KIND = "training"
MOST_BYTES = facts.MAX_MANIFEST_BYTES // 2
"""Of the parameters, which become a part of the version's manifest."""


@cache
def known_trainers() -> Trainers:
    """Return the trainers that this server has."""
    return trainers_of(settings.MODELYARD)


def train(
    *,
    actor: Actor,
    trainer: str,
    model: str,
    dataset: Dataset,
    parameters: dict[str, Any],
    description: str = "",
) -> Job:
    """Ask for a version of `model`, made by `trainer` of `dataset`; a model that there is none of is made with it.

    Raises:
        ModelyardError: as `check_training` says.
    """
    check_training(
        actor=actor, trainer=trainer, model=model, dataset=dataset, parameters=parameters, description=description
    )
    payload = payload_of(trainer, model, dataset, parameters, description)
    with transaction.atomic():
        job = submit(tenant=actor.tenant, kind=KIND, payload=payload, created_by=actor.name)
        note(actor, job)
    return job


def check_training(
    *,
    actor: Actor,
    trainer: str,
    model: str,
    dataset: Dataset,
    parameters: dict[str, Any],
    description: str = "",
) -> None:
    """Let pass what can be asked for, as far as that is known without a row.

    Raises:
        InvalidInput: when the name can be no model's, the trainer is unknown, or can say without the rows that it will
            not do.
        Conflict: when the dataset is not ready.
    """
    require(actor, Scope.WRITE)
    check_name(model, "a model")
    given = read_asked(trainer, parameters, description)
    if dataset.tenant_id != actor.tenant.pk:
        raise NotFound(f"there is no dataset {dataset}", what="dataset")
    check_dataset(trainer, given, dataset)


def read_asked(trainer: str, parameters: dict[str, Any], description: str) -> Any:
    """Return the parameters as the trainer takes them.

    Raises:
        InvalidInput: when something asked for does not fit, whatever the dataset.
    """
    facts.check_json(parameters, "parameters", MOST_BYTES, depth=1)
    facts.check_text(description, "description")
    return read(find(known_trainers(), trainer).Parameters, parameters)


def check_dataset(trainer: str, given: Any, dataset: Dataset) -> None:
    """Let pass a dataset that can be trained on, as far as is known without its rows.

    Raises:
        InvalidInput: when the trainer says that it will not do.
        Conflict: when the dataset is not ready.
    """
    if dataset.state != DatasetState.READY or dataset.n_rows is None:
        raise Conflict(f"{dataset} is {dataset.state}: train on one that is ready{dataset.refused_because}")
    find(known_trainers(), trainer).check(given, Schema.of(dataset.n_rows, dataset.summary))


def payload_of(
    trainer: str, model: str, dataset: Dataset, parameters: dict[str, Any], description: str
) -> dict[str, Any]:
    """Return the payload of a training.

    Raises:
        InvalidInput: when the name can be no model's.
    """
    known = Model.objects.filter(tenant=dataset.tenant_id, name=check_name(model, "a model"))
    return {
        "trainer": trainer,
        "model": model,
        "dataset": str(dataset),
        "parameters": parameters,
        "description": description,
        **({} if known.exists() else {"makes_model": True}),
    }


def note(actor: Actor, job: Job) -> None:
    """Record that a training was asked for."""
    model, asked = job.payload["model"], job.payload
    details = {"trainer": asked["trainer"], "dataset": asked["dataset"], "job": str(job.pk)}
    record(actor=actor, verb="model.train", subject=f"model:{model}", details=details)
