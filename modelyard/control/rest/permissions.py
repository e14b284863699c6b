"""Deny by default: a view is closed until it says which scope each of its methods needs."""

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from modelyard.control.rest.authentication import actor_of
from modelyard.control.tenancy.models import Scope
from modelyard.control.tenancy.services import require
from modelyard.core.errors import Forbidden, MethodNotAllowed


class HasScope(BasePermission):
    """Asks for the scope that `view.scopes` names for the action or the method; where it names none, nobody passes."""

    def has_permission(self, request: Request, view: Any) -> bool:
        actor = actor_of(request)
        method = str(request.method)
        allowed = [one for one in view.allowed_methods if one != "OPTIONS"]
        if method not in allowed or not callable(getattr(view, method.lower(), None)):
            taken = [one for one in allowed if one != "HEAD"]
            raise MethodNotAllowed(f"{method} is not taken here: expected {' or '.join(taken)}")
        scope = needed_scope(view, method)
        if scope is None:
            raise Forbidden("nobody may do this: the address does not say which scope it needs")
        require(actor, scope)
        return True


def needed_scope(view: Any, method: str) -> Scope | None:
    """Return the scope that `view` declares for its current action, else for `method`; HEAD counts as GET."""
    scopes = getattr(view, "scopes", {})
    action = getattr(view, "action", None)
    declared = scopes.get(action) or scopes.get("GET" if method == "HEAD" else method)
    return Scope(declared) if declared else None


class Anonymous(BasePermission):
    """Everybody passes. Each address that has this is named in one tested list."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return True
