"""The project asked from within, as `manage.py modelyard` does."""

import logging

import pytest
from django.test import override_settings

from modelyard.control.tenancy.models import Tenant
from modelyard.core.errors import NotFound
from modelyard.core.settings import Settings
from modelyard.embed.inside import address, client_for

pytestmark = pytest.mark.django_db


def test_what_the_command_asks_itself_is_no_line_of_djangos(tenant: Tenant, caplog: pytest.LogCaptureFixture) -> None:
    """Django tells each refusal on `django.request`: to whoever pushes a first version it looks like a fault."""
    with caplog.at_level(logging.DEBUG, "django.request"), client_for(tenant.name) as yard, pytest.raises(NotFound):
        yard.model("iris")
    assert [record.getMessage() for record in caplog.records if record.name == "django.request"] == []


@pytest.mark.parametrize(
    ("debug", "public_url", "expected"),
    [
        (True, "", "http://shop.test:8000"),
        (False, "", "http://shop.test"),
        (True, "http://127.0.0.1:8321/ml", "http://127.0.0.1:8321"),
    ],
)
def test_addresses_lead_to_where_the_project_is_served(debug: bool, public_url: str, expected: str) -> None:
    """Without a port each address that the command prints led nowhere under `runserver`."""
    told = {"PUBLIC_URL": public_url} if public_url else {}
    ours = Settings.of({"HOME": "/x", **told}, public_url="")
    with override_settings(DEBUG=debug, ALLOWED_HOSTS=["*", ".shop.test"], MODELYARD=ours):
        assert address() == expected
