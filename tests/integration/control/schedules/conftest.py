"""A dataset of irises, and schedules that train on it.

Imports of Django's models are within the functions: pytest may read this file before Django is set up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from sklearn.datasets import load_iris

from tests.integration.control import tables

if TYPE_CHECKING:
    from modelyard.control.registry.models import Dataset
    from modelyard.control.schedules.models import Schedule
    from modelyard.control.tenancy.services import Actor

BODY = {"model": "iris", "dataset": "iris", "parameters": {"target": "species"}}


def iris(rows: int = 150) -> bytes:
    data = load_iris(as_frame=True)
    frame = data.frame.assign(species=data.target_names[data.target]).drop(columns="target")
    return frame.head(rows).to_csv(index=False).encode()


@pytest.fixture
def irises(admin: Actor) -> Dataset:
    return tables.ready(admin, iris(), name="iris", filename="iris.csv")


@pytest.fixture
def schedule(admin: Actor, irises: Dataset) -> Callable[..., Schedule]:
    """Make a schedule, every minute unless told: `schedule("nightly", cron="0 2 * * *")`."""
    from modelyard.control.schedules import services

    def make(name: str = "often", actor: Actor = admin, **said: Any) -> Schedule:
        given = {key: said.pop(key) for key in services.Trigger.__slots__ if key in said} or {"interval_seconds": 60}
        known = {"kind": "training", "body": dict(BODY), "trigger": services.Trigger(**given)}
        return services.create_schedule(actor=actor, name=name, **{**known, **said})

    return make
