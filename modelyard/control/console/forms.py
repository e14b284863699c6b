"""What people type, checked as far as it can be without asking a service; the services check again."""

import json
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.core.files.uploadedfile import UploadedFile
from django.utils import timezone

from modelyard.control.registry.services import MAX_FILES
from modelyard.control.tenancy.models import TENANT_SCOPES, Role, Scope
from modelyard.control.tenancy.people import MAX_NAME
from modelyard.core.errors import InvalidInput
from modelyard.core.faults import json_fault
from modelyard.core.reference import NAME_RULE, check_alias, check_name
from modelyard.core.table import TYPES, check_dataset_name

MAX_PROBLEM = 20_000
MAX_JSON = 200_000
MOST_PARENTS = 100
"""Versions that the form of a push offers as the one that it was made from, the newest."""

SCOPE_MEANINGS = [
    (Scope.PREDICT, "Predict", "Ask any model of this tenant for predictions."),
    (Scope.READ, "Read", "See models, versions and their history."),
    (Scope.WRITE, "Write", "Push versions, activate and roll back. Brings read."),
    (Scope.ADMIN, "Admin", "Everything, keys and members included."),
]
EXPIRIES = [("30", "In 30 days"), ("90", "In 90 days"), ("365", "In a year"), ("", "Never")]


class Styled:
    """Gives each text-like widget the class that the stylesheet knows, and no browser-drawn asterisks."""

    fields: dict[str, forms.Field]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            if not isinstance(field.widget, (forms.CheckboxSelectMultiple, forms.FileInput)):
                field.widget.attrs["class"] = f"input {field.widget.attrs.get('class', '')}".strip()

    def refuse(self, error: Exception, *fields: str, otherwise: str | None = None) -> None:
        """Put what a service refused beside the field that its message names, else beside `otherwise` or above all."""
        message = getattr(error, "message", str(error))
        named = next(
            (field for field in fields if message.startswith((f"{field}:", f"{field}.", f"{field} ", f"`{field}`"))),
            otherwise,
        )
        self.add_error(named, message)  # type: ignore[attr-defined]


class SignInForm(Styled, AuthenticationForm):
    """Name and password."""

    error_messages = {
        "invalid_login": "This name and password do not belong together. Both are case-sensitive.",
        "inactive": "This account is switched off.",
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = "Name"
        self.fields["username"].widget.attrs["autofocus"] = True


class PasswordForm(Styled, PasswordChangeForm):
    """The old password, and the new one twice."""


def check_model_name(name: str) -> str:
    """Return `name` if it may name a model.

    Raises:
        ValidationError: with the rule, when it may not.
    """
    try:
        return check_name(name, "a model")
    except InvalidInput as error:
        raise forms.ValidationError(error.message) from None


class ModelForm(Styled, forms.Form):
    """A new model."""

    name = forms.CharField(
        max_length=64,
        help_text=f"Part of the address that predictions are asked at: {NAME_RULE}.",
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none", "class": "mono"}
        ),
    )
    problem = forms.CharField(
        required=False,
        max_length=MAX_PROBLEM,
        label="Problem statement",
        help_text="What is predicted, for whom, and why.",
        widget=forms.Textarea(attrs={"rows": 4}),
    )

    def clean_name(self) -> str:
        return check_model_name(self.cleaned_data["name"])


class ProblemForm(Styled, forms.Form):
    """The part of a model that may change."""

    problem = forms.CharField(
        required=False,
        max_length=MAX_PROBLEM,
        label="Problem statement",
        help_text="What is predicted, for whom, and why.",
        widget=forms.Textarea(attrs={"rows": 5}),
    )


class Files(forms.FileInput):
    """A file input for several files, in the order in which they were chosen."""

    allow_multiple_selected = True


class FilesField(forms.FileField):
    """One file or more, as a list."""

    widget = Files

    def clean(self, data: Any, initial: Any = None) -> Any:
        given = [item for item in (data if isinstance(data, (list, tuple)) else [data]) if item]
        if not given:
            raise forms.ValidationError("Choose at least one file.")
        if len(given) > MAX_FILES:
            raise forms.ValidationError(f"{len(given)} files: expected at most {MAX_FILES}.")
        return [super(FilesField, self).clean(item, initial) for item in given]


class JSONObject(forms.CharField):
    """A JSON object in a text, as in `example`; empty is {}."""

    def __init__(self, *, example: str, **kwargs: Any) -> None:
        attrs = {"rows": 3, "class": "code-input", "placeholder": example, "spellcheck": "false"}
        super().__init__(max_length=MAX_JSON, required=False, widget=forms.Textarea(attrs=attrs), **kwargs)
        self.example = example

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text.strip():
            return {}
        try:
            read = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise forms.ValidationError(f"This is no JSON: {json_fault(error)}.") from None
        if not isinstance(read, dict):
            raise forms.ValidationError(f"Expected a JSON object, as in {self.example}.")
        return read


