"""What the client says when the server goes away in the midst of a verb."""

import pytest

from modelyard.client import Client, Version
from modelyard.core.errors import InvalidInput, Unavailable


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
