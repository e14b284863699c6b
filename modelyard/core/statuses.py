"""Which HTTP status each error code is answered with (RFC 9110, section 15; RFC 6585 for 429)."""

from modelyard.core.errors import ModelyardError

HTTP_STATUS: dict[str, int] = {
    "invalid_input": 400,
    "unauthenticated": 401,
    "forbidden": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "not_acceptable": 406,
    "conflict": 409,
    "in_use": 409,
    "has_consumers": 409,
    "cancelled": 409,
    "too_large": 413,
    "unsupported_format": 415,
    "model_refused": 422,
    "dataset_refused": 422,
    "model_failed": 422,
    "limit_exceeded": 422,
    "child_failed": 422,
    "quota_exceeded": 429,
    "internal": 500,
    "artifact_corrupt": 500,
    "misconfigured": 500,
    "unavailable": 503,
    "deadline_exceeded": 504,
}


def http_status(error: ModelyardError) -> int:
    """Return the status for `error`; a code that is not in the table is a 500."""
    return HTTP_STATUS.get(error.code, 500)
