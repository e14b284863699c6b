"""A version's page, and what can be done with a version."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django_htmx.http import reswap, retarget

from modelyard.control.console import asking, lineage, reads, toasts, trained, tryit
from modelyard.control.console.access import page
from modelyard.control.console.rendering import ask_whether_told, show
from modelyard.control.deployments import services as deployments
from modelyard.control.registry import services as registry
from modelyard.control.registry.consumers import hurt
from modelyard.control.registry.models import Version
from modelyard.control.registry.services import SAMPLE_ROLE
from modelyard.control.registry.storage import store
from modelyard.control.rest.streaming import ChunksResponse
from modelyard.control.tenancy.models import Scope
from modelyard.control.tenancy.services import Actor
from modelyard.control.training import reproducing
from modelyard.core.errors import HasConsumers, NotFound

COLUMNS_SHOWN = 20
MAX_COLUMNS = 2000
"""What is beyond the first is folded away; a page with more than the second would be slow."""


def address(actor: Actor, version: Version) -> str:
    """Return the address of the version's page."""
    place = {"tenant": actor.tenant.name, "name": version.model.name, "number": version.number}
    return reverse("console:version", kwargs=place)


def version_context(version: Version, posted: tryit.Posted | None = None) -> dict[str, Any]:
    """Return what the version's page shows."""
    signature = reads.signature_of(version)
    arms = {arm.number: arm for arm in reads.arms_of(version.model)}
    family = reads.family_of(version)
    context: dict[str, Any] = {
        "section": "models",
        "model": version.model,
        "version": version,
        "arm": arms.get(version.number),
        "plan_arms": list(arms.values()),
        "aliases": version.aliases.all(),
        "files": version.files.all(),
        "consumers": hurt(version.model, f":{version.number}"),
        "parent": family.parent,
        "children": family.children,
        "lineage": lineage.of_version(version, family.parents),
        "summary": trained.summary_of(version),
        "reproduced": version.reproductions.first(),
        "signature": signature,
        "report": version.report or {},
        "metrics": sorted((version.metrics or {}).items()),
        "manifest": [
            (name, value)
            for name, value in sorted((version.manifest or {}).items())
            if value not in (None, "", {}) and name != "data_digest"
        ],
    }
    if signature is not None:
        rows = asking.sample_of(version)
        row = rows[0] if rows else {}
        context |= {
            "columns_shown": signature.columns[:COLUMNS_SHOWN],
            "columns_folded": signature.columns[COLUMNS_SHOWN:MAX_COLUMNS],
            "columns_more": max(0, len(signature.columns) - MAX_COLUMNS),
            "max_columns": MAX_COLUMNS,
            "seen_where": "Seen in the sample" if was_sampled(version) else "Usual values",
            "fields": tryit.fields_of(signature, row, posted),
            "few": len(signature.columns) <= tryit.FEW_COLUMNS,
            "sample_rows": rows[:1],
            "posted": posted,
            "snippets": asking.asking_for_version(version),
        }
    return context


def was_sampled(version: Version) -> bool:
    """Tell whether rows came with the files: then ranges are theirs, else those that the estimator lets one guess."""
    return any(file.role == SAMPLE_ROLE for file in version.files.all())


@page(Scope.READ)
def show_version(request: HttpRequest, actor: Actor, name: str, number: int) -> HttpResponse:
    """Show a version."""
    version = reads.find_version(actor.tenant, name, number)
    return show(request, actor, "versions/version.html", version_context(version))


@page(Scope.READ)
def state(request: HttpRequest, actor: Actor, name: str, number: int) -> HttpResponse:
    """Tell how the check goes on; once it is over, give the whole content of the page."""
    version = reads.find_version(actor.tenant, name, number)
    if version.state == "checking":
        return show(request, actor, "versions/_checking.html", {"version": version, "model": version.model})
    content = show(request, actor, "versions/_content.html", version_context(version))
    return reswap(retarget(content, "#version"), "innerHTML")


@page(Scope.READ)
def line(request: HttpRequest, actor: Actor, name: str, number: int) -> HttpResponse:
    """Give the version's line in the model's table, which asks for it while the version is checked."""
    version = reads.find_version(actor.tenant, name, number)
    serving = {arm.number: arm for arm in reads.arms_of(version.model)}
    aliased = {number: [alias.name for alias in version.aliases.all()]}
    context = {"version": version, "model": version.model, "serving": serving, "aliased": aliased}
    return show(request, actor, "models/_version_line.html", context)


@page(Scope.WRITE, "POST")
def activate(request: HttpRequest, actor: Actor, name: str, number: int) -> HttpResponse:
    """Let the version answer all requests."""
    version = reads.find_version(actor.tenant, name, number)
    before = reads.arms_of(version.model)
    despite, reason = "despite_consumers" in request.POST, request.POST.get("reason", "")[:2000]
    try:
        record = deployments.activate(actor=actor, version=version, reason=reason, despite_consumers=despite)
    except HasConsumers as error:
        return ask_whether_told(request, actor, version.model, error, f"Activate {version}")
    undo = "console:rollback" if before else "console:stop"
    way_back = reverse(undo, kwargs={"tenant": actor.tenant.name, "name": name}) if record.appended else ""
    toasts.say(request, f"{version} now answers every request to {name}.", undo=way_back)
    return redirect("console:model", tenant=actor.tenant.name, name=name)


@page(Scope.WRITE, "POST")
def reproduce(request: HttpRequest, actor: Actor, name: str, number: int) -> HttpResponse:
    """Have the version's training run again and compared with it, and show the job."""
    version = reads.find_version(actor.tenant, name, number)
    job = reproducing.reproduce(actor=actor, version=version)
    return redirect("console:job", tenant=actor.tenant.name, job=job.pk)


@page(Scope.WRITE, "GET", "POST")
def delete(request: HttpRequest, actor: Actor, name: str, number: int) -> HttpResponse:
    """Delete a version that nothing uses."""
    version = reads.find_version(actor.tenant, name, number)
    if request.method == "POST":
        despite = "despite_consumers" in request.POST
        registry.delete_version(actor=actor, version=version, despite_consumers=despite)
        toasts.say(request, f"{name}:{number} is deleted.")
        return redirect("console:model", tenant=actor.tenant.name, name=name)
    context = {
        "section": "models",
        "model": version.model,
        "version": version,
        "consumers": hurt(version.model, f":{number}"),
        "back": address(actor, version),
        "confirm": "versions/_delete.html",
    }
    return show(request, actor, "confirm.html", context)


@page(Scope.READ)
def download(request: HttpRequest, actor: Actor, name: str, number: int, position: int) -> HttpResponseBase:
    """Give a file as it was uploaded, as an attachment that no browser interprets."""
    version = reads.find_version(actor.tenant, name, number)
    files = list(version.files.all())
    if position >= len(files):
        raise NotFound("no such file")
    file = files[position]
    chunks = store().open(str(actor.tenant.pk), file.artifact.digest)
    return ChunksResponse(chunks, filename=file.filename, size_bytes=file.artifact.size_bytes)
