"""A model's charter: the one in force, those before it, and who depends on the model."""

from typing import Any

import msgspec
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone

from modelyard.control.console import reads, toasts
from modelyard.control.console.access import page
from modelyard.control.console.charter_forms import CharterForm, ConsumerForm
from modelyard.control.console.rendering import show
from modelyard.control.registry import services as registry
from modelyard.control.registry.charters import charter_of
from modelyard.control.registry.models import CharterRecord, Consumer, Model
from modelyard.control.tenancy.models import Scope
from modelyard.control.tenancy.services import Actor
from modelyard.core.charter import Charter
from modelyard.core.errors import Conflict, ModelyardError, NotFound

MOST_NUMBERS = 100


@page(Scope.READ)
def charter(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """Show the charter in force, or an older one (`?number=`), and the consumers."""
    model = reads.find_model(actor.tenant, name)
    return show(request, actor, "charters/charter.html", _context(request, model))


@page(Scope.WRITE, "GET", "POST")
def edit(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """Agree on another charter."""
    model = reads.find_model(actor.tenant, name)
    place = {"tenant": actor.tenant.name, "name": name}
    newest = CharterRecord.objects.filter(model=model).first()
    form = CharterForm.of(charter_of(model), newest.number if newest else 0)
    if request.method == "POST":
        form = CharterForm(request.POST)
        if form.is_valid() and _written(actor, model, form):
            toasts.say(request, "The charter is kept.")
            return redirect("console:charter", tenant=actor.tenant.name, name=name)
    context = {"section": "models", "model": model, "form": form, "back": reverse("console:charter", kwargs=place)}
    return show(request, actor, "charters/edit.html", context, status=422 if form.is_bound else 200)


@page(Scope.WRITE, "POST")
def declare(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """Note that somebody depends on the model."""
    model = reads.find_model(actor.tenant, name)
    form = _consumer_form(model, request.POST)
    if form.is_valid():
        try:
            declared = registry.declare_consumer(actor=actor, model=model, **form.cleaned_data)
        except ModelyardError as error:
            form.refuse(error, "name", "contact", "uses", "purpose")
        else:
            toasts.say(request, f"{declared.name} is told before anything that may hurt them.")
            return redirect("console:charter", tenant=actor.tenant.name, name=name)
    context = _context(request, model, consumer_form=form)
    return show(request, actor, "charters/charter.html", context, status=422)


@page(Scope.WRITE, "POST")
def remove(request: HttpRequest, actor: Actor, name: str, consumer: int) -> HttpResponse:
    """Note that somebody does not depend on the model any more."""
    model = reads.find_model(actor.tenant, name)
    found = Consumer.objects.filter(model=model, pk=consumer).first() if consumer < 2**63 else None
    if found is None:
        raise NotFound("no such consumer")
    registry.remove_consumer(actor=actor, model=model, name=found.name)
    toasts.say(request, f"{found.name} does not depend on {name} any more.")
    return redirect("console:charter", tenant=actor.tenant.name, name=name)


def _written(actor: Actor, model: Model, form: CharterForm) -> bool:
    given = form.cleaned_data
    try:
        registry.write_charter(
            actor=actor, model=model, charter=form.charter(), reason=given["reason"], replaces=given["number"]
        )
    except Conflict as error:
        number = error.details["number"]
        form.data = {**form.data.dict(), "number": str(number)}  # type: ignore[attr-defined]
        form.add_error(
            None,
            f"Charter {number} was agreed on meanwhile, and holds. Look at it, and keep yours once more if it shall "
            "replace that one.",
        )
        return False
    except ModelyardError as error:
        form.add_error(None, error.message)
        return False
    return True


def _context(request: HttpRequest, model: Model, **given: Any) -> dict[str, Any]:
    records = CharterRecord.objects.filter(model=model)
    newest = records.first()
    asked = request.GET.get("number", "")
    shown = records.filter(number=int(asked)).first() if asked.isdecimal() and len(asked) < 10 else newest
    in_force = shown is None or newest is None or shown.pk == newest.pk
    charter = charter_of(model) if in_force or shown is None else msgspec.convert(shown.charter, Charter)
    due = charter.next_review
    return {
        "section": "models",
        "model": model,
        "charter": charter,
        "overdue": in_force and due is not None and due < timezone.now().date(),
        "record": newest if in_force else shown,
        "in_force": in_force,
        "page": reads.page_of(records, request.GET.get("page")),
        "consumers": list(model.consumers.all()),
        "consumer_form": _consumer_form(model),
        **given,
    }


def _consumer_form(model: Model, data: Any = None) -> ConsumerForm:
    aliases = [f"@{alias}" for alias in model.aliases.values_list("name", flat=True)]
    numbers = model.versions.ready().order_by("-number").values_list("number", flat=True)[:MOST_NUMBERS]
    return ConsumerForm(data, model=model.name, names=[*aliases, *(f":{number}" for number in numbers)])
