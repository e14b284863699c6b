"""What `modelyard up` decides before it starts anything."""

import pytest

from modelyard.cli.up import grace_seconds
from modelyard.core.settings import Settings


@pytest.mark.parametrize(("longest", "drain", "grace"), [(0.5, 6, 35), (30.0, 35, 40), (120.0, 125, 130)])
def test_no_server_is_killed_while_it_waits_for_a_request(longest: float, drain: int, grace: float) -> None:
    settings = Settings.read({}, request_timeout_seconds=longest)
    assert (settings.drain_seconds, grace_seconds(settings)) == (drain, grace)
