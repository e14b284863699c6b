"""What a version's training told, over REST: typed, whatever its trainer says."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from modelyard.control.registry import services as registry
from modelyard.control.registry.models import Model
from modelyard.control.tenancy.models import Tenant
from modelyard.control.tenancy.services import Actor
from tests.integration.control import versions

pytestmark = pytest.mark.django_db

PLACE = "/api/v1/models/iris/versions/1/training/"
REPORT: dict[str, Any] = {
    "task": "classification",
    "estimator": "SVC",
    "target": "late",
    "rows": {"dataset": 500, "used": 344, "drawn": True, "trained": 275, "held_out": 69},
    "baseline": {"accuracy": 0.5, "log_loss": 0.9},
    "folds": {"accuracy": {"mean": 0.97, "std": 0.01}},
    "confusion": {"classes": ["no", "yes"], "counts": [[30, 1], [0, 38]]},
    "search": [
        {"parameters": {"C": 1}, "metric": "accuracy", "value": 0.9},
        {"parameters": {"C": 0}, "metric": "accuracy", "value": None, "failure": "too small"},
        {"parameters": {"C": 9}, "metric": "accuracy", "value": 0.95},
    ],
}


@pytest.fixture
def model(admin: Actor) -> Model:
    return registry.create_model(actor=admin, name="iris")


@pytest.fixture
def reader(caller: Callable[..., APIClient], tenant: Tenant) -> APIClient:
    return caller(tenant, "read")


def test_warnings_the_baseline_and_the_search_are_told(reader: APIClient, admin: Actor, model: Model) -> None:
    remark = {"code": "leak", "message": "alone tells the target", "column": "arr_delay"}
    kept = {"trainer": "tabular", "report": REPORT, "warnings": [remark, {"code": "rare", "message": "few rows"}]}
    versions.ready(admin, model, metrics={"accuracy": 0.98, "log_loss": 0.95}, training=kept)
    answer = reader.get(PLACE)
    assert answer.status_code == 200, answer.content
    told = answer.json()
    assert told["warnings"] == [remark, {"code": "rare", "message": "few rows", "column": None}]
    assert [(one["name"], one["baseline"], one["no_better"]) for one in told["metrics"]] == [
        ("accuracy", 0.5, False),
        ("log_loss", 0.9, True),
    ]
    assert told["metrics"][0]["folds"] == {"mean": 0.97, "std": 0.01}
    assert told["rows"]["drawn"]
    assert [one["parameters"]["C"] for one in told["search"]] == [9, 1, 0], "the best is first"
    assert told["search"][2]["failure"] == "too small"
    assert told["confusion"] == REPORT["confusion"]


def test_a_version_that_was_pushed_has_none(reader: APIClient, admin: Actor, model: Model) -> None:
    versions.ready(admin, model)
    answer = reader.get(PLACE)
    assert answer.status_code == 404
    assert "iris:1 was pushed, not trained here" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "report",
    [
        "done",
        {"confusion": {"classes": ["a"], "counts": "none"}, "rows": {"trained": "all"}, "search": "x", "folds": 3},
        {"baseline": {"accuracy": "low"}, "refit": 1, "estimator_parameters": [1]},
    ],
)
def test_others_trainers_may_report_anything(reader: APIClient, admin: Actor, model: Model, report: Any) -> None:
    told: dict[str, Any] = {"trainer": "own", "report": report, "warnings": ["x", {"message": 3}]}
    versions.ready(admin, model, metrics={"accuracy": 1.0}, training=told)
    answer = reader.get(PLACE)
    assert answer.status_code == 200, answer.content
    assert answer.json()["report"] == report
    assert answer.json()["confusion"] is None
