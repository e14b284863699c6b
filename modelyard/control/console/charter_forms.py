"""A charter and a consumer as people type them; the services check again."""

import re
from typing import Any

import msgspec
from django import forms

from modelyard.control.console.forms import Styled
from modelyard.control.registry.charters import MAX_REASON
from modelyard.control.registry.consumers import MAX_CONTACT, MAX_NAME, MAX_PURPOSE
from modelyard.core.charter import MAX_TEXT, Charter, Threshold

THRESHOLD = re.compile(r"\s*(?P<metric>.{1,200}?)\s*(?P<sign>>=|<=|≥|≤)\s*(?P<bound>[-+0-9.eE]+)\s*\Z")
FIELDS = {">=": "at_least", "≥": "at_least", "<=": "at_most", "≤": "at_most"}


def _long(label: str, help_text: str, rows: int = 3) -> forms.CharField:
    widget = forms.Textarea(attrs={"rows": rows})
    return forms.CharField(required=False, max_length=MAX_TEXT, label=label, help_text=help_text, widget=widget)


class CharterForm(Styled, forms.Form):
    """All of a charter; `number` is of the one that the form was filled from."""

    problem = _long("Problem", "What is predicted, for whom, and why.")
    objective = _long("Objective", "What is to be reached, over what time.", 2)
    metric = forms.CharField(
        required=False,
        max_length=200,
        help_text="By which versions are compared.",
        widget=forms.TextInput(attrs={"class": "mono", "placeholder": "accuracy", "autocomplete": "off"}),
    )
    thresholds = forms.CharField(
        required=False,
        help_text="What a version must keep to, one a line: accuracy >= 0.9",
        widget=forms.Textarea(attrs={"rows": 3, "class": "code-input", "spellcheck": "false"}),
    )
    may_change = _long("What may change", "Without a new agreement; and what may not.", 2)
    not_for = _long("Not for", "When, and for what, it must not be used.", 2)
    told = forms.CharField(
        required=False,
        label="Who is told",
        help_text="Names or addresses, one a line.",
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    next_review = forms.DateField(
        required=False,
        label="Next review",
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
        error_messages={"invalid": "Expected a day, as 2027-03-01."},
    )
    reason = forms.CharField(
        required=False, max_length=MAX_REASON, label="Why the change", widget=forms.TextInput(attrs={})
    )
    number = forms.IntegerField(min_value=0, max_value=2**31 - 1, widget=forms.HiddenInput)

    @classmethod
    def of(cls, charter: Charter, number: int) -> "CharterForm":
        """Return the form, filled from a charter."""
        texts = {name: getattr(charter, name) for name in Charter.__struct_fields__}
        lists = {"thresholds": "\n".join(written(each) for each in charter.thresholds), "told": "\n".join(charter.told)}
        return cls(initial={**texts, **lists, "number": number})

    def clean_thresholds(self) -> list[dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for line in filter(str.strip, self.cleaned_data["thresholds"].splitlines()):
            match = THRESHOLD.match(line)
            try:
                bound = float(match["bound"]) if match else None
            except ValueError:
                bound = None
            if match is None or bound is None:
                raise forms.ValidationError(f"{line.strip()[:60]!r}: expected a line such as accuracy >= 0.9.")
            threshold = found.setdefault(match["metric"], {"metric": match["metric"]})
            if FIELDS[match["sign"]] in threshold:
                raise forms.ValidationError(f"{line.strip()[:60]!r}: this end of it was given above.")
            threshold[FIELDS[match["sign"]]] = bound
        return list(found.values())

    def clean_told(self) -> list[str]:
        return [line.strip() for line in self.cleaned_data["told"].splitlines() if line.strip()]

    def charter(self) -> Charter:
        """Return what was typed, once the form is valid."""
        typed = {name: self.cleaned_data[name] for name in Charter.__struct_fields__}
        return msgspec.convert(typed, Charter)


class ConsumerForm(Styled, forms.Form):
    """Who depends on a model."""

    name = forms.CharField(
        max_length=MAX_NAME,
        label="Who",
        widget=forms.TextInput(attrs={"placeholder": "checkout service", "autocomplete": "off"}),
    )
    contact = forms.CharField(
        required=False, max_length=MAX_CONTACT, help_text="Where they are told.", widget=forms.TextInput(attrs={})
    )
    uses = forms.ChoiceField(required=False, label="What they ask for")
    purpose = forms.CharField(
        required=False, max_length=MAX_PURPOSE, label="What for", widget=forms.Textarea(attrs={"rows": 2})
    )

    def __init__(self, *args: Any, model: str, names: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [("", f"{model}: what the plan decides"), *((name, f"{model}{name}") for name in names)]
        self.fields["uses"].choices = choices  # type: ignore[attr-defined]


def written(threshold: Threshold) -> str:
    """Return a threshold as the form takes it, a line for each bound."""
    bounds = ((">=", threshold.at_least), ("<=", threshold.at_most))
    return "\n".join(f"{threshold.metric} {sign} {_exact(bound)}" for sign, bound in bounds if bound is not None)


def _exact(bound: float) -> str:
    """Return the number so that it is the same when it is read again."""
    short = f"{bound:.12g}"
    return short if float(short) == bound else repr(bound)
