"""An error as a response."""

from collections.abc import Sequence

from modelyard.core.errors import ModelyardError
from modelyard.core.statuses import http_status
from modelyard.serving.message import JSON, Response

_BEARER = (b"www-authenticate", b'Bearer realm="modelyard"')
_RETRY_SECONDS = 1


def refusal(error: ModelyardError, body: bytes, request_id: str, extra: Sequence[tuple[bytes, bytes]] = ()) -> Response:
    """Return the response for `error`, whose body the protocol wrote.

    Headers: RFC 9110, section 11.6.1 (WWW-Authenticate), 10.2.3 (Retry-After), 10.2.1 (Allow).
    """
    status = http_status(error)
    headers = [
        JSON,
        (b"x-request-id", request_id.encode()),
        (b"modelyard-error-code", error.code.encode()),
        *extra,
    ]
    if status == 401:
        headers.append(_BEARER)
    elif status in (429, 503):
        headers.append((b"retry-after", str(error.details.get("retry_after", _RETRY_SECONDS)).encode()))
    elif status == 405:
        headers.append((b"allow", str(error.details.get("allow", "")).encode()))
    return Response(status, headers, body)
