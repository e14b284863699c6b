"""Parameters of a training as the command takes them, and what it tells of one."""

from typing import Any

import httpx2
import pytest

from modelyard.cli.training import read_parameters, warnings_of
from modelyard.cli.usage import NotUnderstood
from modelyard.client import Client


@pytest.mark.parametrize(
    ("pairs", "found"),
    [
        (["holdout=0.3", "target=late", "seed=7"], {"holdout": 0.3, "target": "late", "seed": 7}),
        (["search.count=5", "search.space={}"], {"search": {"count": 5, "space": {}}}),
        (["fill_text=NaN", "a=b=c", "text="], {"fill_text": "NaN", "a": "b=c", "text": ""}),
    ],
)
def test_values_are_json_where_they_are_json(pairs: list[str], found: dict[str, Any]) -> None:
    assert read_parameters(pairs) == found


@pytest.mark.parametrize("pairs", [["holdout"], ["=1"], ["a.=1"], ["search=1", "search.count=5"], ["seed=1", "seed=2"]])
def test_what_is_no_name_and_value_is_not_understood(pairs: list[str]) -> None:
    with pytest.raises(NotUnderstood, match="--set"):
        read_parameters(pairs)


def test_a_version_that_is_gone_by_now_has_no_warnings() -> None:
    gone = {"error": {"code": "not_found", "message": "there is no version iris:1", "details": {}, "request_id": "1"}}
    through = httpx2.MockTransport(lambda request: httpx2.Response(404, json=gone))
    with Client("http://yard", "key", through=through) as client:
        assert warnings_of(client, "iris:1") == []
