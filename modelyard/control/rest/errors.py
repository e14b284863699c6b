"""Every refusal, whoever made it, in our own error body. Never a traceback, a path or a host name."""

import uuid
from typing import Any

import structlog
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation, ValidationError
from django.db import DatabaseError, DataError, IntegrityError, OperationalError
from django.db.models import ProtectedError, RestrictedError
from django.http import Http404, HttpRequest, JsonResponse, UnreadablePostError
from rest_framework import exceptions as rest
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import set_rollback

from modelyard.control.rest.wording import explained, unparsed, unsupported
from modelyard.core.errors import (
    Conflict,
    Forbidden,
    InUse,
    InvalidInput,
    MethodNotAllowed,
    ModelyardError,
    NotAcceptable,
    NotFound,
    QuotaExceeded,
    TooLarge,
    Unauthenticated,
    Unavailable,
)
from modelyard.core.statuses import http_status
from modelyard.sandbox.findings import kept

log = structlog.get_logger(__name__)

NOTHING_HERE = "there is nothing here, or nothing that you may see"


class Internal(ModelyardError):
    """A fault of ours; what it was is in the log, under the request's id."""


def request_id_of(request: Any) -> str:
    """Return the id that the middleware gave to the request."""
    return getattr(request, "request_id", None) or uuid.uuid4().hex


def answer(error: Exception, context: dict[str, Any]) -> Response:
    """Answer what a view raised (Django REST Framework's exception handler)."""
    request = context.get("request")
    known = _with_view(error, context)
    set_rollback()
    if http_status(known) >= 500:
        log.error("request_failed", code=known.code, exc_info=error)
    body = kept(known.body(request_id_of(request)))  # it repeats what was sent, and UTF-8 cannot have half a pair
    return Response(body, status=http_status(known), headers=headers(known, error))


def json_answer(request: HttpRequest, error: ModelyardError) -> JsonResponse:
    """Answer outside any view."""
    return JsonResponse(error.body(request_id_of(request)), status=http_status(error), headers=headers(error, None))


def headers(error: ModelyardError, cause: Exception | None) -> dict[str, str]:
    """Return the headers that RFC 9110 wants with the status."""
    found: dict[str, str] = {}
    if isinstance(error, Unauthenticated):
        found["WWW-Authenticate"] = 'Bearer realm="modelyard"'
    if isinstance(error, Unavailable | QuotaExceeded):
        wait = getattr(cause, "wait", None) or error.details.get("retry_after_seconds") or 1
        found["Retry-After"] = str(max(1, round(wait)))
    return found


def translate(error: Exception) -> ModelyardError:
    """Return `error` as one of ours."""
    if isinstance(error, ModelyardError):
        return error
    if isinstance(error, rest.APIException):
        return _from_rest(error)
    if isinstance(error, DatabaseError):
        return _from_database(error)
    return _from_django(error)


def _with_view(error: Exception, context: dict[str, Any]) -> ModelyardError:
    """Translate an error, with what only the view and its request know: what is taken there, and what was sent."""
    if isinstance(error, rest.UnsupportedMediaType):
        types = [parser.media_type for parser in getattr(context.get("view"), "parser_classes", ())]
        return unsupported(error, types)
    if isinstance(error, rest.ValidationError):
        return refusal(error, _sent(context.get("request")))
    return translate(error)


def refusal(error: rest.ValidationError, sent: Any) -> ModelyardError:
    """Return what a serializer refused of what was `sent`, in our words."""
    return _from_places(explained(places(error.detail), sent))


def _sent(request: Any) -> Any:
    """Return what a list was asked with, else the body, where it was read."""
    if getattr(request, "method", None) in ("GET", "HEAD"):
        return request.query_params
    return getattr(request, "_full_data", None)


def _from_rest(error: rest.APIException) -> ModelyardError:
    if isinstance(error, rest.ValidationError):
        return refusal(error, None)
    if isinstance(error, rest.ParseError):
        return InvalidInput(unparsed(error))
    if isinstance(error, rest.UnsupportedMediaType):
        return unsupported(error, ())
    if isinstance(error, rest.NotAuthenticated | rest.AuthenticationFailed):
        return Unauthenticated(str(error.detail))
    if isinstance(error, rest.PermissionDenied):
        return Forbidden(str(error.detail))
    if isinstance(error, rest.Throttled):
        return QuotaExceeded(str(error.detail))
    same: dict[type[rest.APIException], ModelyardError] = {
        rest.NotFound: NotFound(NOTHING_HERE),
        rest.MethodNotAllowed: MethodNotAllowed(str(error.detail)),
        rest.NotAcceptable: NotAcceptable("none of the formats in `Accept` can be given: expected application/json"),
    }
    return same.get(type(error)) or (InvalidInput(str(error.detail)) if error.status_code < 500 else _internal())


def _from_database(error: DatabaseError) -> ModelyardError:
    if isinstance(error, ProtectedError | RestrictedError):
        return InUse("this cannot be deleted: something still needs it")
    if isinstance(error, IntegrityError):
        return Conflict("this contradicts what is there: something by this name may have been made in the meantime")
    if isinstance(error, DataError):
        return InvalidInput("a value does not fit: it is too long, too large, or holds a character that cannot be kept")
    if isinstance(error, OperationalError):
        return Unavailable("the database does not answer just now: try again in a moment")
    return _internal()


def _from_django(error: Exception) -> ModelyardError:
    if isinstance(error, Http404):
        return NotFound(NOTHING_HERE)
    if isinstance(error, PermissionDenied):
        return Forbidden("you may not do this")
    if isinstance(error, RequestDataTooBig):
        return TooLarge("the body is larger than what is taken here")
    if isinstance(error, SuspiciousOperation):
        return InvalidInput("the request was not understood")
    if isinstance(error, UnreadablePostError):
        return InvalidInput("the body ended before all of it had come: send it again")
    if isinstance(error, RecursionError):
        return InvalidInput("the body is nested too deep")
    if isinstance(error, ValidationError):
        return _from_places([{"place": "body", "message": message, "code": "invalid"} for message in error.messages])
    return _internal()


def _internal() -> ModelyardError:
    return Internal("something went wrong on our side: the log tells more under the request's id")


def _from_places(found: list[dict[str, str]]) -> ModelyardError:
    first = found[0] if found else {"place": "body", "message": "this does not fit"}
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    joint = " " if first["message"].startswith("is missing") else ": "
    return InvalidInput(f"{_named(first['place'])}{joint}{first['message']}{more}", places=found)


def _named(place: str) -> str:
    """Return a place as a message names it; the whole body has no name."""
    return "the body" if place == "body" else f"`{place[:100]}`"


def places(detail: Any, place: str = "") -> list[dict[str, str]]:
    """Flatten what serializers say into places: `files.0.name`, with message and code."""
    if isinstance(detail, dict):
        return [row for name, inner in detail.items() for row in places(inner, _beneath(place, str(name)))]
    if isinstance(detail, list):
        return [
            row
            for index, inner in enumerate(detail)
            for row in places(inner, f"{place}.{index}" if isinstance(inner, dict) else place)
        ]
    return [{"place": place or "body", "message": str(detail), "code": getattr(detail, "code", "invalid")}]


def _beneath(place: str, name: str) -> str:
    """Return a place within a place. What the project calls errors of no field is the place itself to us, or the
    whole body."""
    if name == api_settings.NON_FIELD_ERRORS_KEY:
        return place or "body"
    return f"{place}.{name}" if place else name
