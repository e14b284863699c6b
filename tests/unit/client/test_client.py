"""What the client says when the server goes away in the midst of a verb."""

from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from modelyard.client import Client, Version
from modelyard.core.errors import InvalidInput, ModelyardError, Unavailable


def test_who_waits_for_an_upload_is_not_led_to_push_it_twice(free_port: int) -> None:
    uploaded = Version(model="iris", number=3, state="checking")
    with (
        Client(f"http://127.0.0.1:{free_port}", "yard_x", timeout_seconds=1) as client,
        pytest.raises(Unavailable, match=r"iris:3 was uploaded and is kept: .* push it no second time"),
    ):
        client.wait(uploaded)


@pytest.mark.parametrize("version", ["sheep:1", "3", Version(model="sheep", number=1, state="ready")])
def test_another_models_version_is_not_promoted(free_port: int, version: Version | str) -> None:
    with (
        Client(f"http://127.0.0.1:{free_port}", "yard_x", timeout_seconds=1) as client,
        pytest.raises(InvalidInput, match="is no version of 'iris': expected one, as 'iris:3'"),
    ):
        client.promote("iris", version)


@pytest.mark.parametrize(
    "ask", [lambda yard: yard.models(), lambda yard: yard.consumers("x"), lambda yard: yard.charter_history("x")]
)
def test_an_answer_that_is_none_of_ours_is_an_error_of_ours(ask: Callable[[Client], Any]) -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, json={"results": [{"name": 7}], "next": None})

    with (
        Client("http://yard", through=httpx2.MockTransport(answer)) as client,
        pytest.raises(ModelyardError, match="is the client older than the server"),
    ):
        ask(client)
