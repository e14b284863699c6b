"""Checks whose cause a project's settings cannot easily make."""

from typing import Any

import pytest
from django.contrib.auth.models import User

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


@pytest.mark.parametrize(
    ("backend", "warned"),
    [
        ("django.core.cache.backends.locmem.LocMemCache", True),
        ("django.core.cache.backends.dummy.DummyCache", True),
        ("django.core.cache.backends.redis.RedisCache", False),
    ],
)
def test_a_cache_that_is_not_shared_is_named(settings: Any, backend: str, warned: bool) -> None:
    settings.CACHES = {"default": {"BACKEND": backend}}
    assert [found.id for found in checks.check_cache()] == (["modelyard.W016"] if warned else [])
