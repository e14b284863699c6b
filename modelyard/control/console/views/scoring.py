"""Scoring from the console: a dataset with a version, and what it came to."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from modelyard.control.console import reads, toasts
from modelyard.control.console.access import page
from modelyard.control.console.rendering import is_htmx, show
from modelyard.control.console.scoring_form import OFFERED, ScoringForm, offered_versions, scoring_lines
from modelyard.control.console.views import schedules
from modelyard.control.registry.finding import find_dataset
from modelyard.control.registry.models import Dataset
from modelyard.control.scoring import services
from modelyard.control.scoring.downloads import download
from modelyard.control.scoring.models import Role, ScoredFile
from modelyard.control.tenancy.models import Scope
from modelyard.control.tenancy.services import Actor
from modelyard.core.errors import ModelyardError, NotFound
from modelyard.scoring.naming import FORMATS

LINES = "score-lines"
"""The element of the page that holds the equal commands."""


@page(Scope.WRITE, "GET", "POST")
def score(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Ask for predictions of all rows of a dataset, or for a schedule of that.

    `?model=iris:3` and `?dataset=flights:2` fill the form.
    """
    form, way = _form(actor, request.POST if request.method == "POST" else request.GET)
    if request.method != "POST":
        form.fit()
    else:
        if not form.model:
            form.errors.setdefault("model", "Choose what scores.")
        if form.dataset is None:
            form.errors.setdefault("dataset", "Choose what is scored.")
        elif not form.is_wrong:
            try:
                if "repeat" in request.POST:
                    services.check_scoring(actor=actor, **form.asked)
                    return schedules.propose(request, actor, services.KIND, form.asked)
                job = services.score(actor=actor, **form.asked)
                return redirect("console:job", tenant=actor.tenant.name, job=job.pk)
            except ModelyardError as error:
                form.refuse(error)
    status = 422 if request.method == "POST" else 200
    return show(request, actor, "scoring/score.html", _context(form, way), status=status)


@page(Scope.WRITE, "POST")
def fields(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Give the form anew for another dataset, or the commands that say the same."""
    form, way = _form(actor, request.POST)
    form.fit()
    context = _context(form, way)
    if not is_htmx(request):
        return show(request, actor, "scoring/score.html", context)
    about_lines = getattr(request, "htmx").target == LINES  # noqa: B009 - set by the middleware
    return show(request, actor, "_lines.html" if about_lines else "scoring/_fields.html", context)


@page(Scope.READ)
def result(request: HttpRequest, actor: Actor, job: UUID) -> HttpResponseBase:
    """Give what a scoring came to."""
    return _download(actor, job, Role.RESULT)


@page(Scope.READ)
def failed(request: HttpRequest, actor: Actor, job: UUID) -> HttpResponseBase:
    """Give the rows that could not be scored, each with its reason."""
    return _download(actor, job, Role.FAILED)


@page(Scope.WRITE, "GET", "POST")
def delete_result(request: HttpRequest, actor: Actor, job: UUID) -> HttpResponse:
    """Delete what a scoring came to, after a question."""
    found = reads.find_job(actor.tenant, job)
    back = reverse("console:job", kwargs={"tenant": actor.tenant.name, "job": job})
    if request.method == "POST":
        services.delete_result(actor=actor, job=found)
        toasts.say(request, "The result is deleted, and its failed rows with it.")
        return redirect(back)
    if not ScoredFile.objects.filter(job=found, role=Role.RESULT).exists():
        raise NotFound("the job has no result, or it was deleted", what="result")
    context = {"section": "jobs", "job": found, "back": back, "confirm": "jobs/_delete_result.html"}
    return show(request, actor, "confirm.html", context)


def _download(actor: Actor, job: UUID, role: Role) -> HttpResponseBase:
    return download(reads.find_job(actor.tenant, job), role)


def _form(actor: Actor, given: QueryDict) -> tuple[ScoringForm, str]:
    texts = {
        name: given.get(name, "").replace("\x00", "")[:300] for name in ("model", "dataset", "format", "entity", "way")
    }
    dataset, said = None, ""
    if texts["dataset"]:
        try:
            dataset = find_dataset(actor.tenant, texts["dataset"])
        except ModelyardError as error:
            said = error.message
    chosen = texts["format"] or FORMATS[0]
    form = ScoringForm(
        texts["model"], dataset, chosen, texts["entity"], set(given.getlist("columns")), "precompute" in given
    )
    if said:
        form.errors["dataset"] = said
    form.versions = offered_versions(actor.tenant, form.model)
    newest = Dataset.objects.of(actor.tenant).ready().order_by("-created_at", "-pk").only("name", "number", "n_rows")
    form.datasets = list(newest[:OFFERED])
    if dataset is not None and dataset not in form.datasets:
        form.datasets.insert(0, dataset)
    return form, texts["way"]


def _context(form: ScoringForm, way: str) -> dict[str, object]:
    return {"section": "datasets", "form": form, "lines": scoring_lines(form), "id": "score", "chosen_way": way}
