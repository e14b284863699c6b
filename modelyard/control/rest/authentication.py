"""Who calls: a key in the header, or a member with a session, who also names the tenant."""

from typing import Any, cast

from django.contrib.auth.models import AnonymousUser
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.request import Request

from modelyard.control.tenancy.models import Member, Tenant
from modelyard.control.tenancy.people import Person
from modelyard.control.tenancy.services import Actor, actor_for, authenticate
from modelyard.core.errors import InvalidInput, NotFound, Unauthenticated

TENANT_HEADER = "Modelyard-Tenant"


def actor_of(request: Any) -> Actor:
    """Return who calls.

    Raises:
        Unauthenticated: when nobody known does.
    """
    if not isinstance(request.auth, Actor):
        raise Unauthenticated("who calls is not known: send `Authorization: Bearer <key>`")
    return request.auth


def actor_again(request: Request) -> Actor:
    """Return who calls as it is now, for an answer that goes on: a key may have been revoked since it began.

    Raises:
        ModelyardError: when nobody known does any more.
    """
    for authenticator in request.authenticators or ():
        found = authenticator.authenticate(request)
        if found is not None:
            return cast(Actor, found[1])
    raise Unauthenticated("who calls is not known any more")


HANDED_IN = "modelyard.actor"
"""Where, among what a server tells of a request, a command in this process says who it is."""


class HandedIn(BaseAuthentication):
    """An actor, as an object, from a command of the operator's in this very process. No network can send one: what
    comes by it are texts, whose names begin with `HTTP_`.
    """

    def authenticate(self, request: Request) -> tuple[AnonymousUser, Actor] | None:
        actor = request.META.get(HANDED_IN)
        return (AnonymousUser(), actor) if isinstance(actor, Actor) else None


class KeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer yard_...` (RFC 6750, section 2.1). The key tells the tenant."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, Actor] | None:
        header = request.headers.get("Authorization")
        if header is None:
            return None
        scheme, _, secret = header.partition(" ")
        if scheme.lower() != "bearer" or not secret.strip():
            raise Unauthenticated("the header `Authorization` was not understood: expected `Bearer <key>`")
        return AnonymousUser(), authenticate(secret.strip())

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="modelyard"'


class MemberAuthentication(SessionAuthentication):
    """A signed-in person, with Django's check against forged cross-site requests.

    The tenant is the one that the header `Modelyard-Tenant` names, or the only one that the person belongs to.
    """

    def authenticate(self, request: Request) -> tuple[Person, Actor] | None:
        found = super().authenticate(request)
        if found is None:
            return None
        user = cast(Person, found[0])
        return user, actor_for(user, self._tenant_name(request, user))

    def _tenant_name(self, request: Request, user: Person) -> str:
        given = request.headers.get(TENANT_HEADER)
        if given:
            return given
        names = list(
            Tenant.objects.filter(pk__in=Member.objects.filter(user=user).values("tenant")).values_list(
                "name", flat=True
            )[:9]
        )
        if not names:
            raise NotFound("you are not a member of any tenant: ask an administrator to add you")
        if len(names) > 1:
            raise InvalidInput.at(TENANT_HEADER, f"say in this header for which tenant: one of {', '.join(names)}")
        return names[0]


class HandedInScheme(OpenApiAuthenticationExtension):
    """No client can use it, so the API description does not show it."""

    target_class = "modelyard.control.rest.authentication.HandedIn"
    name = []

    def get_security_requirement(self, auto_schema: Any) -> list[dict[str, list[Any]]]:
        return []

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, Any]]:
        return []


class KeyScheme(OpenApiAuthenticationExtension):
    """How the API description shows keys."""

    target_class = "modelyard.control.rest.authentication.KeyAuthentication"
    name = "key"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "An API key, `yard_...`; it tells the tenant."}


class MemberScheme(OpenApiAuthenticationExtension):
    """How the API description shows sessions."""

    target_class = "modelyard.control.rest.authentication.MemberAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "apiKey", "in": "cookie", "name": "modelyard_session"}
