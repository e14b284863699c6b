"""A request and a response, free of any transport."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

Headers = Sequence[tuple[bytes, bytes]]
"""Lower-case name and value, in order."""

NOT_MODIFIED = 304
"""Its answer has no body, and no length of one (RFC 9110, section 8.6)."""
JSON: tuple[bytes, bytes] = (b"content-type", b"application/json")


class Request:
    """What came in: `path` is percent-decoded, `query` is not; header names are lower case."""

    __slots__ = ("body", "headers", "method", "path", "query")

    def __init__(self, method: str, path: str, query: str, headers: Headers, body: bytes) -> None:
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body

    def header(self, name: bytes) -> bytes | None:
        """Return the first value of a header, given in lower case."""
        for key, value in self.headers:
            if key == name:
                return value
        return None


@dataclass(frozen=True, slots=True)
class Response:
    """What goes out. `headers` lack only the body's length."""

    status: int
    headers: Headers
    body: bytes


Done = Callable[[Response], None]
"""Takes the response, once, from any thread."""
