"""A dataset from a place that the operator has named, as people ask for it; the service checks again."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django import forms

from modelyard.control.console.forms import DatasetForm
from modelyard.control.registry.sources import SOURCES, Source
from modelyard.control.rest.public import public_url
from modelyard.control.tenancy.services import Actor
from modelyard.core.errors import ModelyardError
from modelyard.core.snippets import KEY_VARIABLE, Snippet


@dataclass(frozen=True, slots=True)
class Way:
    """A kind of source as the pages name it; `setting` is what allows places of it, `as_in` an example of that."""

    kind: str
    title: str
    place: str
    setting: str
    as_in: str


WAYS = {
    way.kind: way
    for way in (
        Way("folder", "Folder", "Folder", "MODELYARD_DATASET_FOLDERS", "exports=/srv/exports"),
        Way("bucket", "Bucket", "Bucket", "MODELYARD_DATASET_BUCKETS", "lake=s3://bucket/prefix"),
        Way("sql", "SQL", "Database", "MODELYARD_DATASET_DATABASES", "warehouse=postgresql://..."),
    )
}


def ways_of(actor: Actor) -> list[Way]:
    """Return the kinds that somebody of these scopes may ask for."""
    return [WAYS[kind] for kind, source in SOURCES.items() if kind in WAYS and source.scope in actor.scopes]


class FetchForm(DatasetForm):
    """A new dataset of what a place holds."""

    place = forms.ChoiceField(error_messages={"invalid_choice": "There is no such place any more: choose another."})

    def __init__(self, *args: Any, source: Source, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        del self.fields["file"]
        self.source = source
        self.fields["place"].choices = [(name, name) for name in source.places()]  # type: ignore[attr-defined]
        self.fields["place"].label = WAYS[source.kind].place
        if source.field == "query":
            widget: forms.Widget = forms.Textarea(
                attrs={"rows": 6, "class": "input code-input", "spellcheck": "false", "placeholder": "SELECT ..."}
            )
            self.fields["query"] = forms.CharField(
                widget=widget, help_text="One SELECT; its columns are the dataset's."
            )
        else:
            attrs = {"class": "input mono", "autocomplete": "off", "spellcheck": "false", "placeholder": "flights.csv"}
            said = "A key beneath the bucket's prefix" if source.kind == "bucket" else "A name in the folder"
            self.fields["file"] = forms.CharField(
                widget=forms.TextInput(attrs=attrs), help_text=f"{said}, .csv or .parquet."
            )

    def said(self) -> dict[str, str]:
        """Return the source as the service takes it, once the form is valid."""
        given = self.cleaned_data
        return {"kind": self.source.kind, "place": given["place"], self.source.field: given[self.source.field]}

    def refuse_source(self, error: ModelyardError) -> None:
        """Put what the service refused beside its field, else above all."""
        for told in error.details.get("places") or [{"place": "", "message": error.message}]:
            field = told["place"].removeprefix("source.").partition(".")[0]
            self.add_error(field if field in self.fields else None, told["message"])


def fetching_lines(kind: str, field: str, texts: Mapping[str, str]) -> tuple[Snippet, ...]:
    """Return how a terminal and curl ask for the same; what is not typed yet is called `your-...`."""
    name, place, asked = (texts.get(each) or f"your-{each}" for each in ("name", "place", field))
    parts = [[kind, place], [f"--{field}", asked], ["--name", name]]
    command = "modelyard datasets fetch " + " \\\n  ".join(shlex.join(part) for part in parts)
    body = json.dumps({"name": name, "source": {"kind": kind, "place": place, field: asked}}, ensure_ascii=False)
    request = (
        f"curl --fail-with-body {shlex.quote(f'{public_url()}/api/v1/datasets/')} \\\n"
        f'  -H "Authorization: Bearer ${KEY_VARIABLE}" \\\n'
        f"  -H 'Content-Type: application/json' \\\n"
        f"  -d {shlex.quote(body)}"
    )
    return Snippet("command", "Command", command), Snippet("curl", "curl", request)
