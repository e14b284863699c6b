"""Aliases: movable names for versions."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from modelyard.control.console import reads, toasts
from modelyard.control.console.access import page
from modelyard.control.console.forms import AliasForm
from modelyard.control.console.rendering import ask_whether_told, show
from modelyard.control.console.views.models import model_context
from modelyard.control.registry import services as registry
from modelyard.control.registry.consumers import hurt
from modelyard.control.registry.finding import find_alias
from modelyard.control.tenancy.models import Scope
from modelyard.control.tenancy.services import Actor
from modelyard.core.errors import HasConsumers, ModelyardError


@page(Scope.WRITE, "POST")
def move(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """Give a version an alias, or move one to it."""
    model = reads.find_model(actor.tenant, name)
    numbers = list(model.versions.filter(state="ready").order_by("-number").values_list("number", flat=True))
    form = AliasForm(request.POST, numbers=numbers)
    if form.is_valid():
        version = reads.find_version(actor.tenant, name, form.cleaned_data["version"])
        try:
            despite, alias = "despite_consumers" in request.POST, form.cleaned_data["name"]
            registry.move_alias(actor=actor, model=model, name=alias, version=version, despite_consumers=despite)
        except HasConsumers as error:
            return ask_whether_told(request, actor, model, error, f"Let {name}@{alias} be {version}")
        except ModelyardError as error:
            form.refuse(error, "name", "version")
        else:
            toasts.say(request, f"{name}@{form.cleaned_data['name']} is {version} now.")
            return redirect("console:model", tenant=actor.tenant.name, name=name)
    context = model_context(actor, model, alias_form=form)
    return show(request, actor, "models/model.html", context, status=422)


@page(Scope.WRITE, "GET", "POST")
def delete(request: HttpRequest, actor: Actor, name: str, alias: str) -> HttpResponse:
    """Forget an alias; its version stays. Where somebody depends on it, they are named first."""
    model = reads.find_model(actor.tenant, name)
    found = find_alias(model, alias).name
    consumers = hurt(model, f"@{found}")
    despite = "despite_consumers" in request.POST
    if request.method == "POST" and (despite or not consumers):
        registry.delete_alias(actor=actor, model=model, name=found, despite_consumers=despite)
        toasts.say(request, f"{name}@{found} is removed.")
        return redirect("console:model", tenant=actor.tenant.name, name=name)
    context = {
        "section": "models",
        "model": model,
        "alias": found,
        "consumers": consumers,
        "back": reverse("console:model", kwargs={"tenant": actor.tenant.name, "name": name}),
        "confirm": "models/_alias_delete.html",
    }
    return show(request, actor, "confirm.html", context, status=422 if request.method == "POST" else 200)
