"""The list of models, a new model, and a model's own page."""

from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from modelyard.control.console import asking, reads, toasts
from modelyard.control.console.access import page
from modelyard.control.console.forms import AliasForm, ModelForm, ProblemForm, PushForm, check_model_name
from modelyard.control.console.rendering import is_htmx, show
from modelyard.control.precomputed.models import Precomputation
from modelyard.control.precomputed.services import current_of
from modelyard.control.registry import services as registry
from modelyard.control.registry.consumers import hurt
from modelyard.control.registry.models import Model
from modelyard.control.rest.public import predict_url, public_url
from modelyard.control.tenancy.models import Scope
from modelyard.control.tenancy.services import Actor
from modelyard.core.errors import Conflict, ModelyardError

RECENT_PLANS = 6
STORED_SHOWN = 4


@page(Scope.READ)
def models(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List the models, those that match a search."""
    search = request.GET.get("q", "")[:200]
    found = reads.page_of(reads.models(actor.tenant, search), request.GET.get("page"))
    context = {
        "section": "models",
        "search": search,
        "page": found,
        "lines": reads.lines(found),
        "total": Model.objects.of(actor.tenant).count(),
        "api_url": public_url(),
    }
    return show(request, actor, "models/_list.html" if is_htmx(request) else "models/list.html", context)


@page(Scope.WRITE, "GET", "POST")
def new(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Make a model."""
    form = ModelForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        try:
            model = registry.create_model(actor=actor, owner=actor.user, **form.cleaned_data)
        except ModelyardError as error:
            if isinstance(error, Conflict):
                form.add_error("name", error.message)
            else:
                form.refuse(error, "name", "problem")
        else:
            toasts.say(request, f"{model.name} is there. Push its first version.")
            return redirect("console:model", tenant=actor.tenant.name, name=model.name)
    context = {"section": "models", "form": form, "predict_url": predict_url()}
    return show(request, actor, "models/new.html", context, status=422 if form.is_bound else 200)


@page(Scope.WRITE)
def check(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Say, while it is typed, whether a name may be taken."""
    name = request.GET.get("name", "")[:200]
    error = ""
    if name:
        try:
            check_model_name(name)
        except ValidationError as problem:
            error = " ".join(problem.messages)
        else:
            if Model.objects.of(actor.tenant).filter(name=name).exists():
                error = f"There is a model called {name} already."
    return show(request, actor, "models/_name_check.html", {"name": name, "error": error})


def stored_context(model: Model) -> dict[str, object]:
    """Return what is shown of a model's stored answers: those that are told, and the latest before them."""
    rows = list(Precomputation.objects.with_facts().filter(model=model)[:STORED_SHOWN])
    stored = next((row for row in rows if row.is_current), None)
    if stored is None and len(rows) == STORED_SHOWN:
        stored = current_of(model)
    return {
        "stored": stored,
        "stored_former": [row for row in rows if row != stored],
        "stored_address": f"{predict_url()}/precomputed/{model.name}/ENTITY",
    }


def model_context(actor: Actor, model: Model, **given: object) -> dict[str, object]:
    """Return what the model's page shows; `given` replaces forms that came back with errors."""
    numbers = reads.numbers_of(model)
    plans = list(reads.history(model)[: RECENT_PLANS + 1])
    history = reads.history_lines(plans[:RECENT_PLANS], plans[0].number if plans else None)
    arms = reads.sort_arms(history[0].arms) if history else []
    versions = reads.page_of(reads.versions(model), str(given.pop("page", "1")), count=len(numbers.every))
    aliases = list(model.aliases.values_list("name", "version__number"))
    consumers = hurt(model)
    return {
        "section": "models",
        "model": model,
        "page": versions,
        "versions": versions.object_list,
        "serving": {arm.number: arm for arm in arms},
        "arms": arms,
        "snippets": asking.asking_for_model(model, arms),
        "blocked": reads.what_keeps(arms, numbers.checking),
        "trained": f"{model.name}:{numbers.trained[0]}" if numbers.trained else "",
        "history": history,
        "more_history": len(plans) > RECENT_PLANS,
        "can_roll_back": len(plans) > 1,
        "consumers": consumers,
        "plan_consumers": [consumer for consumer in consumers if not consumer.uses],
        "aliases": aliases,
        "aliased": reads.aliased(aliases),
        "numbers": numbers.ready,
        "problem_form": ProblemForm(initial={"problem": model.problem}),
        "push_form": PushForm(numbers=numbers.every),
        "alias_form": AliasForm(numbers=numbers.ready),
        "endpoint": f"{predict_url()}/predict/{model.name}",
        "max_upload_bytes": settings.MODELYARD.max_upload_bytes,
        "api_url": public_url(),
        **stored_context(model),
        **given,
    }


@page(Scope.READ)
def show_model(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """Show a model: what serves, its versions, its history."""
    model = reads.find_model(actor.tenant, name)
    return show(
        request,
        actor,
        "models/model.html",
        model_context(actor, model, page=request.GET.get("page", "1"), editing="edit" in request.GET),
    )


@page(Scope.WRITE, "POST")
def edit(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """Change the problem statement."""
    model = reads.find_model(actor.tenant, name)
    form = ProblemForm(request.POST)
    if not form.is_valid():
        context = model_context(actor, model, problem_form=form, editing=True)
        return show(request, actor, "models/model.html", context, status=422)
    registry.change_model(actor=actor, model=model, problem=form.cleaned_data["problem"])
    toasts.say(request, "The problem statement is kept.")
    return redirect("console:model", tenant=actor.tenant.name, name=name)


@page(Scope.WRITE, "GET", "POST")
def delete(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """Delete a model with all its versions, once its name was typed."""
    model = reads.find_model(actor.tenant, name)
    error = ""
    if request.method == "POST":
        if request.POST.get("confirm") == model.name:
            registry.delete_model(actor=actor, model=model, despite_consumers="despite_consumers" in request.POST)
            toasts.say(request, f"{name} is deleted.")
            return redirect("console:models", tenant=actor.tenant.name)
        error = f"Type {model.name} to say that you mean it."
    context = {
        "section": "models",
        "model": model,
        "error": error,
        "consumers": hurt(model),
        "blocked": reads.what_keeps(reads.arms_of(model), reads.numbers_of(model).checking),
        "back": reverse("console:model", kwargs={"tenant": actor.tenant.name, "name": name}),
        "confirm": "models/_delete.html",
    }
    return show(request, actor, "confirm.html", context, status=422 if error else 200)
