"""Training from the console: a form that follows what is chosen in it."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from modelyard.control.console import reads
from modelyard.control.console.access import page
from modelyard.control.console.rendering import is_htmx, show
from modelyard.control.console.training import form as forms
from modelyard.control.console.training.like import texts_like
from modelyard.control.console.training.lines import training_lines
from modelyard.control.console.views import schedules
from modelyard.control.registry.finding import find_dataset
from modelyard.control.registry.models import Dataset, Model
from modelyard.control.tenancy.models import Scope
from modelyard.control.tenancy.services import Actor
from modelyard.control.training import services
from modelyard.core.errors import InvalidInput, ModelyardError
from modelyard.core.reference import check_name

OFFERED = 200
"""Datasets and models that are offered by name, the newest; others are typed, or come with the address."""
MAX_TEXT = 200_000
LINES = "train-lines"
"""The element of the page that holds the equal commands."""


@page(Scope.WRITE, "GET", "POST")
def train(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Ask for a training, or for a schedule of it.

    `?dataset=`, `?model=` and `?trainer=` fill the form, `?like=iris:3` as that was trained.
    """
    if request.method != "POST":
        texts, ticked = _asked(request, actor)
        return show(request, actor, "training/train.html", _context(actor, *_form(actor, texts, ticked)))
    form, known = _form(actor, *_posted(request))
    given = {} if form.is_wrong else _asked_for(form)
    try:
        if given and "repeat" in request.POST:
            services.check_training(actor=actor, **given)
            return schedules.propose(request, actor, services.KIND, given)
        if given:
            job = services.train(actor=actor, **given)
            return redirect("console:job", tenant=actor.tenant.name, job=job.pk)
    except ModelyardError as error:
        form.refuse(error)
    return show(request, actor, "training/train.html", _context(actor, form, known), status=422)


@page(Scope.WRITE, "POST")
def fields(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Give the form anew after a choice that decides on its fields, or the commands that say the same."""
    context = _context(actor, *_form(actor, *_posted(request)))
    if not is_htmx(request):
        return show(request, actor, "training/train.html", context)
    about_lines = getattr(request, "htmx").target == LINES  # noqa: B009 - set by the middleware
    return show(request, actor, "_lines.html" if about_lines else "training/_fields.html", context)


def _asked_for(form: forms.TrainingForm) -> dict[str, Any]:
    """Return what is asked of the service; nothing where something lacks, which the form then says."""
    if not form.texts.get("dataset"):
        form.errors["dataset"] = "Choose what it learns from."
    form.errors |= _about_name(form.texts.get("model", ""))
    for one in (*form.main, *form.more):
        if one.required and not one.value and not one.error:
            one.error = "Choose one." if one.kind == "choice" else "This is needed."
    if form.search and form.search[0].value and form.estimator and not form.parameters["search"]["space"]:
        form.search[0].error = "Say values to try beside at least one of the estimator's parameters."
    if form.is_wrong or form.dataset is None:
        return {}
    return {
        "trainer": form.trainer.name,
        "model": form.texts["model"],
        "dataset": form.dataset,
        "parameters": form.parameters,
        "description": form.texts.get("description", ""),
    }


def _about_name(name: str) -> dict[str, str]:
    if not name:
        return {"model": "Say which model the version is of; a new name makes a new one."}
    try:
        check_name(name, "a model")
    except InvalidInput as error:
        return {"model": error.message}
    return {}


def _form(actor: Actor, texts: dict[str, str], ticked: set[str] | None) -> tuple[forms.TrainingForm, dict[str, Any]]:
    """Return the form, and what there is to choose from."""
    trainers = services.known_trainers()
    dataset, said = _dataset(actor, texts.get("dataset", ""))
    trainer = trainers.get(texts.get("trainer", "")) or next(iter(trainers.values()))
    form = forms.make(trainer, dataset, texts, ticked)
    if said:
        form.errors["dataset"] = said
    if texts.get("trainer", trainer.name) != trainer.name:
        form.errors["trainer"] = "There is no such trainer any more: choose one of these."
    return form, {"trainers": list(trainers.values())}


def _dataset(actor: Actor, ref: str) -> tuple[Dataset | None, str]:
    if not ref:
        return None, ""
    try:
        return find_dataset(actor.tenant, ref), ""
    except ModelyardError as error:
        return None, error.message


def _posted(request: HttpRequest) -> tuple[dict[str, str], set[str] | None]:
    texts = {name: str(text)[:MAX_TEXT].replace("\x00", "") for name, text in request.POST.items()}
    texts |= {name: texts[name].strip() for name in ("model", "description", "dataset") if name in texts}
    return texts, set(request.POST.getlist(forms.COLUMNS)) if forms.COLUMNS_OF in request.POST else None


def _asked(request: HttpRequest, actor: Actor) -> tuple[dict[str, str], set[str] | None]:
    texts = {name: request.GET.get(name, "").replace("\x00", "")[:200] for name in ("trainer", "dataset", "model")}
    texts = {name: text for name, text in texts.items() if text}
    name, _, number = request.GET.get("like", "").partition(":")
    if not (number.isascii() and number.isdigit() and len(number) < 10):
        return texts, None
    like, ticked = texts_like(reads.find_version(actor.tenant, name, int(number)))
    return {**like, **texts}, ticked


def _context(actor: Actor, form: forms.TrainingForm, known: dict[str, Any]) -> dict[str, Any]:
    newest = Dataset.objects.of(actor.tenant).ready().order_by("-created_at", "-pk").only("name", "number", "n_rows")
    datasets = list(newest[:OFFERED])
    if form.dataset is not None and form.dataset not in datasets:
        datasets.insert(0, form.dataset)
    return {
        "section": "models",
        "form": form,
        "id": "train",
        "chosen_way": form.texts.get("way", ""),
        **known,
        "datasets": datasets,
        "names": list(Model.objects.of(actor.tenant).order_by("name").values_list("name", flat=True)[:OFFERED]),
        "lines": training_lines(
            form.trainer.name,
            form.texts.get("model", ""),
            str(form.dataset or ""),
            form.parameters,
        ),
    }
