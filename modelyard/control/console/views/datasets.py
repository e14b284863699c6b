"""Datasets: the list, a new one, and a dataset's own page."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django_htmx.http import reswap, retarget

from modelyard.control.console import lineage, reads, toasts
from modelyard.control.console.access import go, page
from modelyard.control.console.forms import DatasetForm
from modelyard.control.console.rendering import is_htmx, show
from modelyard.control.console.source_forms import WAYS, FetchForm, fetching_lines, ways_of
from modelyard.control.registry import datasets as registry
from modelyard.control.registry import tables
from modelyard.control.registry.finding import find_dataset
from modelyard.control.registry.models import Dataset, DatasetState
from modelyard.control.registry.sources import SOURCES
from modelyard.control.registry.uploads import keep_upload
from modelyard.control.rest.public import public_url
from modelyard.control.tenancy.models import Scope
from modelyard.control.tenancy.services import Actor, require
from modelyard.core.errors import ModelyardError, NotFound, TooLarge, UnsupportedFormat

ROWS_SHOWN = 20
COLUMNS_SHOWN = 30
"""Of the preview, which is as wide as the table; and of the summaries, before the rest is folded away."""


def address(actor: Actor, dataset: Dataset) -> str:
    """Return the address of the dataset's page."""
    return reverse("console:dataset", kwargs={"tenant": actor.tenant.name, "ref": str(dataset)})


