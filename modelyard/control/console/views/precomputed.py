"""Stored answers: what is told from now, an entity tried, former files brought back, and no more of it."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from modelyard.control.console import predictor, reads, toasts, tryit
from modelyard.control.console.access import page
from modelyard.control.console.rendering import ask_whether_told, is_htmx, show
from modelyard.control.console.views.models import model_context, stored_context
from modelyard.control.precomputed import services
from modelyard.control.tenancy.models import Scope
from modelyard.control.tenancy.services import Actor
from modelyard.core.errors import HasConsumers, ModelyardError
from modelyard.core.precomputed import MAX_ENTITY


@page(Scope.PREDICT, "POST")
def ask(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """Ask the data plane for an entity's stored answer, and show it above the form."""
    model = reads.find_model(actor.tenant, name)
    entity = request.POST.get("entity", "")
    found: dict[str, object] = {"entity": entity[:MAX_ENTITY]}
    if entity.strip() in ("", ".", ".."):
        found["entity_error"] = "expected the id of an entity"
    else:
        try:
            answer = predictor.current().stored(actor.tenant, name, entity)
        except ModelyardError as error:
            found["entity_error"] = error.message
        else:
            number = int(answer.get("version") or 0)
            version = model.versions.filter(number=number).first()
            signature = reads.signature_of(version) if version is not None else None
            if signature is not None:
                found["stored_line"] = tryit.lines_of(signature, answer)[0]
            found["stored_answer"] = answer
    status = 422 if "entity_error" in found else 200
    if is_htmx(request):
        context = {"model": model, **stored_context(model), **found}
        return show(request, actor, "models/_precomputed.html", context, status=status)
    return show(request, actor, "models/model.html", model_context(actor, model, **found), status=status)


@page(Scope.WRITE, "POST")
def withdraw(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """Tell no stored answers any more."""
    model = reads.find_model(actor.tenant, name)
    try:
        before = services.withdraw(actor=actor, model=model, despite_consumers="despite_consumers" in request.POST)
    except HasConsumers as error:
        return ask_whether_told(request, actor, model, error, "Tell none any more")
    again = {"tenant": actor.tenant.name, "name": name, "place": before.number}
    undo = reverse("console:precomputed-activate", kwargs=again)
    toasts.say(request, f"No stored answers of {name} are told any more.", undo=undo)
    return redirect("console:model", tenant=actor.tenant.name, name=name)


@page(Scope.WRITE, "POST")
def activate(request: HttpRequest, actor: Actor, name: str, place: int) -> HttpResponse:
    """Tell answers from a former file again."""
    model = reads.find_model(actor.tenant, name)
    row = services.activate(actor=actor, model=model, number=place)
    toasts.say(request, f"{row.n_rows:,} answers of {name}:{row.version_number} are told.")
    return redirect("console:model", tenant=actor.tenant.name, name=name)
