"""What serves: going back to the plan before, stopping, and the whole history."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from modelyard.control.console import reads, toasts
from modelyard.control.console.access import page
from modelyard.control.console.rendering import show
from modelyard.control.deployments import services as deployments
from modelyard.control.registry.consumers import hurt, named
from modelyard.control.tenancy.models import Scope
from modelyard.control.tenancy.services import Actor


@page(Scope.READ)
def history(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """List every plan that the model had."""
    model = reads.find_model(actor.tenant, name)
    records = reads.history(model)
    newest = records.values_list("number", flat=True).first()
    found = reads.page_of(records, request.GET.get("page"))
    context = {
        "section": "models",
        "model": model,
        "page": found,
        "history": reads.history_lines(list(found.object_list), newest),
    }
    return show(request, actor, "models/history.html", context)


@page(Scope.WRITE, "POST")
def rollback(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """Bring back the plan before the one in force."""
    model = reads.find_model(actor.tenant, name)
    deployments.rollback(actor=actor, model=model, reason=request.POST.get("reason", "")[:2000])
    arms = reads.arms_of(model)
    now = f"{name}:{arms[0].number} answers again." if arms else f"{name} is not served, as before."
    told = hurt(model, "")
    toasts.say(request, f"Rolled back. {now}" + (f" Tell {named(told)}." if told else ""))
    return redirect("console:model", tenant=actor.tenant.name, name=name)


@page(Scope.WRITE, "GET", "POST")
def stop(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """Serve the model no more; its versions stay."""
    model = reads.find_model(actor.tenant, name)
    place = {"tenant": actor.tenant.name, "name": name}
    if request.method == "POST":
        deployments.deactivate(
            actor=actor,
            model=model,
            reason=request.POST.get("reason", "")[:2000],
            despite_consumers="despite_consumers" in request.POST,
        )
        toasts.say(
            request,
            f"{name} is no longer served; by number and by alias its versions answer on.",
            undo=reverse("console:rollback", kwargs=place),
        )
        return redirect("console:model", tenant=actor.tenant.name, name=name)
    context = {
        "section": "models",
        "model": model,
        "arms": reads.arms_of(model),
        "plan_consumers": hurt(model, ""),
        "back": reverse("console:model", kwargs=place),
        "confirm": "models/_stop.html",
    }
    return show(request, actor, "confirm.html", context)
