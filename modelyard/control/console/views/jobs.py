"""Background work: the list, a job as it goes on, cancelling, running it again."""

from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from modelyard.control.console import reads, toasts
from modelyard.control.console.access import page
from modelyard.control.console.rendering import is_htmx, show
from modelyard.control.jobs import services
from modelyard.control.jobs.handlers import is_repeatable
from modelyard.control.jobs.models import Job, State
from modelyard.control.registry.datasets import KIND as DATASET
from modelyard.control.registry.models import Dataset, Version
from modelyard.control.schedules.kinds import KINDS
from modelyard.control.schedules.models import Run
from modelyard.control.scoring.services import KIND as SCORING
from modelyard.control.tenancy.models import Scope
from modelyard.control.tenancy.services import Actor
from modelyard.control.training.models import Reproduction

MOST_PARTS = 100
ASKED = ("trainer", "format", "entity")
"""Of what a job was asked for, that its page shows as it is; the dataset is a link."""


@page(Scope.READ)
def jobs(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List jobs, the newest first; parts are on their job's page."""
    kind, state = (request.GET.get(name, "").replace("\x00", "")[:32] for name in ("kind", "state"))
    state = state if state in State.values else ""
    own = Job.objects.of(actor.tenant).whole()
    found = own.with_parts_progress()
    found = found.filter(kind=kind) if kind else found
    found = found.filter(state=state) if state else found
    context = {
        "section": "jobs",
        "kind": kind,
        "state": state,
        "page": reads.page_of(found, request.GET.get("page")),
        "filters": {name: text for name, text in (("kind", kind), ("state", state)) if text},
    }
    if is_htmx(request):
        return show(request, actor, "jobs/_list.html", context)
    kinds = sorted(set(own.order_by().values_list("kind", flat=True).distinct()))
    return show(request, actor, "jobs/list.html", {**context, "kinds": kinds, "states": State.values})


@page(Scope.READ)
def show_job(request: HttpRequest, actor: Actor, job: UUID) -> HttpResponse:
    """Show a job, with its log."""
    found = reads.find_job(actor.tenant, job)
    return show(request, actor, "jobs/job.html", {**job_context(found), **_log_after(found, 0)})


@page(Scope.READ)
def now(request: HttpRequest, actor: Actor, job: UUID) -> HttpResponse:
    """Tell how the job goes on; the page asks each second, until it has ended."""
    return show(request, actor, "jobs/_now.html", job_context(reads.find_job(actor.tenant, job)))


@page(Scope.READ)
def log(request: HttpRequest, actor: Actor, job: UUID) -> HttpResponse:
    """Give the lines of the log after one, which the page adds to those that it has."""
    found = reads.find_job(actor.tenant, job)
    after = request.GET.get("after", "")
    number = int(after) if after.isascii() and after.isdigit() and len(after) < 10 else 0
    return show(request, actor, "jobs/_lines.html", {"job": found, **_log_after(found, number)})


def _log_after(job: Job, number: int) -> dict[str, Any]:
    lines = list(job.lines.filter(number__gt=number))
    return {"lines": lines, "last": lines[-1].number if lines else number}


@page(Scope.WRITE, "GET", "POST")
def cancel(request: HttpRequest, actor: Actor, job: UUID) -> HttpResponse:
    """Cancel a job, after a question; one that has ended is shown instead."""
    found = reads.find_job(actor.tenant, job)
    address = reverse("console:job", kwargs={"tenant": actor.tenant.name, "job": job})
    if request.method != "POST" and not found.is_open:
        return redirect(address)
    if request.method == "POST":
        ended = services.cancel(found, actor)
        toasts.say(request, "The job is being cancelled." if ended.is_open else "The job is cancelled.")
        return redirect(address)
    context = {"section": "jobs", "job": found, "back": address, "confirm": "jobs/_cancel.html"}
    return show(request, actor, "confirm.html", context)


@page(Scope.WRITE, "POST")
def again(request: HttpRequest, actor: Actor, job: UUID) -> HttpResponse:
    """Run an ended job again."""
    made = services.again(reads.find_job(actor.tenant, job), actor)
    undo = reverse("console:job-cancel", kwargs={"tenant": actor.tenant.name, "job": made.pk})
    toasts.say(request, "This is a new job, which does what that one did.", undo=undo)
    return redirect("console:job", tenant=actor.tenant.name, job=made.pk)


def versions_of(job: Job) -> QuerySet[Version]:
    """Return the versions that the job made, or those that it is told to work with."""
    rows = Version.objects.of(job.tenant).select_related("model")
    model, number = job.payload.get("model"), job.payload.get("number") or job.payload.get("version")
    if isinstance(model, str) and isinstance(number, int):
        return rows.filter(model__name=model, number=number)
    return rows.filter(Q(job=job) | Q(job__parent=job))


def dataset_of(job: Job) -> str:
    """Return the dataset that the job reads, as `flights:2`; empty where it reads none, or that is gone."""
    told = job.payload.get("dataset")
    if not isinstance(told, str):
        return ""
    name, _, number = f"{told}:{job.payload['number']}".rpartition(":") if job.kind == DATASET else told.rpartition(":")
    there = number.isdigit() and Dataset.objects.of(job.tenant).filter(name=name, number=int(number)).exists()
    return f"{name}:{number}" if there else ""


def job_context(job: Job) -> dict[str, Any]:
    """Return what the page shows of a job."""
    parts = Job.objects.filter(parent=job).with_parts_progress().select_related("tenant").order_by("part")[:MOST_PARTS]
    told = {
        name: value
        for name, value in (job.outcome or {}).items()
        if value not in (None, "") and not isinstance(value, (dict, list))
    }
    return {
        "section": "jobs",
        "job": job,
        "parts": list(parts) if job.parts_made else [],
        "more_parts": max(0, job.parts_made - MOST_PARTS),
        "metrics": sorted(job.metrics.items()),
        "versions": versions_of(job),
        "dataset_ref": dataset_of(job),
        "schedule_run": Run.objects.filter(job=job).select_related("schedule").first(),
        "reproduction": Reproduction.objects.filter(job=job).first(),
        "is_scored": job.kind == SCORING and job.state == State.SUCCEEDED,
        "scored": (job.outcome or {}).get("files"),
        "asked": {name: job.payload[name] for name in ASKED if job.payload.get(name)},
        "told": told,
        "told_more": {name: value for name, value in (job.outcome or {}).items() if name not in told} or None,
        "may_schedule": job.kind in KINDS and job.parent_id is None,
        "may_repeat": not job.is_open and job.parent_id is None and is_repeatable(job.kind),
    }
