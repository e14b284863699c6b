"""What a child that stays may say to its parent."""

import os
from collections.abc import Iterator
from typing import Any

import pytest

from modelyard.core.errors import Unavailable
from modelyard.runtimes.frames import PREFIX
from modelyard.sandbox.process import deadline_after
from modelyard.sandbox.talking import Watch, receive


class Child:
    """One that uses nothing, and has said what is written to `theirs`."""

    def __init__(self) -> None:
        self.answers, self.theirs = os.pipe()

    def excess(self) -> str | None:
        return None


@pytest.fixture
def child() -> Iterator[Child]:
    made = Child()
    yield made
    os.close(made.answers)
    os.close(made.theirs)


def received(child: Any, most: tuple[int, int]) -> Any:
    return receive(Watch(child, deadline_after(60)), most)


@pytest.mark.parametrize(
    ("size", "most", "said"), [(1 << 61, 1 << 62, "than there is memory for"), (101, 100, "more than it may")]
)
def test_what_is_announced_and_too_large_is_refused(child: Child, size: int, most: int, said: str) -> None:
    os.write(child.theirs, PREFIX.pack(2, size) + b"{}")
    with pytest.raises(Unavailable, match=said):
        received(child, (10, most))


def test_what_comes_in_pieces_is_one_frame(child: Child) -> None:
    header = b'{"arrays": [{"name": "a", "type": "uint8", "shape": [3]}], "rows": 3}'
    for piece in (PREFIX.pack(len(header), 3)[:5], PREFIX.pack(len(header), 3)[5:] + header[:7], header[7:] + b"ab"):
        os.write(child.theirs, piece)
    os.write(child.theirs, b"c")
    facts, arrays = received(child, (100, 100))
    assert facts == {"rows": 3}
    assert arrays["a"].tobytes() == b"abc"
