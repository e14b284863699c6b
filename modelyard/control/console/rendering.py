"""How pages and their fragments are made: every template gets the tenant, what its reader may do, and the toasts."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import add_never_cache_headers

from modelyard.control.console import toasts
from modelyard.control.registry.models import Model
from modelyard.control.tenancy.models import Member, Scope
from modelyard.control.tenancy.services import Actor
from modelyard.core.errors import HasConsumers


def is_htmx(request: HttpRequest) -> bool:
    """Tell whether htmx asks, so that a fragment is enough."""
    return bool(getattr(request, "htmx", False))


def show(
    request: HttpRequest, actor: Actor, template: str, context: dict[str, Any] | None = None, status: int = 200
) -> HttpResponse:
    """Render a page or fragment of a tenant."""
    known = {
        "tenant": actor.tenant,
        "actor": actor,
        "may_write": Scope.WRITE in actor.scopes,
        "may_admin": Scope.ADMIN in actor.scopes,
        "may_predict": Scope.PREDICT in actor.scopes,
    }
    if not is_htmx(request):
        known["toasts"] = toasts.take(request)
        known["memberships"] = Member.objects.filter(user=actor.user).select_related("tenant").order_by("tenant__name")
    response = render(request, f"console/{template}", {**known, **(context or {})}, status=status)
    if is_htmx(request):
        # It has the address of a whole page, which a browser that goes back would show this fragment for.
        add_never_cache_headers(response)
    return response


def ask_whether_told(request: HttpRequest, actor: Actor, model: Model, error: HasConsumers, verb: str) -> HttpResponse:
    """Name those whom a POST would hurt, and ask for the same POST again, with the word that they were told."""
    sent = [(name, text) for name, texts in request.POST.lists() for text in texts if name != "csrfmiddlewaretoken"]
    context = {
        "section": "models",
        "model": model,
        "error": error.message,
        "sent": sent,
        "verb": verb,
        "back": reverse("console:model", kwargs={"tenant": actor.tenant.name, "name": model.name}),
        "confirm": "charters/_despite.html",
    }
    return show(request, actor, "confirm.html", context, status=422)


def forbidden(request: HttpRequest, message: str) -> HttpResponse:
    """Render the page that says what lacks."""
    return render(request, "console/forbidden.html", {"message": message}, status=403)
