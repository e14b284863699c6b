"""The best version of a model: looked for, then activated or named by an alias."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from modelyard.control.console import reads, toasts
from modelyard.control.console.access import page
from modelyard.control.console.rendering import ask_whether_told, show
from modelyard.control.console.selecting import ApplyForm, WishForm, metrics_of
from modelyard.control.deployments.selecting import Selection, select
from modelyard.control.registry import services as registry
from modelyard.control.tenancy.models import Scope
from modelyard.control.tenancy.services import Actor
from modelyard.core.errors import Conflict, HasConsumers, ModelyardError, NotFound


@page(Scope.READ)
def look(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """Show the form, and which version would win; nothing is changed."""
    model = reads.find_model(actor.tenant, name)
    metrics = metrics_of(model)
    asked = "metric" in request.GET
    form = WishForm(request.GET if asked else None, metrics=metrics)
    context: dict[str, Any] = {"section": "models", "model": model, "form": form}
    if asked and form.is_valid():
        try:
            context["selection"] = select(actor=actor, model=model, **form.wish()).facts()
        except Conflict as error:
            context |= {"nobody": error.message, "losers": error.details.get("losers", [])}
        except ModelyardError as error:
            form.refuse(error, "metric", "direction", "constraints", "pool_aliases")
    context["apply"] = ApplyForm()
    context["wish"] = [(field, text) for field, text in request.GET.items() if field in form.fields]
    context["alternatives"] = [version.number for version in model.versions.ready().order_by("-number")[:2]]
    bad = form.is_bound and not form.is_valid()
    return show(request, actor, "models/select.html", context, status=422 if bad else 200)


@page(Scope.WRITE, "POST")
def choose(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """Choose again, and let the winner answer, or an alias name it; refused when the winner is another one by now."""
    model = reads.find_model(actor.tenant, name)
    form, apply = WishForm(request.POST, metrics=metrics_of(model)), ApplyForm(request.POST)
    if not form.is_valid() or not apply.is_valid():
        errors = [str(error) for each in (form, apply) for listed in each.errors.values() for error in listed]
        raise Conflict(" ".join(errors)[:500])
    before = model.aliases.filter(name=apply.cleaned_data["alias"]).values_list("version__number", flat=True).first()
    served = bool(reads.arms_of(model))
    despite = "despite_consumers" in request.POST
    try:
        chosen = select(actor=actor, model=model, **form.wish(), **apply.what(), despite_consumers=despite)
    except HasConsumers as error:
        return ask_whether_told(request, actor, model, error, "Go on")
    toasts.say(request, _said(chosen), undo=_undo(actor, name, chosen, before, served) if chosen.changed else "")
    return redirect("console:model", tenant=actor.tenant.name, name=name)


@page(Scope.WRITE, "POST")
def alias_back(request: HttpRequest, actor: Actor, name: str, alias: str, number: int) -> HttpResponse:
    """Let an alias name a version again, as it did before a selection moved it."""
    version = reads.find_version(actor.tenant, name, number)
    if not version.model.aliases.filter(name=alias).exists():
        raise NotFound("no such alias")
    registry.move_alias(actor=actor, model=version.model, name=alias, version=version, despite_consumers=True)
    toasts.say(request, f"{name}@{alias} is {version} again.")
    return redirect("console:model", tenant=actor.tenant.name, name=name)


def _said(chosen: Selection) -> str:
    winner = chosen.choice.winner
    if chosen.alias:
        return f"{winner.model.name}@{chosen.alias} {'is' if chosen.changed else 'was already'} {winner}."
    return f"{winner} {'now answers' if chosen.changed else 'answered already'} every request to {winner.model.name}."


def _undo(actor: Actor, name: str, chosen: Selection, before: int | None, served: bool) -> str:
    place: dict[str, Any] = {"tenant": actor.tenant.name, "name": name}
    if not chosen.alias:
        return reverse("console:rollback" if served else "console:stop", kwargs=place)
    if before is None:
        return reverse("console:alias-delete", kwargs={**place, "alias": chosen.alias})
    return reverse("console:alias-back", kwargs={**place, "alias": chosen.alias, "number": before})