@page(Scope.READ)
def datasets(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List the datasets, those that match a search."""
    search = request.GET.get("q", "")[:200]
    found = reads.page_of(reads.datasets(actor.tenant, search), request.GET.get("page"))
    context = {
        "section": "datasets",
        "search": search,
        "page": found,
        "total": Dataset.objects.of(actor.tenant).count(),
        "api_url": public_url(),
    }
    return show(request, actor, "datasets/_list.html" if is_htmx(request) else "datasets/list.html", context)


@page(Scope.WRITE, "GET", "POST")
def new(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Take a table. htmx gets the errors alone, so that the chosen file stays chosen."""
    posted = request.method == "POST"
    given = (request.POST, request.FILES) if posted else (None, None)
    form = DatasetForm(*given, initial={"name": request.GET.get("name", "")[:64]})
    if posted and form.is_valid():
        try:
            dataset, made = _register(actor, form.cleaned_data)
        except ModelyardError as error:
            of_file = "file" if isinstance(error, (TooLarge, UnsupportedFormat)) else None
            form.refuse(error, "name", "file", "description", "types", otherwise=of_file)
        else:
            if not made:
                toasts.say(request, f"The same file is there already: it is {dataset}.")
            return go(request, address(actor, dataset))
    context = {
        "section": "datasets",
        "form": form,
        "ways": ways_of(actor),
        "max_bytes": settings.MODELYARD.max_dataset_bytes,
    }
    template = "datasets/_errors.html" if posted and is_htmx(request) else "datasets/new.html"
    return show(request, actor, template, context, status=422 if posted else 200)


new.takes_uploads = registry.UPLOAD_SETTING  # type: ignore[attr-defined]
"""Said to `config.bounds`: the body of this address may be as large as a dataset."""


def _register(actor: Actor, given: dict[str, Any]) -> tuple[Dataset, bool]:
    file = given["file"]
    setting = registry.UPLOAD_SETTING
    upload = keep_upload(actor=actor, filename=file.name or "table", chunks=file.chunks(), setting=setting)
    said = {"types": given["types"], "description": given["description"]}
    return registry.register_dataset(actor=actor, name=given["name"], upload=upload, **said)


@page(Scope.WRITE, "GET", "POST")
def fetch(request: HttpRequest, actor: Actor, kind: str) -> HttpResponse:
    """Have a table fetched from a place that the operator has named."""
    source = SOURCES.get(kind)
    if source is None:
        raise NotFound("there is no such source", what="source")
    require(actor, source.scope)
    posted = request.method == "POST"
    form = FetchForm(
        request.POST if posted else None, source=source, initial={"name": request.GET.get("name", "")[:64]}
    )
    if posted and form.is_valid():
        given = form.cleaned_data
        said = {"types": given["types"], "description": given["description"]}
        try:
            dataset = registry.fetch_dataset(actor=actor, name=given["name"], source=form.said(), **said)
        except ModelyardError as error:
            form.refuse_source(error)
        else:
            return go(request, address(actor, dataset))
    context = {
        "section": "datasets",
        "form": form,
        "way": WAYS[kind],
        "ways": ways_of(actor),
        "asked": form[source.field],
        "lines": fetching_lines(kind, source.field, form.data or {}),
    }
    return show(request, actor, "datasets/fetch.html", context, status=422 if posted else 200)


def dataset_context(dataset: Dataset, offset: int = 0) -> dict[str, Any]:
    """Return what the dataset's page shows."""
    named = reads.versions_of(dataset)
    total, versions = named.count(), list(named[: lineage.MOST_TRAINED])
    context: dict[str, Any] = {
        "section": "datasets",
        "dataset": dataset,
        "versions": versions,
        "more_versions": total - len(versions),
        "lineage": lineage.of_dataset(dataset, versions, total) if versions else None,
    }
    if dataset.state == DatasetState.READY:
        total = dataset.n_rows or 0
        offset = min(offset, max(0, total - 1)) // ROWS_SHOWN * ROWS_SHOWN
        pairs = list(zip(dataset.columns, dataset.summary, strict=True))
        context |= {
            "shown": pairs[:COLUMNS_SHOWN],
            "folded": pairs[COLUMNS_SHOWN:],
            "names": [column["name"] for column in dataset.columns],
            "rows": tables.preview(dataset, offset, ROWS_SHOWN),
            "first": offset + 1,
            "last": min(offset + ROWS_SHOWN, total),
            "before": offset - ROWS_SHOWN if offset else None,
            "after": offset + ROWS_SHOWN if offset + ROWS_SHOWN < total else None,
        }
    return context


@page(Scope.READ)
def show_dataset(request: HttpRequest, actor: Actor, ref: str) -> HttpResponse:
    """Show a dataset: its columns, what they hold, and some rows."""
    dataset = find_dataset(actor.tenant, ref)
    text = request.GET.get("offset", "0")
    offset = int(text) if text.isascii() and text.isdigit() and len(text) < 18 else 0
    context = dataset_context(dataset, offset)
    return show(request, actor, "datasets/_rows.html" if is_htmx(request) else "datasets/dataset.html", context)


@page(Scope.READ)
def state(request: HttpRequest, actor: Actor, ref: str) -> HttpResponse:
    """Tell how the examination goes on; once it is over, give the whole content of the page."""
    dataset = find_dataset(actor.tenant, ref)
    if dataset.state == DatasetState.CHECKING:
        return show(request, actor, "datasets/_checking.html", {"dataset": dataset})
    content = show(request, actor, "datasets/_content.html", dataset_context(dataset))
    return reswap(retarget(content, "#dataset"), "innerHTML")


@page(Scope.READ)
def download(request: HttpRequest, actor: Actor, ref: str) -> HttpResponseBase:
    """Give the table as Parquet or CSV."""
    form = request.GET.get("format", "parquet")
    return tables.download(find_dataset(actor.tenant, ref), form)


@page(Scope.WRITE, "GET", "POST")
def delete(request: HttpRequest, actor: Actor, ref: str) -> HttpResponse:
    """Delete a dataset that nothing uses."""
    dataset = find_dataset(actor.tenant, ref)
    if request.method == "POST":
        registry.delete_dataset(actor=actor, dataset=dataset)
        toasts.say(request, f"{dataset} is deleted.")
        return redirect("console:datasets", tenant=actor.tenant.name)
    context = {"section": "datasets", "dataset": dataset, "back": address(actor, dataset)}
    return show(request, actor, "confirm.html", {**context, "confirm": "datasets/_delete.html"})
