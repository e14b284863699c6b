"""API keys: made here, shown once, revoked here."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache

from modelyard.control.console import reads, toasts
from modelyard.control.console.access import page
from modelyard.control.console.forms import SCOPE_MEANINGS, KeyForm
from modelyard.control.console.rendering import show
from modelyard.control.rest.public import public_url
from modelyard.control.tenancy import services as tenancy
from modelyard.control.tenancy.models import ApiKey, Scope
from modelyard.control.tenancy.services import Actor
from modelyard.core.errors import Conflict, ModelyardError, NotFound


@never_cache
@page(Scope.ADMIN, "GET", "POST")
def keys(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List the keys, and make one. The secret is in the answer to the POST alone, so a reload cannot show it."""
    form = KeyForm(request.POST if request.method == "POST" else None)
    made = secret = None
    if form.is_bound and form.is_valid():
        given = form.cleaned_data
        try:
            made, secret = tenancy.create_key(
                actor=actor, name=given["name"], scopes=given["scopes"], expires_at=form.expires_at()
            )
            form = KeyForm()
        except ModelyardError as error:
            if isinstance(error, Conflict):
                form.add_error("name", error.message)
            else:
                form.refuse(error, "name", "scopes")
    context = {
        "section": "keys",
        "form": form,
        "made": made,
        "secret": secret,
        "scopes": SCOPE_MEANINGS,
        "chosen": form.data.getlist("scopes") if form.is_bound else [Scope.PREDICT],  # type: ignore[attr-defined]
        "page": reads.page_of(ApiKey.objects.of(actor.tenant), request.GET.get("page")),
        "api_url": public_url(),
    }
    return show(request, actor, "keys.html", context, status=422 if form.is_bound else 200)


@page(Scope.ADMIN, "GET", "POST")
def revoke(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """End a key for good."""
    key = ApiKey.objects.of(actor.tenant).filter(pk=pk).first() if pk < 2**63 else None
    if key is None:
        raise NotFound("no such key")
    if request.method == "POST":
        tenancy.revoke_key(actor=actor, key=key)
        toasts.say(request, f"The key {key.name} is revoked: it is refused everywhere within a second.")
        return redirect("console:keys", tenant=actor.tenant.name)
    return show(
        request, actor, "confirm.html", {"section": "keys", "key": key, "confirm": "_revoke.html", "back": "../../"}
    )
