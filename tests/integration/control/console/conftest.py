"""People of each role with a browser, a model, and a data plane that answers from a list."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from django.test import Client

    from modelyard.control.registry.models import Model, Version
    from modelyard.control.tenancy.models import Tenant
    from modelyard.control.tenancy.services import Actor

PASSWORD = "correct horse battery staple"


@pytest.fixture(autouse=True)
def home(settings: Any, tmp_path: Path) -> Path:
    from modelyard.core.settings import Settings

    given = {"artifacts": tmp_path / "artifacts", "exchange": tmp_path / "exchange", "max_upload_bytes": 1 << 20}
    settings.MODELYARD = Settings.read({}, home=settings.MODELYARD.home, **given)
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    return tmp_path


@pytest.fixture
def somebody(tenant: Tenant, admin: Actor) -> Callable[..., Client]:
    """`somebody("viewer")` is a browser in which a member of that role is signed in; no role: no member of anything."""
    from django.contrib.auth.models import User
    from django.test import Client

    from modelyard.control.tenancy import services

    def signed_in(role: str = "", name: str = "") -> Client:
        user, _ = User.objects.get_or_create(username=name or role or "nobody")
        user.set_password(PASSWORD)
        user.save()
        if role and not user.memberships.exists():
            services.add_member(actor=admin, user=user, role=role)
        client = Client()
        client.force_login(user)
        return client

    return signed_in


@pytest.fixture
def editor(somebody: Callable[..., Client]) -> Client:
    return somebody("editor")


@pytest.fixture
def boss(somebody: Callable[..., Client]) -> Client:
    return somebody("admin")


@pytest.fixture
def viewer(somebody: Callable[..., Client]) -> Client:
    return somebody("viewer")


@pytest.fixture
def outsider(stranger: Tenant) -> Client:
    """Somebody who administers another tenant."""
    from django.contrib.auth.models import User
    from django.test import Client

    from modelyard.control.tenancy import services

    user = User.objects.create_user("oto")
    services.add_member(actor=services.system_actor(stranger, "test"), user=user, role="admin")
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def model(admin: Actor) -> Model:
    from modelyard.control.registry import services

    return services.create_model(actor=admin, name="iris", problem="Which iris is it?")


@pytest.fixture
def version(admin: Actor, model: Model) -> Version:
    from tests.integration.control.versions import ready

    return ready(admin, model, b"first", metrics={"accuracy": 0.97}, description="the first")


class Answering:
    """A data plane in memory: gives its answers in turn, and remembers what it was asked."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str, Any]] = []

    def predict(self, tenant: Tenant, reference: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
        return self._answer(tenant, reference, rows)

    def stored(self, tenant: Tenant, model: str, entity: str) -> dict[str, Any]:
        return self._answer(tenant, model, entity)

    def _answer(self, tenant: Tenant, reference: str, asked: Any) -> dict[str, Any]:
        self.asked.append((tenant.name, reference, asked))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return dict(answer)


@pytest.fixture
def answering() -> Iterator[Callable[..., Answering]]:
    from modelyard.control.console import predictor

    def hand_in(*answers: Any) -> Answering:
        plane = Answering(*answers)
        predictor.hand_in(plane)
        return plane

    yield hand_in
    predictor.hand_in(None)
