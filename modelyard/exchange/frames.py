"""The spool's file format: frames one after the other.

A frame is the magic `MYR1`, the payload's length and its CRC-32 (ISO 3309, as zlib's), both as little-endian unsigned
32-bit numbers, and the payload. A file that a killed process left ends, at worst, in a part of a frame.
"""

import struct
import zlib
from collections.abc import Iterable

MAGIC = b"MYR1"
HEAD = struct.Struct("<4sII")
MAX_PAYLOAD = (1 << 32) - 1


def pack(payloads: Iterable[bytes]) -> bytes:
    """Return the payloads as frames."""
    parts: list[bytes] = []
    for payload in payloads:
        parts.append(HEAD.pack(MAGIC, len(payload), zlib.crc32(payload)))
        parts.append(payload)
    return b"".join(parts)


def unpack(data: bytes) -> tuple[list[bytes], int]:
    """Return the payloads of the whole frames, and at which byte the first broken frame begins (else the length)."""
    payloads: list[bytes] = []
    start = 0
    while start + HEAD.size <= len(data):
        magic, length, checksum = HEAD.unpack_from(data, start)
        payload = data[start + HEAD.size : start + HEAD.size + length]
        if magic != MAGIC or len(payload) < length or zlib.crc32(payload) != checksum:
            break
        payloads.append(payload)
        start += HEAD.size + length
    return payloads, start
