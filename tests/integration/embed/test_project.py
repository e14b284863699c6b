"""`MODELYARD` of a project's settings, and words that are not ours to read."""

from pathlib import Path
from typing import Any

import pytest

from modelyard.core.errors import Misconfigured
from modelyard.embed import APPS, apps_for
from modelyard.embed.management.commands.modelyard import own_words
from modelyard.embed.project import Unfit, read
from modelyard.embed.views import policy


def test_apps_that_a_project_has_are_not_added_twice() -> None:
    assert apps_for([]) == APPS
    left = apps_for(["django.contrib.admin", "rest_framework", "django_filters.apps.DjangoFiltersConfig"])
    assert left == [app for app in APPS if app not in ("rest_framework", "django_filters")]


def test_a_dictionary_is_read(tmp_path: Path) -> None:
    settings = read({"HOME": tmp_path, "TENANT": "shop"})
    assert (settings.home, settings.tenant, settings.embedded) == (tmp_path, "shop", True)
    assert settings.public_url == settings.predict_url == ""


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, 'it is missing: MODELYARD = {"HOME": BASE_DIR'),
        ("var", "got str, expected a dictionary"),
        ({}, "HOME is missing"),
        ({"HOMEE": "/x"}, "is that what 'HOMEE' means?"),
        (
            {"HOME": "/x", "EMBEDDED": False},
            "EMBEDDED is not set here: in a project predictions are answered in process",
        ),
        ({"HOME": "/x", "DATABASE_URL": "postgres://"}, "DATABASE_URL is not set here: DATABASES of the project"),
    ],
)
def test_what_does_not_fit_is_told(given: Any, said: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        read(given)
    assert said in caught.value.message


def test_settings_that_could_not_be_read_say_so_to_whoever_needs_one() -> None:
    unfit = Unfit(Misconfigured("HOME is missing", settings=["HOME is missing"]))
    with pytest.raises(Misconfigured, match="MODELYARD in the project's settings: HOME is missing"):
        _ = unfit.home


def test_djangos_options_are_no_words_of_ours() -> None:
    assert own_words(["--settings", "x.y", "push", "a.pkl", "--name", "iris", "--traceback"]) == (
        ["push", "a.pkl", "--name", "iris"],
        False,
    )
    assert own_words(["--pythonpath=/x", "models", "--skip-checks"]) == (["models"], True)


def test_static_files_may_come_from_elsewhere_and_nothing_else_may() -> None:
    assert policy("/assets/") == policy("assets/")
    elsewhere = policy("https://cdn.example.com/assets/")
    assert "script-src 'self' https://cdn.example.com;" in elsewhere
    assert "connect-src 'self';" in elsewhere
    assert "form-action 'self';" in elsewhere


def test_our_addresses_stand_in_a_project_with_each_rule_once() -> None:
    """Their views have our rules already: a project's are put around the same ones."""
    from modelyard.embed import addresses

    assert len(addresses.urlpatterns) > 3
