"""Requests of pages from elsewhere (the CORS protocol; Fetch standard, section 3.3), for every door at once.

Only a request that has an `Origin` header comes here.
"""

from collections.abc import Sequence

from modelyard.core import origins
from modelyard.core.errors import Forbidden, Unauthenticated
from modelyard.serving.access import find_holder
from modelyard.serving.message import Done, Request, Response
from modelyard.serving.served import Snapshot


def admits(snapshot: Snapshot, origin: bytes, authorization: bytes | None) -> bool:
    """Tell whether a page of the origin may read the answer to who sends this header.

    Where no key tells the tenant any tenant's word will do: such an answer is the same for everybody.
    """
    try:
        return origin in find_holder(snapshot, authorization)[0].origins
    except Unauthenticated:
        return origin in snapshot.origins


def headers_for(snapshot: Snapshot, origin: bytes, authorization: bytes | None) -> Sequence[tuple[bytes, bytes]]:
    """Return what an answer bears besides its own headers."""
    if admits(snapshot, origin, authorization):
        return (*origins.allowing(origin), origins.VARY)
    return (origins.VARY,)


def marked(snapshot: Snapshot, request: Request, origin: bytes, authorization: bytes | None, done: Done) -> Done:
    """Return a `done` that lets the page read the answer, where it may."""
    headers: Sequence[tuple[bytes, bytes]] = (origins.VARY,)
    if not is_preflight(request):
        headers = headers_for(snapshot, origin, authorization)

    def mark(response: Response) -> None:
        done(Response(response.status, (*response.headers, *headers), response.body))

    return mark


def is_preflight(request: Request) -> bool:
    """Tell whether a browser asks before it calls (Fetch standard, section 3.3.2); it brings no key then."""
    return request.method == "OPTIONS" and request.header(b"access-control-request-method") is not None


def answer_preflight(snapshot: Snapshot, request: Request, origin: bytes, request_id: str) -> Response:
    """Answer a preflight; whether any tenant allows the origin is all that it tells.

    Raises:
        Forbidden: when none does.
    """
    if origin not in snapshot.origins:
        raise Forbidden(origins.NOT_ALLOWED)
    private = request.header(b"access-control-request-private-network") == b"true"
    headers = origins.preflight(origin, origins.DATA_METHODS, private_network=private)
    return Response(200, (*headers, (b"x-request-id", request_id.encode())), b"")
