"""Tenants, and who may act for them, for every test of the control plane.

Imports of Django's models are within the fixtures: pytest may read this file before Django is set up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from rest_framework.test import APIClient

    from modelyard.control.tenancy.models import Tenant
    from modelyard.control.tenancy.services import Actor


@pytest.fixture
def tenant(db: None) -> Tenant:
    from modelyard.control.tenancy import services

    return services.create_tenant(name="yard", title="The yard", created_by="system:test")


@pytest.fixture
def stranger(db: None) -> Tenant:
    """Another tenant, which must never see anything of the first."""
    from modelyard.control.tenancy import services

    return services.create_tenant(name="stranger", created_by="system:test")


@pytest.fixture
def admin(tenant: Tenant) -> Actor:
    from modelyard.control.tenancy import services

    return services.system_actor(tenant, "test")


@pytest.fixture
def caller(db: None) -> Callable[..., APIClient]:
    """A client with a fresh key of the tenant: `caller(tenant, "write")`."""
    from rest_framework.test import APIClient

    from modelyard.control.tenancy import services

    made = 0

    def with_key(tenant: Tenant, *scopes: str) -> APIClient:
        nonlocal made
        made += 1
        actor = services.system_actor(tenant, "test")
        _, secret = services.create_key(actor=actor, name=f"test-{made}", scopes=scopes or ["admin"])
        client = APIClient(enforce_csrf_checks=True)
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
        return client

    return with_key


@pytest.fixture
def operator(db: None) -> APIClient:
    """A client with a key of the operator's."""
    from rest_framework.test import APIClient

    from modelyard.control.tenancy import services

    _, secret = services.create_operator_key(name="ops", created_by="system:command")
    client = APIClient(enforce_csrf_checks=True)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


@pytest.fixture
def person(tenant: Tenant, admin: Actor) -> User:
    """Somebody who administers the tenant."""
    from django.contrib.auth.models import User

    from modelyard.control.tenancy import services

    user = User.objects.create_user("ada")
    services.add_member(actor=admin, user=user, role="admin")
    return user
