"""What a child gives up; each in a process of its own, since it is for good."""

import signal
import subprocess
import sys

import pytest

from modelyard.sandbox.process import ended_badly

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the limits are Linux's")

BURNING = """
import resource
from modelyard.sandbox.limits import Limits
from modelyard.sandbox.privileges import bound
bound(Limits(seconds=0, threads=1), lasting=False)
soft, hard = resource.getrlimit(resource.RLIMIT_CPU)
resource.setrlimit(resource.RLIMIT_CPU, (soft - 4, hard - 4))  # one second is enough here
while True:
    pass
"""


def test_who_uses_up_its_processor_time_is_told_from_who_is_killed() -> None:
    """Where both limits are one, the system only kills."""
    status = subprocess.run([sys.executable, "-c", BURNING], timeout=120).returncode
    assert status == -signal.SIGXCPU
    assert "used up the processor time" in ended_badly(status).message
