"""Aliases: moved, and of a ready version of their model alone."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from modelyard.control.registry import services
from modelyard.control.registry.models import Alias, Model
from modelyard.control.tenancy.models import Tenant
from modelyard.control.tenancy.services import Actor
from modelyard.core.errors import Conflict, InvalidInput, NotFound
from tests.integration.control import versions

pytestmark = pytest.mark.django_db


def test_moved_and_deleted(admin: Actor, model: Model) -> None:
    first, second = versions.ready(admin, model), versions.ready(admin, model, b"two")
    for version in (first, second, second):
        services.move_alias(actor=admin, model=model, name="candidate", version=version)
    assert Alias.objects.get().version == second
    services.delete_alias(actor=admin, model=model, name="candidate")
    with pytest.raises(NotFound):
        services.delete_alias(actor=admin, model=model, name="candidate")
    model.refresh_from_db()
    assert model.revision == 6


def test_only_of_a_ready_version_of_the_model(admin: Actor, model: Model) -> None:
    with pytest.raises(Conflict, match="checking"):
        services.move_alias(actor=admin, model=model, name="a", version=versions.register(admin, model))
    other = versions.ready(admin, services.create_model(actor=admin, name="other"))
    with pytest.raises(InvalidInput, match="another model"):
        services.move_alias(actor=admin, model=model, name="a", version=other)
    with pytest.raises(InvalidInput, match="promote"):
        services.move_alias(actor=admin, model=model, name="champion", version=other)
    with pytest.raises(InvalidInput):
        services.move_alias(actor=admin, model=model, name="A", version=other)
    with pytest.raises(InvalidInput, match="looks like a version's number"):
        services.move_alias(actor=admin, model=model, name="3", version=other)


CANDIDATE = "/api/v1/models/iris/aliases/candidate/"


@pytest.fixture
def api(tenant: Tenant, caller: Callable[..., APIClient]) -> APIClient:
    return caller(tenant, "write")


def test_the_undo_brings_back_what_was_there_when_it_was_moved(
    api: APIClient, admin: Actor, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else moves it after the request came, and before it has the lock."""
    made = [versions.ready(admin, model, content) for content in (b"1", b"2", b"3")]
    services.move_alias(actor=admin, model=model, name="candidate", version=made[0])
    lock_model = services.lock_model

    def late(actor: Actor, model: Model) -> Model:
        Alias.objects.update(version=made[1])
        return lock_model(actor, model)

    monkeypatch.setattr(services, "lock_model", late)
    answer = api.put(CANDIDATE, {"version": 3}).json()
    assert (answer["version"], answer["undo"]["body"]) == (3, {"version": 2})


def test_whether_it_was_made_is_known_to_who_has_the_lock(
    api: APIClient, admin: Actor, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = versions.ready(admin, model)
    services.move_alias(actor=admin, model=model, name="candidate", version=version)
    lock_model = services.lock_model

    def late(actor: Actor, model: Model) -> Model:
        Alias.objects.all().delete()
        return lock_model(actor, model)

    monkeypatch.setattr(services, "lock_model", late)
    answer = api.put(CANDIDATE, {"version": 1})
    assert (answer.status_code, answer.json()["undo"]["method"]) == (201, "DELETE")


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("candidate", '`version`: got "candidate" (string), expected the number of a version: an alias does not name'),
        ("nightly", '`version`: got "nightly" (string), expected the number of a version: an alias does not name'),
        ("1.5", '`version`: got "1.5" (string), expected a whole number'),
        (7, "version: iris has no version 7: expected one of its numbers; the newest is 1"),
    ],
)
def test_an_alias_of_an_alias_which_could_lead_in_a_circle_is_refused(
    api: APIClient, admin: Actor, model: Model, version: Any, said: str
) -> None:
    services.move_alias(actor=admin, model=model, name="nightly", version=versions.ready(admin, model))
    refused = api.put(CANDIDATE, {"version": version})
    assert refused.status_code == 400
    assert refused.json()["error"]["message"].startswith(said)
    assert list(Alias.objects.values_list("name", flat=True)) == ["nightly"]
