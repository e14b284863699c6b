"""Schedules: the list, a schedule with its runs, a new one, and what is done with it."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from modelyard.control.console import reads, toasts
from modelyard.control.console.access import page
from modelyard.control.console.rendering import is_htmx, show
from modelyard.control.console.schedule_forms import ScheduleForm, asked_of, filled, repeating
from modelyard.control.registry.models import Dataset
from modelyard.control.schedules import services
from modelyard.control.schedules.kinds import KINDS
from modelyard.control.schedules.models import Schedule
from modelyard.control.tenancy.models import Scope
from modelyard.control.tenancy.services import Actor
from modelyard.core.errors import Conflict, InvalidInput, ModelyardError, NotFound

MOST_NAMES = 500
"""Of datasets that a form offers."""


@page(Scope.READ)
def schedules(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List the schedules, by name."""
    own = Schedule.objects.of(actor.tenant)
    context = {"section": "schedules", "page": reads.page_of(own, request.GET.get("page"))}
    return show(request, actor, "schedules/list.html", context)


@page(Scope.READ)
def show_schedule(request: HttpRequest, actor: Actor, schedule: str) -> HttpResponse:
    """Show a schedule: when, what, and what it has started; the page asks again for its runs."""
    found = services.find_schedule(actor.tenant, schedule)
    context = {
        "section": "schedules",
        "schedule": found,
        "page": reads.page_of(found.runs.select_related("job"), request.GET.get("page")),
    }
    return show(request, actor, "schedules/_now.html" if is_htmx(request) else "schedules/schedule.html", context)


@page(Scope.WRITE, "GET", "POST")
def new(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Make a schedule. `?job=` fills the form with what that job was asked for."""
    posted = request.method == "POST"
    initial = {} if posted else _of_job(request, actor)
    form = ScheduleForm(request.POST if posted else None, names=_names(actor), initial=initial)
    if posted and form.is_valid():
        given = form.cleaned_data
        said = {name: given[name] for name in ("name", "kind", "body", "overlap", "max_failures")}
        try:
            made = services.create_schedule(actor=actor, trigger=form.trigger(), **said)
        except ModelyardError as error:
            form.refuse(error, *form.fields, otherwise=_place_of(error))
        else:
            undo = reverse("console:schedule-delete", args=[actor.tenant.name, made.name])
            toasts.say(request, f"{made.name} is made.", undo=undo)
            return redirect(address(actor, made))
    return _show_new(request, actor, form, 422 if posted else 200)


def propose(request: HttpRequest, actor: Actor, kind: str, asked: Mapping[str, Any]) -> HttpResponse:
    """Show the form of a new schedule that repeats what was asked for in another form."""
    return _show_new(request, actor, ScheduleForm(names=_names(actor), initial=repeating(kind, asked)))


def _show_new(request: HttpRequest, actor: Actor, form: ScheduleForm, status: int = 200) -> HttpResponse:
    context = {"section": "schedules", "form": form, "back": reverse("console:schedules", args=[actor.tenant.name])}
    return show(request, actor, "schedules/edit.html", context, status=status)


def _of_job(request: HttpRequest, actor: Actor) -> dict[str, Any]:
    try:
        job = reads.find_job(actor.tenant, UUID(request.GET.get("job", "")))
    except ValueError:
        return {}
    return repeating(job.kind, asked_of(job)) if job.kind in KINDS else {}


@page(Scope.WRITE, "GET", "POST")
def edit(request: HttpRequest, actor: Actor, schedule: str) -> HttpResponse:
    """Change a schedule, which then acts for whoever changed it."""
    found = services.find_schedule(actor.tenant, schedule)
    posted = request.method == "POST"
    given = request.POST if posted else None
    form = ScheduleForm(given, initial=filled(found), names=_names(actor, found.on_dataset), changed=found)
    if posted and form.is_valid():
        said = {name: form.cleaned_data[name] for name in ("body", "overlap", "max_failures")}
        try:
            services.change_schedule(actor=actor, schedule=found, trigger=form.trigger(), **said)
        except ModelyardError as error:
            form.refuse(error, *form.fields, otherwise=_place_of(error))
        else:
            toasts.say(request, f"{found.name} is changed.")
            return redirect(address(actor, found))
    context = {"section": "schedules", "schedule": found, "form": form, "back": address(actor, found)}
    return show(request, actor, "schedules/edit.html", context, status=422 if posted else 200)


@page(Scope.WRITE, "POST")
def pause(request: HttpRequest, actor: Actor, schedule: str) -> HttpResponse:
    """Start nothing more until it is resumed."""
    found = services.pause_schedule(actor=actor, schedule=services.find_schedule(actor.tenant, schedule))
    undo = reverse("console:schedule-resume", args=[actor.tenant.name, found.name])
    toasts.say(request, f"{found.name} is paused.", undo=undo)
    return redirect(address(actor, found))


@page(Scope.WRITE, "POST")
def resume(request: HttpRequest, actor: Actor, schedule: str) -> HttpResponse:
    """Go on, for whoever asks."""
    found = services.resume_schedule(actor=actor, schedule=services.find_schedule(actor.tenant, schedule))
    undo = reverse("console:schedule-pause", args=[actor.tenant.name, found.name])
    toasts.say(request, f"{found.name} goes on, and acts for you.", undo=undo)
    return redirect(address(actor, found))


@page(Scope.WRITE, "POST")
def run(request: HttpRequest, actor: Actor, schedule: str) -> HttpResponse:
    """Start a run now."""
    found = services.find_schedule(actor.tenant, schedule)
    made = services.run_schedule(actor=actor, schedule=found)
    if made.reason:
        toasts.say(request, made.reason, kind="bad")
    else:
        toasts.say(request, f"A run of {found.name} is {made.state}.")
    return redirect(address(actor, found))


@page(Scope.WRITE, "GET", "POST")
def delete(request: HttpRequest, actor: Actor, schedule: str) -> HttpResponse:
    """Delete a schedule, after a question."""
    found = services.find_schedule(actor.tenant, schedule)
    if request.method == "POST":
        services.delete_schedule(actor=actor, schedule=found)
        toasts.say(request, f"{found.name} is deleted.")
        return redirect("console:schedules", tenant=actor.tenant.name)
    context = {"section": "schedules", "schedule": found, "back": address(actor, found)}
    return show(request, actor, "confirm.html", {**context, "confirm": "schedules/_delete.html"})


def address(actor: Actor, schedule: Schedule) -> str:
    """Return the address of the schedule's page."""
    return reverse("console:schedule", args=[actor.tenant.name, schedule.name])


def _place_of(error: ModelyardError) -> str | None:
    """Return the field of a refusal that names none; the others are of the schedule as a whole."""
    if "name" in error.details:
        return "name"
    return "body" if isinstance(error, (InvalidInput, NotFound, Conflict)) else None


def _names(actor: Actor, *others: str) -> list[str]:
    """Return the names of the datasets that may be waited for."""
    names = Dataset.objects.of(actor.tenant).ready().order_by("name").values_list("name", flat=True).distinct()
    found: set[Any] = {*names[:MOST_NAMES], *filter(None, others)}
    return sorted(found)
