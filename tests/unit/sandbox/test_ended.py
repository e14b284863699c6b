"""What is said of a child that gave no answer."""

import signal

import pytest

from modelyard.sandbox.process import ended_badly


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (-signal.SIGXCPU, "it used up the processor time"),
        (-signal.SIGKILL, "was killed: for want of memory, or by somebody"),
        (-signal.SIGSEGV, "(signal 11)"),
        (3, "before there was an answer"),
    ],
)
def test_it_is_said_how_it_ended_as_far_as_that_is_known(status: int, said: str) -> None:
    assert said in ended_badly(status).message
