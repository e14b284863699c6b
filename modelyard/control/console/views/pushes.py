"""Pushing a version: the files are kept, registered, and checked in the background."""

from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from modelyard.control.console import reads
from modelyard.control.console.access import go, page
from modelyard.control.console.forms import PushForm
from modelyard.control.console.rendering import is_htmx, show
from modelyard.control.console.views.models import model_context
from modelyard.control.registry import services as registry
from modelyard.control.registry.models import Model, Version
from modelyard.control.tenancy.models import Scope
from modelyard.control.tenancy.services import Actor
from modelyard.core.errors import ModelyardError, TooLarge, UnsupportedFormat


@page(Scope.WRITE, "POST")
def push(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """Take the files of a new version. htmx gets the errors alone, so that the chosen files stay chosen."""
    model = reads.find_model(actor.tenant, name)
    form = PushForm(request.POST, request.FILES, numbers=reads.numbers_of(model).every)
    if form.is_valid():
        try:
            version = register(actor, model, form)
        except ModelyardError as error:
            of_files = "file" if isinstance(error, (TooLarge, UnsupportedFormat)) else None
            form.refuse(
                error,
                "metrics",
                "manifest",
                "sample",
                "file",
                "parent",
                "environment",
                "description",
                otherwise=of_files,
            )
        else:
            place = {"tenant": actor.tenant.name, "name": model.name, "number": version.number}
            return go(request, reverse("console:version", kwargs=place))
    if is_htmx(request):
        return show(request, actor, "models/_push_errors.html", {"push_form": form}, status=422)
    return show(request, actor, "models/model.html", model_context(actor, model, push_form=form), status=422)


push.takes_uploads = True  # type: ignore[attr-defined]
"""Said to `config.bounds`: the body of this address may be as large as an upload."""


def register(actor: Actor, model: Model, form: PushForm) -> Version:
    """Keep the files and register the version that they make."""
    given: dict[str, Any] = form.cleaned_data
    parent = model.versions.filter(number=given["parent"]).first() if given["parent"] else None
    sample = keep(actor, given["sample"]) if given["sample"] else None
    return registry.register_version(
        actor=actor,
        model=model,
        files=[keep(actor, file) for file in form.files_chosen()],
        sample=sample,
        metrics=given["metrics"],
        manifest=given["manifest"],
        description=given["description"],
        parent=parent,
        signature=None,
        environment=given.get("environment", ""),
    )


def keep(actor: Actor, file: UploadedFile) -> registry.Upload:
    """Write an uploaded file to the store."""
    return registry.keep_upload(actor=actor, filename=file.name or "model", chunks=file.chunks())
