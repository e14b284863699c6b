"""Which pages elsewhere may call from a browser."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from modelyard.control.console import reads, toasts
from modelyard.control.console.access import page
from modelyard.control.console.forms import OriginForm
from modelyard.control.console.rendering import show
from modelyard.control.rest.public import predict_url, public_url
from modelyard.control.tenancy import services as tenancy
from modelyard.control.tenancy.models import AllowedOrigin, Scope
from modelyard.control.tenancy.services import Actor
from modelyard.core.errors import ModelyardError, NotFound


@page(Scope.ADMIN, "GET", "POST")
def origins(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List the allowed origins, and allow one more."""
    form = OriginForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        try:
            allowed = tenancy.allow_origin(actor=actor, origin=form.cleaned_data["origin"])
        except ModelyardError as error:
            form.add_error("origin", error.message.removeprefix("origin: "))
        else:
            undo = reverse("console:origin-remove", args=[actor.tenant.name, allowed.pk])
            toasts.say(request, f"Pages of {allowed.origin} may call within a second.", undo=undo)
            return redirect("console:origins", tenant=actor.tenant.name)
    context = {
        "section": "origins",
        "form": form,
        "page": reads.page_of(AllowedOrigin.objects.of(actor.tenant), request.GET.get("page")),
        "api_url": public_url(),
        "predict_url": predict_url(),
    }
    return show(request, actor, "origins.html", context, status=422 if form.is_bound else 200)


@page(Scope.ADMIN, "GET", "POST")
def remove(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """Allow an origin no longer."""
    allowed = AllowedOrigin.objects.of(actor.tenant).filter(pk=pk).first() if pk < 2**63 else None
    if allowed is None:
        raise NotFound("no such origin")
    if request.method == "POST":
        tenancy.remove_origin(actor=actor, allowed=allowed)
        toasts.say(request, f"Pages of {allowed.origin} can read no answer any more.")
        return redirect("console:origins", tenant=actor.tenant.name)
    context = {"section": "origins", "allowed": allowed, "confirm": "_remove_origin.html", "back": "../../"}
    return show(request, actor, "confirm.html", context)
