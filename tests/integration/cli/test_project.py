"""The verbs in a Django project, whose own tenant they mean."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from typer.testing import CliRunner

from modelyard.cli.main import project_app
from modelyard.cli.project import Project, enter


@pytest.fixture
def garden(db: None, settings: Any) -> Iterator[str]:
    """The only tenant of a project that the command runs in."""
    from modelyard.control.tenancy import services

    def no_client(tenant: str) -> Any:
        raise AssertionError("no server is asked")

    services.create_tenant(name="garden", created_by="system:test")
    enter(Project(settings=settings.MODELYARD, client=no_client, tenant=lambda: "garden"))
    yield "garden"
    enter(None)


@pytest.mark.parametrize("noun", [["keys"], ["members"], ["tenants", "origins"]])
def test_without_a_tenant_the_projects_is_meant(garden: str, noun: list[str]) -> None:
    said = CliRunner().invoke(project_app(), [*noun, "list", "--json"])
    assert (said.output, said.exception) == ("[]\n", None)


def test_an_origin_is_allowed_for_the_projects_tenant(garden: str) -> None:
    from modelyard.control.tenancy.models import AllowedOrigin

    for verb, left in (("add", ["https://app.example"]), ("remove", [])):
        said = CliRunner().invoke(project_app(), ["tenants", "origins", verb, "https://app.example"])
        assert said.exception is None
        assert "--tenant garden" in said.output
        assert [row.origin for row in AllowedOrigin.objects.filter(tenant__name=garden)] == left


def test_a_members_undo_reads_back_whatever_the_name_holds(garden: str) -> None:
    name = "o'neil $HOME@example.com"
    User.objects.create_user(name)
    for verb in ("add", "remove"):
        said = CliRunner().invoke(project_app(), ["members", verb, name])
        assert said.exception is None
        undo = said.output.partition("undo     ")[2].splitlines()[0]
        assert name in shlex.split(undo)
