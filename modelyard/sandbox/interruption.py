"""Work that is given up while a child does it: whoever waits for the child asks all the while whether to go on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar


def _go_on() -> None:
    """Interrupt nothing."""


_check: ContextVar[Callable[[], None]] = ContextVar("check", default=_go_on)


@contextmanager
def interrupted_by(check: Callable[[], None]) -> Iterator[None]:
    """Call `check` some 10 to 50 times a second while, within the block and in this thread, a child is waited for.

    What it raises ends the child at once, and comes out of the call that waited.
    """
    token = _check.set(check)
    try:
        yield
    finally:
        _check.reset(token)


def check_interruption() -> None:
    """Raise what interrupts the work of this thread, if anything does."""
    _check.get()()
