"""A bearer that lives a minute: by it the console asks the data plane in a tenant's name without holding a key.

`pass_<tenant>_<expiry>_<mac>`: the tenant's id in decimal, the end of its life in seconds since 1970 in decimal, and
the first 128 bits of HMAC-SHA256 (RFC 2104) of both in hexadecimal, keyed with the tenant's `mac_key`, which
only the two planes know. It has the scope `predict` and no other.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass

from modelyard.core.errors import Unauthenticated

PREFIX = "pass_"
SCOPES = ("predict",)
MAX_SECONDS = 600
_FORM = re.compile(r"pass_([0-9]{1,20})_([0-9]{1,12})_([0-9a-f]{32})\Z")


@dataclass(frozen=True, slots=True)
class Pass:
    """A pass as read, not yet verified."""

    tenant: str
    expires_at: int
    mac: str

    def verify(self, mac_key: str, now: float) -> None:
        """Check it with the key of its tenant.

        Raises:
            Unauthenticated: when it is forged, expired, or lives longer than any is issued for.
        """
        expected = _mac(self.tenant, self.expires_at, mac_key)
        if not hmac.compare_digest(expected, self.mac) or not now < self.expires_at <= now + MAX_SECONDS + 60:
            raise Unauthenticated("the pass is not valid (any more): reload the page")


def issue(tenant: str, mac_key: str, now: float, seconds: int = 60) -> str:
    """Return a pass for `seconds` from `now` (seconds since 1970)."""
    if not 0 < seconds <= MAX_SECONDS:
        raise ValueError(f"a pass for {seconds} seconds: expected 1 to {MAX_SECONDS}")
    expires_at = int(now) + seconds
    return f"{PREFIX}{tenant}_{expires_at}_{_mac(tenant, expires_at, mac_key)}"


def parse(text: str) -> Pass:
    """Read a pass.

    Raises:
        Unauthenticated: when it has not the form of one.
    """
    match = _FORM.match(text)
    if not match:
        raise Unauthenticated("the pass is not valid (any more): reload the page")
    return Pass(tenant=match[1], expires_at=int(match[2]), mac=match[3])


def _mac(tenant: str, expires_at: int, mac_key: str) -> str:
    message = f"modelyard pass {tenant} {expires_at}".encode()
    return hmac.digest(bytes.fromhex(mac_key), message, hashlib.sha256).hex()[:32]
