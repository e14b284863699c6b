"""Who may change what is in the registry."""

import pytest

from modelyard.control.deployments.services import activate
from modelyard.control.registry import services, uploads
from modelyard.control.registry.models import Model
from modelyard.control.registry.services import Upload
from modelyard.control.tenancy.models import Tenant
from modelyard.control.tenancy.services import Actor, system_actor
from modelyard.core.errors import Forbidden, NotFound
from tests.integration.control import versions

pytestmark = pytest.mark.django_db


def reader(tenant: Tenant) -> Actor:
    return Actor(tenant=tenant, name="key:reader", scopes=frozenset({"predict", "read"}))


def test_a_reader_changes_nothing(admin: Actor, tenant: Tenant, model: Model) -> None:
    version = versions.ready(admin, model)
    services.move_alias(actor=admin, model=model, name="candidate", version=version)
    low = reader(tenant)
    upload = Upload("x", uploads.Stored("0" * 64, 1))
    for call in (
        lambda: services.create_model(actor=low, name="churn"),
        lambda: services.change_model(actor=low, model=model, problem="x"),
        lambda: services.delete_model(actor=low, model=model),
        lambda: services.keep_upload(actor=low, filename="x", chunks=[b"x"]),
        lambda: services.register_version(actor=low, model=model, files=[upload]),
        lambda: services.move_alias(actor=low, model=model, name="a", version=version),
        lambda: services.delete_alias(actor=low, model=model, name="candidate"),
        lambda: services.delete_version(actor=low, version=version),
    ):
        with pytest.raises(Forbidden):
            call()


def test_a_stranger_finds_nothing_to_change(admin: Actor, model: Model, stranger: Tenant) -> None:
    version = versions.ready(admin, model)
    foreign = system_actor(stranger, "test")
    for call in (
        lambda: services.change_model(actor=foreign, model=model, problem="x"),
        lambda: services.delete_model(actor=foreign, model=model),
        lambda: versions.register(foreign, model),
        lambda: services.move_alias(actor=foreign, model=model, name="a", version=version),
        lambda: services.delete_version(actor=foreign, version=version),
        lambda: activate(actor=foreign, version=version),
    ):
        with pytest.raises(NotFound):
            call()
