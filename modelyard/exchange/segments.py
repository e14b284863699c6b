"""Sealed pieces of the spool: how they are named, how they lie in the medium, and how they are bounded.

A segment's name says what is in it, so that dropping one can be counted without reading it:
`<nanoseconds since 1970, 20 digits>-<process, 8 hexadecimal digits>-<records>-<bytes>`. In the medium it lies
at `spool/<host>/<name>`; `<host>` is a random name that the host's spool folder keeps.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from modelyard.exchange.frames import unpack
from modelyard.exchange.medium import Medium

_NAME = re.compile(r"([0-9]{20})-([0-9a-f]{8})-([0-9]{1,12})-([0-9]{1,12})\Z")
_BLOCK = 4096


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """The oldest sorts first."""

    begun_ns: int
    process: str
    records: int
    n_bytes: int

    @property
    def name(self) -> str:
        return f"{self.begun_ns:020d}-{self.process}-{self.records}-{self.n_bytes}"

    @property
    def disk_bytes(self) -> int:
        """Return what a file of it takes, in whole blocks."""
        return -(-max(self.n_bytes, 1) // _BLOCK) * _BLOCK


def parse_name(name: str) -> Segment | None:
    """Read a segment's name; None when it is none."""
    match = _NAME.match(name)
    return Segment(int(match[1]), match[2], int(match[3]), int(match[4])) if match else None


def segment_key(host: str, segment: Segment) -> str:
    return f"spool/{host}/{segment.name}"


def segments_in(medium: Medium, host: str) -> Iterator[Segment]:
    """Give the segments of a host that lie in the medium, oldest first."""
    for key in medium.keys(f"spool/{host}/"):
        segment = parse_name(key.rpartition("/")[2])
        if segment is not None:
            yield segment


def read_segment(medium: Medium, key: str) -> list[bytes]:
    """Return the payloads of a sealed segment, none when it is gone.

    Frames behind a broken one are lost: the name's count of records tells how many there were.
    """
    return unpack(medium.read(key) or b"")[0]
