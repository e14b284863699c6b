"""Origins of pages that may call from elsewhere, and the headers by which a browser is told (CORS).

An origin is scheme, host and port, serialised as browsers write it in `Origin` (HTML standard, section 7.1.1). The
headers are those of the CORS protocol (Fetch standard, section 3.3). Both planes take them from here.
"""

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from urllib.parse import SplitResult, urlsplit

from modelyard.core.errors import InvalidInput

MAX_LENGTH = 267
"""`https://`, a host of 253 characters (RFC 1035, section 2.3.4) and a port."""
MAX_ORIGINS = 20
"""In one tenant."""
REMEMBERED_SECONDS = 600
"""How long a browser need not ask again; a removed origin is refused at the request itself, at once."""

DATA_METHODS = "GET, POST"
CONTROL_METHODS = "GET, POST, PUT, PATCH, DELETE"
_REQUEST_HEADERS = "authorization, content-type, if-none-match, x-request-id"
_EXPOSED = "allow, content-disposition, etag, location, modelyard-error-code, retry-after, x-request-id"

VARY: tuple[bytes, bytes] = (b"vary", b"origin")
"""An answer to one origin is none for another: said wherever an origin was looked at."""

NOT_ALLOWED = (
    "pages of this origin may not call: an administrator of the tenant allows it in the console under Front ends, or "
    "with `modelyard tenants origins add`"
)

Headers = tuple[tuple[bytes, bytes], ...]

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)\Z")
_NUMBER = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)\Z")
_DEFAULT_PORTS = {"https": 443, "http": 80}
_PLACE = "origin"


def read_origin(text: str) -> str:
    """Return the origin as a browser sends it: lower case, without a default port or a slash at the end.

    Raises:
        InvalidInput: for what is no origin, or is one that nobody should allow: `*`, `null`, plain http over a network.
    """
    given = text.strip()
    if given in ("*", "null") or "*" in given:
        raise InvalidInput.at(_PLACE, _broad(given))
    if not given or len(given) > MAX_LENGTH + 1:
        raise InvalidInput.at(_PLACE, f"{len(given)} characters: expected 1 to {MAX_LENGTH}, as https://app.example")
    if "," in given or len(given.split()) > 1:
        raise InvalidInput.at(_PLACE, "this looks like several: allow them one by one")
    parts, port = _split(given)
    scheme, host = parts.scheme, _host(parts)
    if scheme == "http" and not _is_loopback(host):
        raise InvalidInput.at(
            _PLACE,
            f"`{given}` is plain http: whoever is on the way could change the page and take its key; expected https "
            "(http only for this machine itself: localhost, 127.0.0.1 or [::1])",
        )
    return f"{scheme}://{host}" + (f":{port}" if port is not None and port != _DEFAULT_PORTS[scheme] else "")


def allowing(origin: bytes) -> Headers:
    """Return the headers that let a page of the origin read an answer. None lets cookies cross.

    Beside them, as beside those of a preflight, goes `VARY`.
    """
    return ((b"access-control-allow-origin", origin), (b"access-control-expose-headers", _EXPOSED.encode()))


def preflight(origin: bytes, methods: str, *, private_network: bool) -> Headers:
    """Return the headers that answer a browser which asks before it calls.

    Args:
        methods: that the plane has.
        private_network: the browser says that a page from outside wants into a private network (Private Network
            Access, section 3.1.2); who listed the origin meant that.
    """
    headers = (
        (b"access-control-allow-origin", origin),
        (b"access-control-allow-methods", methods.encode()),
        (b"access-control-allow-headers", _REQUEST_HEADERS.encode()),
        (b"access-control-max-age", str(REMEMBERED_SECONDS).encode()),
    )
    return (*headers, (b"access-control-allow-private-network", b"true")) if private_network else headers


def _split(given: str) -> tuple[SplitResult, int | None]:
    try:
        parts = urlsplit(given)
        port = parts.port
    except ValueError:
        raise InvalidInput.at(
            _PLACE, f"`{given}` cannot be read: expected https://app.example or https://app.example:8443"
        ) from None
    if parts.scheme not in _DEFAULT_PORTS or "://" not in given:
        raise InvalidInput.at(_PLACE, f"`{given}` has no scheme that is allowed: expected https://app.example")
    if "@" in parts.netloc:
        raise InvalidInput.at(_PLACE, "an origin names nobody: expected no `user:password@`")
    if parts.path not in ("", "/") or "?" in given or "#" in given or "\\" in given:
        raise InvalidInput.at(_PLACE, f"`{given}` has more than an origin: expected {parts.scheme}://{parts.netloc}")
    if parts.netloc.endswith(":") or port == 0:
        raise InvalidInput.at(_PLACE, f"`{given}` has no port after the colon: expected 1 to 65535, or no colon")
    return parts, port


def _host(parts: SplitResult) -> str:
    host = parts.hostname or ""
    if "[" in parts.netloc:
        try:
            return f"[{IPv6Address(host).compressed}]"
        except AddressValueError:
            raise InvalidInput.at(_PLACE, f"`[{host}]` is no IPv6 address") from None
    if not host.isascii():
        raise InvalidInput.at(_PLACE, f"`{host}` is not as browsers send it: expected its xn-- form")
    labels = host.split(".")
    if _NUMBER.match(labels[-1]):
        try:
            return str(IPv4Address(host))
        except AddressValueError:
            raise InvalidInput.at(_PLACE, f"`{host}` is no IPv4 address of four numbers") from None
    if len(host) > 253 or not all(_LABEL.match(label) for label in labels):
        raise InvalidInput.at(
            _PLACE, f"`{host}` is no host name: expected one like app.example, without a dot at the end"
        )
    return host


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return IPv6Address(host[1:-1]).is_loopback if host.startswith("[") else IPv4Address(host).is_loopback
    except AddressValueError:
        return False


def _broad(given: str) -> str:
    if given == "null":
        return "`null` is what files, sandboxed frames and redirected requests of any site send: expected https://app.example"
    return f"`{given[:60]}` would let pages of strangers in: list each origin in full, as https://app.example"
