"""What the API says of itself."""

from typing import Any

import pytest
from django.conf import settings

from modelyard.config.description import description
from modelyard.control.rest.schema import TAGS


def operations() -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{method} {path}", operation)
        for path, methods in description()["paths"].items()
        for method, operation in methods.items()
    ]


@pytest.mark.parametrize(("name", "operation"), operations(), ids=lambda value: value if isinstance(value, str) else "")
def test_each_operation_says_in_a_line_what_it_does(name: str, operation: dict[str, Any]) -> None:
    summary = operation["summary"]
    assert 5 < len(summary) <= 100
    assert "\n" not in summary
    assert not operation["description"].startswith(summary), "said twice"
    assert "Scope: `" in operation["description"]


def test_no_two_operations_say_the_same() -> None:
    said = [operation["summary"] for _, operation in operations()]
    assert sorted(set(said)) == sorted(said)


def test_models_come_first_and_every_tag_is_told() -> None:
    tags = [tag["name"] for tag in description()["tags"]]
    assert tags[:3] == ["models", "versions", "deployment"]
    assert tags[-1] == "audit"
    assert {tag for _, operation in operations() for tag in operation["tags"]} == set(TAGS) == set(tags)
    by_name = dict(operations())
    assert by_name["post /api/v1/models/{name}/promote"]["tags"] == ["deployment"]
    assert by_name["get /api/v1/models/{name}/charter/history"]["tags"] == ["charter"]


def test_the_head_says_how_predictions_are_asked_for() -> None:
    text = description()["info"]["description"]
    assert f"curl --fail-with-body {settings.MODELYARD.predict_url}/predict/iris" in text
    assert "the scope `predict`" in text
    place, _, operation = text.partition("](#/")[2].partition(")")[0].partition("/")
    found = [one for _, one in operations() if one["operationId"] == operation]
    assert [one["tags"] for one in found] == [[place]]
