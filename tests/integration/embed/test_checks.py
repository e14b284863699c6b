"""Checks whose cause a project's settings cannot easily make."""

import sys
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import override_settings

from modelyard.control.tenancy.services import create_tenant
from modelyard.core.settings import Settings
from modelyard.embed import checks


class Nameless:
    """A model of users of somebody's own making."""

    is_authenticated = True


def test_a_model_of_users_that_lacks_something_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "get_user_model", lambda: Nameless)
    (found,) = checks.check_people()
    assert found.id == "modelyard.E010"
    assert "has no USERNAME_FIELD, get_username, is_active, check_password" in found.msg
    assert "AbstractBaseUser" in str(found.hint)
    monkeypatch.setattr(checks, "get_user_model", lambda: User)
    assert checks.check_people() == []


def test_a_home_that_cannot_be_written_is_told_once_and_a_folder_elsewhere_of_its_own(tmp_path: Path) -> None:
    """All folders are beneath the home, unless said otherwise: each said the same of one bad `HOME`."""
    with override_settings(
        MODELYARD=Settings.of({"HOME": __file__, "ARTIFACTS": "/proc/x", "EXCHANGE": str(tmp_path)})
    ):
        told = [found.msg.partition(":")[0] for found in checks.check_folders()]
    assert told == ["MODELYARD['HOME']", "MODELYARD['ARTIFACTS']"]


def test_an_interpreter_that_is_not_there_is_named(tmp_path: Path) -> None:
    with override_settings(MODELYARD=Settings.of({"HOME": str(tmp_path), "ENVIRONMENTS": "old=/nowhere/python"})):
        (found,) = checks.check_environments()
    assert (found.id, "'old' is /nowhere/python" in found.msg) == ("modelyard.W018", True)
    with override_settings(MODELYARD=Settings.of({"HOME": str(tmp_path), "ENVIRONMENTS": f"own={sys.executable}"})):
        assert checks.check_environments() == []


@pytest.mark.django_db
def test_a_tenant_that_is_not_there_is_named_where_the_database_may_be_asked(tmp_path: Path) -> None:
    with override_settings(MODELYARD=Settings.of({"HOME": str(tmp_path), "TENANT": "shpo"})):
        assert checks.check_tenant(databases=["default"]) == []  # none is there yet: a new project
        create_tenant(name="shop", created_by="system:test")
        (found,) = checks.check_tenant(databases=["default"])
        assert found.id == "modelyard.W019"
        assert "did you mean `shop`?" in found.msg
        assert checks.check_tenant() == []
    with override_settings(MODELYARD=Settings.of({"HOME": str(tmp_path), "TENANT": "shop"})):
        assert checks.check_tenant(databases=["default"]) == []