class PushForm(Styled, forms.Form):
    """A new version."""

    file = FilesField(label="Model files", error_messages={"empty": "This file is empty."})
    sample = forms.FileField(
        required=False,
        label="Sample",
        help_text="A few input rows as CSV, Parquet, JSON or .npy: names the columns and tries the model.",
    )
    description = forms.CharField(
        required=False,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 2, "placeholder": "What is different this time?"}),
    )
    parent = forms.TypedChoiceField(required=False, label="Made from", coerce=int, empty_value=None)
    environment = forms.ChoiceField(
        required=False,
        label="Python environment",
        help_text="That opens and serves an old pickle. Without, one that fits is found.",
    )
    metrics = JSONObject(example='{"accuracy": 0.97}')
    manifest = JSONObject(
        example='{"code": "git@…#4f2a9c1", "seed": 42}',
        help_text="What is needed to make it again: code, data_digest, parameters, seed, packages.",
    )

    def __init__(self, *args: Any, numbers: list[int], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [("", "No earlier version"), *((number, f"Version {number}") for number in numbers[:MOST_PARENTS])]
        self.fields["parent"].choices = choices  # type: ignore[attr-defined]
        named = [(name, name) for name in settings.MODELYARD.environments]
        self.fields["environment"].choices = [("", "The one that fits"), *named]  # type: ignore[attr-defined]
        if not named:
            del self.fields["environment"]

    def files_chosen(self) -> list[UploadedFile]:
        """Return the model's files, once the form is valid."""
        chosen: list[UploadedFile] = self.cleaned_data["file"]
        return chosen


class DatasetForm(Styled, forms.Form):
    """A new dataset, from a file."""

    name = forms.CharField(
        max_length=64,
        help_text=f"Datasets of one name are numbered. {NAME_RULE.capitalize()}.",
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none", "class": "mono"}
        ),
    )
    file = forms.FileField(label="Table", error_messages={"empty": "This file is empty."})
    description = forms.CharField(
        required=False,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 2, "placeholder": "What does it hold, and from when?"}),
    )
    types = JSONObject(
        example='{"zip": "string"}',
        label="Types of columns",
        help_text="Where they shall not be found: column name to " + ", ".join(TYPES) + ".",
    )

    def clean_name(self) -> str:
        try:
            return check_dataset_name(self.cleaned_data["name"])
        except InvalidInput as error:
            raise forms.ValidationError(error.message) from None


class AliasForm(Styled, forms.Form):
    """An alias and where it leads."""

    name = forms.CharField(
        max_length=64,
        label="Alias",
        widget=forms.TextInput(
            attrs={"placeholder": "candidate", "autocomplete": "off", "spellcheck": "false", "class": "mono"}
        ),
    )
    version = forms.TypedChoiceField(coerce=int)

    def __init__(self, *args: Any, numbers: list[int], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["version"].choices = [(number, f"v{number}") for number in numbers]  # type: ignore[attr-defined]

    def clean_name(self) -> str:
        try:
            return check_alias(self.cleaned_data["name"])
        except InvalidInput as error:
            raise forms.ValidationError(error.message) from None


class KeyForm(Styled, forms.Form):
    """A new API key."""

    name = forms.CharField(
        max_length=100,
        help_text="Who or what uses it, so that it can be recognised later.",
        widget=forms.TextInput(attrs={"placeholder": "checkout service", "autocomplete": "off"}),
    )
    scopes = forms.MultipleChoiceField(
        choices=TENANT_SCOPES,
        error_messages={"required": "Choose at least one: a key without scopes could do nothing."},
    )
    expires = forms.ChoiceField(required=False, choices=EXPIRIES, initial="90", label="Expires")

    def expires_at(self) -> datetime | None:
        """Return the chosen moment, once the form is valid."""
        days = self.cleaned_data["expires"]
        return timezone.now() + timedelta(days=int(days)) if days else None


class OriginForm(Styled, forms.Form):
    """An origin whose pages may call."""

    origin = forms.CharField(
        label="Origin",
        help_text="As the page's address begins: https://app.example, with a port where it has one. "
        "http only for this machine itself, as http://localhost:5173.",
        widget=forms.TextInput(
            attrs={
                "placeholder": "https://app.example",
                "autocomplete": "off",
                "spellcheck": "false",
                "autocapitalize": "none",
                "inputmode": "url",
                "class": "mono",
            }
        ),
    )


class MemberForm(Styled, forms.Form):
    """Somebody who has an account, and a role."""

    username = forms.CharField(max_length=MAX_NAME, label="Name", widget=forms.TextInput(attrs={"autocomplete": "off"}))
    role = forms.ChoiceField(choices=Role.choices, initial=Role.VIEWER)


class RoleForm(forms.Form):
    """Another role for a member."""

    role = forms.ChoiceField(choices=Role.choices)
