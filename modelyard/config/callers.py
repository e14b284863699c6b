"""Who sends a large body, asked before it is received: under ASGI Django receives all of it before it asks."""

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.sessions.backends.db import SessionStore
from django.db import DatabaseError, connection
from django.http import HttpRequest, parse_cookie

from modelyard.control.rest.errors import translate
from modelyard.control.tenancy.services import authenticate
from modelyard.core.errors import ModelyardError, Unauthenticated


def refusal_of(authorization: str, cookie: str) -> ModelyardError | None:
    """Return why who sends these headers (either may be empty) is not known; None for a live key or a signed-in person.

    What they may do, and for which tenant, is for the view to say.
    """
    try:
        if cookie and _is_signed_in(cookie):
            return None
        scheme, _, secret = authorization.partition(" ")
        if scheme.lower() != "bearer" or not secret.strip():
            return Unauthenticated("who calls is not known: send `Authorization: Bearer <key>`, or sign in")
        authenticate(secret.strip())
    except Unauthenticated as error:
        return error
    except DatabaseError as error:
        return translate(error)
    finally:
        if not connection.in_atomic_block:
            connection.close()
    return None


def _is_signed_in(cookie: str) -> bool:
    key = parse_cookie(cookie).get(settings.SESSION_COOKIE_NAME)
    if not key:
        return False
    request = HttpRequest()
    request.session = SessionStore(key)
    return get_user(request).is_authenticated
