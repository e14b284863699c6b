"""Prediction ids: `<request>.<row>`, by which feedback finds its answer again.

`<request>` is 240 bits as 40 characters of base64 (RFC 4648, section 4) in the alphabet `-0-9A-Z_a-z`, whose characters
sort like the values they stand for. So ids of later requests sort after those of earlier ones. `<row>` is the row's
number in its request, from 0, in decimal. The bits, most significant first:

    4   layout, 1
    44  milliseconds since 1970, UTC
    32  tenant's id
    32  version's id
    32  random number of the process
    24  request's number in the process, from a random start
    72  keyed BLAKE2b (RFC 7693) of the 168 bits before, with the tenant's `mac_key`

Two processes may draw the same random number once in 4 thousand million pairs, and must then also
agree in the millisecond, the tenant, the version and the number to make the same id.
"""

import base64
import hashlib
import hmac
import itertools
import secrets
import struct
from dataclasses import dataclass

from modelyard.core.errors import InvalidInput

LAYOUT = 1
_SORTED = bytes.maketrans(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    b"-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz",
)
_STANDARD = bytes.maketrans(
    b"-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz",
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
)
_ALPHABET = frozenset("-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz")
_REQUEST_LENGTH = 40
_MAC_BYTES = 9
_PURPOSE = b"prediction id"
_HEAD = struct.Struct(">HIIIII")
"""Layout and the time's upper 12 bits, its lower 32, tenant, version, process; the last I is cut to 24 bits."""


@dataclass(frozen=True, slots=True)
class PredictionId:
    """An id as read, not yet verified. `at` is in seconds since 1970."""

    request: str
    row: int
    at: float
    tenant: int
    version: int
    payload: bytes
    mac: bytes

    def verify(self, mac_key: bytes) -> None:
        """Check with the 32-byte key of its tenant that we made it.

        Raises:
            InvalidInput: when we did not.
        """
        if not hmac.compare_digest(_mac(self.payload, mac_key), self.mac):
            raise InvalidInput(f"prediction id {self.request}.{self.row}: no prediction was answered with it")


class Maker:
    """Makes ids; one in each process. Safe in threads."""

    def __init__(self) -> None:
        self._process = secrets.randbits(32)
        self._numbers = itertools.count(secrets.randbits(24))

    def make(self, at: float, tenant: int, version: int, mac_key: bytes) -> str:
        """Return the `<request>` part for an answer given `at` seconds since 1970."""
        milliseconds = int(at * 1000)
        number = next(self._numbers) & 0xFFFFFF
        payload = _HEAD.pack(
            LAYOUT << 12 | milliseconds >> 32,
            milliseconds & 0xFFFFFFFF,
            tenant,
            version,
            self._process,
            number << 8,
        )[:21]
        return base64.b64encode(payload + _mac(payload, mac_key)).translate(_SORTED).decode("ascii")


def parse(text: str) -> PredictionId:
    """Read an id.

    Raises:
        InvalidInput: when it has not the form of one.
    """
    request, _, row = text.partition(".")
    row_fits = row.isascii() and row.isdigit() and len(row) <= 9 and str(int(row)) == row
    if len(request) != _REQUEST_LENGTH or not row_fits or not _ALPHABET.issuperset(request):
        raise InvalidInput(f"{text[:80]!r} is no prediction id: expected one as /predict answers it")
    data = base64.b64decode(request.encode("ascii").translate(_STANDARD))
    payload, mac = data[:-_MAC_BYTES], data[-_MAC_BYTES:]
    upper, lower, tenant, version, _, _ = _HEAD.unpack(payload + b"\0")
    if upper >> 12 != LAYOUT:
        raise InvalidInput(f"{text!r} is a prediction id of another layout: expected layout {LAYOUT}")
    at = ((upper & 0xFFF) << 32 | lower) / 1000
    return PredictionId(request, int(row), at, tenant, version, payload, mac)


def _mac(payload: bytes, mac_key: bytes) -> bytes:
    return hashlib.blake2b(payload, digest_size=_MAC_BYTES, key=mac_key, person=_PURPOSE).digest()
