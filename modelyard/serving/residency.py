"""Which loaded versions stay in memory.

What the operator named for preloading is pinned. All else was loaded because somebody asked, and shares a bound: past
it the least recently used go first (LRU: Mattson et al., "Evaluation techniques for storage hierarchies", IBM Systems
Journal 9(2), 1970). What is loading, runs, or has requests waiting is leased, and stays until it is not.
"""

from collections.abc import Mapping, Set
from typing import Protocol

from modelyard.exchange.snapshot import ServedVersion
from modelyard.sandbox.isolated import IsolatedRuntime

VersionKey = tuple[str, int, str]
"""Tenant's id, version's id, digest of the serving artifact."""

NEVER_ASKED = "not loaded: nobody has asked for it yet"
IN_PROCESS_FACTOR = 5
"""A graph takes so many times its file's size once it is loaded: forests of 4 and 39 MB took 4.7 and 3.6 times."""
CHILD_BYTES = 128 << 20
"""What a child takes before its model is loaded, with NumPy and its framework imported."""


class Held(Protocol):
    """A version in memory, or on its way there."""

    held_bytes: int
    last_used: float

    @property
    def is_leased(self) -> bool: ...


def expected_bytes(version: ServedVersion) -> int:
    """Return about how much memory the version will take, before it is loaded."""
    return version.size_bytes * IN_PROCESS_FACTOR + (CHILD_BYTES if version.isolated else 0)


def held_bytes(runtime: object, version: ServedVersion) -> int:
    """Return how much memory a loaded version takes: measured for a child, else as expected."""
    if isinstance(runtime, IsolatedRuntime):
        return runtime.resident_bytes() or expected_bytes(version)
    return expected_bytes(version)


def on_demand_bytes(held: Mapping[VersionKey, Held], pinned: Set[VersionKey]) -> int:
    """Return the memory of all that is not pinned."""
    return sum(one.held_bytes for key, one in held.items() if key not in pinned)


def to_unload(
    held: Mapping[VersionKey, Held], pinned: Set[VersionKey], max_bytes: int, spare: VersionKey
) -> list[VersionKey]:
    """Return what has to go so that the rest fits, or as much of it as may go; `spare` stays."""
    excess = on_demand_bytes(held, pinned) - max_bytes
    chosen: list[VersionKey] = []
    for key in sorted(held, key=lambda key: held[key].last_used):
        if excess <= 0:
            break
        one = held[key]
        if key in pinned or key == spare or one.is_leased or not one.held_bytes:
            continue
        chosen.append(key)
        excess -= one.held_bytes
    return chosen
