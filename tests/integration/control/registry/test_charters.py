"""A model's charter: written, read, appended, and never lost to somebody else's."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from rest_framework.test import APIClient

from modelyard.control.registry import charters
from modelyard.control.registry.charters import charter_of, write_charter
from modelyard.control.registry.models import CharterRecord, Model
from modelyard.control.registry.services import change_model
from modelyard.control.tenancy.models import AuditEntry, Tenant
from modelyard.control.tenancy.services import Actor
from modelyard.core.charter import Charter, Threshold
from modelyard.core.errors import Conflict

pytestmark = pytest.mark.django_db

CHARTER = Charter(problem="Which iris is it?", metric="accuracy", next_review=date(2027, 3, 1))


def test_without_one_the_models_problem_is_all_that_is_known(model: Model) -> None:
    assert charter_of(model) == Charter(problem="Which iris is it?")


def test_each_agreement_is_appended_and_audited(admin: Actor, model: Model) -> None:
    first = write_charter(actor=admin, model=model, charter=CHARTER, reason="we met")
    second = write_charter(actor=admin, model=model, charter=Charter(problem="Which flower?"))
    assert (first.number, second.number) == (1, 2)
    model.refresh_from_db()
    assert model.problem == "Which flower?"
    assert charter_of(model) == Charter(problem="Which flower?")
    assert CharterRecord.objects.get(model=model, number=1).charter["next_review"] == "2027-03-01"
    verbs = AuditEntry.objects.of(admin.tenant).filter(verb="charter.write").order_by("number")
    assert [entry.details["reason"] for entry in verbs] == ["we met", ""]


def test_the_same_again_appends_nothing(admin: Actor, model: Model) -> None:
    first = write_charter(actor=admin, model=model, charter=CHARTER)
    assert write_charter(actor=admin, model=model, charter=CHARTER) == first
    assert CharterRecord.objects.count() == 1


def test_a_changed_problem_is_in_the_charter_too(admin: Actor, model: Model) -> None:
    change_model(actor=admin, model=model, problem="before any charter")
    assert not CharterRecord.objects.exists()
    model.refresh_from_db()
    write_charter(actor=admin, model=model, charter=CHARTER)
    changed = change_model(actor=admin, model=model, problem="another")
    assert charter_of(changed) == Charter(problem="another", metric="accuracy", next_review=date(2027, 3, 1))
    assert list(CharterRecord.objects.values_list("number", flat=True)) == [2, 1]


def test_who_read_an_older_one_is_told(admin: Actor, model: Model) -> None:
    write_charter(actor=admin, model=model, charter=CHARTER, replaces=0)
    with pytest.raises(Conflict, match="number 1 is in force, not 0"):
        write_charter(actor=admin, model=model, charter=Charter(metric="f1"), replaces=0)
    assert charter_of(model) == CHARTER


ADDRESS = "/api/v1/models/iris/charter"


@pytest.fixture
def api(tenant: Tenant, model: Model, caller: Callable[..., APIClient]) -> APIClient:
    return caller(tenant, "write")


def test_over_the_api_it_is_written_read_undone_and_listed(api: APIClient) -> None:
    assert api.get(ADDRESS).json()["number"] == 0
    whole = {"metric": "f1", "thresholds": [{"metric": "f1", "at_least": 0.8}], "told": ["ada"]}
    answer = api.put(ADDRESS, {"charter": whole, "reason": "we met", "replaces": 0}).json()
    assert (answer["number"], answer["reason"], answer["charter"]["told"]) == (1, "we met", ["ada"])
    assert answer["charter"]["thresholds"] == [{"metric": "f1", "at_least": 0.8}]
    assert api.get(ADDRESS).json()["charter"] == answer["charter"]
    undo = answer["undo"]
    assert undo["path"] == ADDRESS
    undone = api.put(undo["path"], undo["body"]).json()
    assert undone["charter"]["problem"] == "Which iris is it?"
    assert undone["charter"]["metric"] == ""
    assert api.put(ADDRESS, undo["body"]).json()["undo"] is None
    numbers = [each["number"] for each in api.get(f"{ADDRESS}/history").json()["results"]]
    assert numbers == [2, 1]


def test_the_undo_brings_back_what_was_in_force_when_it_was_written(
    api: APIClient, admin: Actor, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else writes theirs after the request came, and before it has the lock."""
    write_charter(actor=admin, model=model, charter=CHARTER)
    lock_model, theirs = charters.lock_model, Charter(problem="Which flower?", metric="auc")

    def late(actor: Actor, model: Model) -> Model:
        monkeypatch.undo()
        write_charter(actor=admin, model=model, charter=theirs)
        return lock_model(actor, model)

    monkeypatch.setattr(charters, "lock_model", late)
    answer = api.put(ADDRESS, {"charter": {"metric": "f1"}}).json()
    assert (answer["number"], answer["charter"]["metric"]) == (3, "f1")
    api.put(answer["undo"]["path"], answer["undo"]["body"])
    model.refresh_from_db()
    assert charter_of(model) == theirs


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "charter"),
        ({"charter": []}, "expected an object"),
        ({"charter": {"metrc": "f1"}}, "unknown field `metrc`; did you mean `metric`?"),
        ({"charter": {"next_review": "soon"}}, "next_review"),
        ({"charter": {"thresholds": [{"metric": "f1", "atleast": 1}]}}, "atleast"),
        ({"charter": {"thresholds": [{"metric": "f1"}]}}, "says nothing of f1"),
        ({"charter": {"problem": 7}}, "problem"),
        ({"charter": {}, "because": "x"}, "unknown field `because`"),
        ({"charter": {}, "replaces": -1}, "replaces"),
        ({"charter": {"told": [["deep"]]}}, "told"),
    ],
)
def test_a_bad_charter_is_refused_and_changes_nothing(body: dict[str, Any], said: str, api: APIClient) -> None:
    answer = api.put(ADDRESS, body)
    assert answer.status_code == 400
    assert said in answer.json()["error"]["message"]
    assert api.get(ADDRESS).json()["number"] == 0


def test_a_late_writer_gets_a_409(api: APIClient) -> None:
    api.put(ADDRESS, {"charter": {"metric": "f1"}})
    answer = api.put(ADDRESS, {"charter": {"metric": "auc"}, "replaces": 0})
    assert answer.status_code == 409
    assert answer.json()["error"]["details"] == {"number": 1}


def test_thresholds_keep_their_bounds(admin: Actor, model: Model) -> None:
    both = Threshold(metric="f1", at_least=0.1, at_most=0.9)
    write_charter(actor=admin, model=model, charter=Charter(thresholds=(both,)))
    model.refresh_from_db()
    assert charter_of(model).thresholds == (both,)
