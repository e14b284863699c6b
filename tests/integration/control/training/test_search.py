"""A search that is spread over parts, with the real sandbox."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rest_framework.test import APIClient
from sklearn.datasets import load_iris

from modelyard.control.jobs import services, sweeper
from modelyard.control.jobs.models import Job, State
from modelyard.control.jobs.services import claim
from modelyard.control.jobs.work import perform
from modelyard.control.registry.models import Dataset, Version, VersionState
from modelyard.control.tenancy.models import Tenant
from modelyard.control.tenancy.services import Actor
from modelyard.control.training import searching as spreading
from modelyard.control.training.reproducing import reproduce
from modelyard.control.training.tables import table_of
from modelyard.core.errors import LimitExceeded, ModelRefused
from modelyard.core.settings import MIB, Settings
from modelyard.trainers.parameters import read
from modelyard.trainers.running import evaluate
from modelyard.trainers.tabular import searching
from modelyard.trainers.tabular.trainer import TabularTrainer
from tests.integration.control import tables
from tests.integration.control.jobs.test_services import expire

pytestmark = pytest.mark.django_db(transaction=True)

NEIGHBOURS = {
    "target": "species",
    "estimator": "KNeighborsClassifier",
    "search": {"space": {"n_neighbors": [1, 3, 5000, 5]}, "folds": 3},
}


@pytest.fixture
def dataset(admin: Actor) -> Dataset:
    data = load_iris(as_frame=True)
    frame = data.frame.assign(species=data.target_names[data.target]).drop(columns="target")
    frame.columns = ["sepal_length", "sepal_width", "petal_length", "petal_width", "species"]
    return tables.ready(admin, frame.to_csv(index=False).encode(), name="iris", filename="iris.csv")


@pytest.fixture
def submitted(
    caller: Callable[..., APIClient], tenant: Tenant, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Job]:
    """Ask for a training whose search is large enough to be spread, and let its first turn make the parts."""
    monkeypatch.setattr(searching, "LEAST_ROWS", 900)  # two of the four candidates: 2 x 3 folds x 150 rows

    def submit(parameters: dict[str, Any]) -> Job:
        body = {"model": "iris", "dataset": "iris", "parameters": parameters}
        answer = caller(tenant, "write").post("/api/v1/trainers/tabular/train", body, format="json")
        assert answer.status_code == 201, answer.content
        job = Job.objects.get(pk=answer.json()["id"])
        perform(job.pk)
        return job

    return submit


def parts_of(job: Job) -> list[Job]:
    return list(job.parts.order_by("part"))


def test_what_parts_measure_makes_the_bytes_of_one_process(
    submitted: Callable[..., Job], dataset: Dataset, admin: Actor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that dies costs its part; a candidate that cannot be fitted is told of; it is reproduced either way."""
    job = submitted(NEIGHBOURS)
    first, second = parts_of(job)
    assert [part.payload for part in (first, second)] == [{"first": 0, "last": 2}, {"first": 2, "last": 4}]
    perform(first.pk)
    job.refresh_from_db()
    assert job.message.startswith("2 of 4 candidates, best balanced_accuracy so far 0.9")
    assert list(job.metrics) == ["balanced_accuracy"]
    claim(second.pk, "a worker that dies")
    expire(second)
    assert sweeper.sweep_leases() == 1
    perform(second.pk)
    assert [(part.token, part.state) for part in parts_of(job)] == [(1, State.SUCCEEDED), (2, State.SUCCEEDED)]
    perform(job.pk)
    version = Version.objects.get()

    trainer = TabularTrainer()
    with table_of(dataset) as path:
        trainer.fit(path, read(trainer.Parameters, NEIGHBOURS), lambda *said, **metrics: None, tmp_path)
    report, alone = version.training["report"], (tmp_path / "report.json").read_text()
    assert {**report, "platform": ""} == {**json.loads(alone), "platform": ""}
    assert "n_neighbors" in report["search"][2]["failure"]
    assert report["search"][2]["value"] is None

    Version.objects.update(state=VersionState.READY)  # as its examination would make it
    version.refresh_from_db()
    assert [part.payload for part in _reproduced(version, admin)] == [first.payload, second.payload]
    monkeypatch.setattr(searching, "LEAST_ROWS", 10**9)
    assert _reproduced(version, admin) == []


def _reproduced(version: Version, actor: Actor) -> list[Job]:
    """Train the version again, with equal bytes, and return the parts in which that was done."""
    job = reproduce(actor=actor, version=version)
    perform(job.pk)
    for part in parts_of(job):
        perform(part.pk)
        perform(job.pk)
    job.refresh_from_db()
    assert job.state == State.SUCCEEDED, job.error
    assert job.outcome["equal"], job.outcome
    assert job.outcome["artifacts"]["equal"]
    return parts_of(job)


def test_a_candidate_that_needs_too_much_memory_costs_itself_alone(
    submitted: Callable[..., Job], settings: Any
) -> None:
    settings.MODELYARD = Settings.read({}, home=settings.MODELYARD.home, job_memory_bytes=700 * MIB)
    layers = {"hidden_layer_sizes": [[4], [5000, 5000], [2]], "max_iter": [2]}
    job = submitted(
        {"target": "species", "estimator": "MLPClassifier", "search": {"space": layers, "folds": 4}},
    )
    (part, *_) = [part for part in parts_of(job) if part.payload["last"] - part.payload["first"] == 2]
    perform(part.pk)
    part.refresh_from_db()
    assert (part.state, part.attempts) == (State.SUCCEEDED, 0), part.error
    told = {score["number"]: score["failure"] for score in part.outcome["scores"]}
    assert told[1] == "it needed more than 700 MiB of memory"
    assert [reason for number, reason in told.items() if number != 1] == [None]


def test_a_part_whose_time_is_over_keeps_what_it_measured(
    submitted: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was not measured is told of with the reason; a part that measured nothing is tried again."""

    def measure_one(job: Job, target: str, arguments: dict[str, Any], **rest: Any) -> None:
        if job.payload["first"] == 0:
            evaluate(**{**arguments, "last": 1})
        raise LimitExceeded("it took longer than 5 s", limit="time")

    job = submitted(NEIGHBOURS)
    monkeypatch.setattr(spreading, "run_in_child", measure_one)
    for part in parts_of(job):
        perform(part.pk)
    first, second = parts_of(job)
    assert [(part.state, part.attempts) for part in (first, second)] == [(State.SUCCEEDED, 0), (State.QUEUED, 1)]
    measured, left = first.outcome["scores"]
    assert measured["value"] > 0.9
    assert (left["value"], left["failure"]) == (None, "its part of the search was ended: it took longer than 5 s")


def test_parts_that_all_fail_fail_the_training_with_their_reasons(submitted: Callable[..., Job]) -> None:
    job = submitted(NEIGHBOURS)
    for part, reason in zip(parts_of(job), ("no room", "no time"), strict=True):
        held = claim(part.pk, "w")
        assert held is not None
        services.fail(held, ModelRefused(reason))
    perform(job.pk)
    job.refresh_from_db()
    assert job.state == State.FAILED
    assert "no room (2 times)" in job.error["message"]
    assert "no time (2 times)" in job.error["message"]
    assert not Version.objects.exists()


def test_cancelling_the_training_cancels_the_search(submitted: Callable[..., Job], admin: Actor) -> None:
    job = submitted(NEIGHBOURS)
    services.cancel(job, admin)
    job.refresh_from_db()
    assert {job.state, *(part.state for part in parts_of(job))} == {State.CANCELLED}
