"""What the client says when the server goes away in the midst of a verb."""

import pytest

from modelyard.client import Client, Version
from modelyard.core.errors import Unavailable


def test_who_waits_for_an_upload_is_not_led_to_push_it_twice(free_port: int) -> None:
    uploaded = Version(model="iris", number=3, state="checking")
    with (
        Client(f"http://127.0.0.1:{free_port}", "yard_x", timeout_seconds=1) as client,
        pytest.raises(Unavailable, match=r"iris:3 was uploaded and is kept: .* push it no second time"),
    ):
        client.wait(uploaded)
