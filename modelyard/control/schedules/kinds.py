"""What a schedule can start: a table from kind to the request that it makes anew each time."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rest_framework.serializers import CharField

from modelyard.control.jobs.models import Job
from modelyard.control.registry.finding import find_dataset
from modelyard.control.rest.given import Given, understood
from modelyard.control.scoring import services as scoring
from modelyard.control.scoring.serializers import AskedScoring
from modelyard.control.tenancy.services import Actor
from modelyard.control.training import services as training
from modelyard.control.training.serializers import OwnTraining
from modelyard.core.errors import InvalidInput

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of job that schedules start.

    Attributes:
        body: reads the request; its field `dataset` names what is worked on.
        check: refuses what `submit` would refuse just now.
        submit: makes the job, in the caller's transaction.
    """

    body: type[Given]
    check: Callable[[Actor, Body], object]
    submit: Callable[[Actor, Body], Job]


class TrainingBody(OwnTraining):
    """What `POST trainers/{trainer}/train` takes for one's own tenant, and the trainer."""

    trainer = CharField(max_length=64, default="tabular")


class ScoringBody(AskedScoring):
    """What `POST datasets/{dataset}/score` takes, and the dataset."""

    dataset = CharField(max_length=80)


def _named(actor: Actor, given: Body) -> Body:
    return {**given, "actor": actor, "dataset": find_dataset(actor.tenant, given["dataset"])}


KINDS = {
    training.KIND: Kind(
        TrainingBody,
        lambda actor, given: training.check_training(**_named(actor, given)),
        lambda actor, given: training.train(**_named(actor, given)),
    ),
    scoring.KIND: Kind(
        ScoringBody,
        lambda actor, given: scoring.check_scoring(**_named(actor, given)),
        lambda actor, given: scoring.score(**_named(actor, given)),
    ),
}


def read_body(kind: str, body: Any, on_dataset: str) -> Body:
    """Return the request as its kind reads it, with what was left out.

    Where a dataset is waited for, each run is given the one that has arrived; the request names the same, or none.

    Raises:
        InvalidInput: as the request itself would be refused.
    """
    if not isinstance(body, dict):
        raise InvalidInput.at("body", "expected an object, as the request that is made each time takes it")
    if on_dataset:
        body = {"dataset": on_dataset, **body}
        if (named := body["dataset"]) != on_dataset:
            wrong = f"got {str(named)[:80]!r}, expected {on_dataset!r}: each run is given what arrived there"
            raise InvalidInput.at("body.dataset", wrong)
    return understood(KINDS[kind].body, body)
