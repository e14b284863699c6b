"""What is typed to look for the best version, and what is done with it."""

from datetime import UTC, datetime, time
from typing import Any

from django import forms

from modelyard.control.console.forms import Styled
from modelyard.control.deployments.selection import Pool
from modelyard.control.registry.models import Model
from modelyard.control.registry.services import check_alias
from modelyard.core.errors import ModelyardError
from modelyard.core.metrics import MEASURED, Direction

MOST_NUMBER = 2**31 - 1
MOST_READ = 1000
DIRECTIONS = [
    ("", "As usual for it"),
    (Direction.MAXIMIZE, "Larger is better"),
    (Direction.MINIMIZE, "Smaller is better"),
]


def metrics_of(model: Model) -> list[str]:
    """Return the names of the metrics of the newest ready versions, and what was measured of them."""
    told = model.versions.ready().order_by("-number").values_list("metrics", flat=True)[:MOST_READ]
    names = dict.fromkeys(name for metrics in told for name in metrics if name not in MEASURED)
    return [*names, *MEASURED]


class WishForm(Styled, forms.Form):
    """What is looked for, and among which versions."""

    metric = forms.ChoiceField(label="Best by")
    direction = forms.ChoiceField(choices=DIRECTIONS, required=False, label="Which is better")
    constraints = forms.CharField(
        required=False,
        max_length=4000,
        label="Constraints",
        help_text="One a line: a metric, p95_seconds or size_bytes; one of <= < >= > == !=; a number.",
        widget=forms.Textarea(
            attrs={
                "rows": 3,
                "class": "code-input",
                "spellcheck": "false",
                "placeholder": "p95_seconds <= 5ms\nsize_bytes <= 50MiB",
            }
        ),
    )
    pool_from = forms.IntegerField(required=False, min_value=1, max_value=MOST_NUMBER, label="From version")
    pool_to = forms.IntegerField(required=False, min_value=1, max_value=MOST_NUMBER, label="To version")
    pool_since = forms.DateField(
        required=False, label="Pushed since", widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    pool_aliases = forms.CharField(
        required=False,
        max_length=1000,
        label="Only these aliases",
        widget=forms.TextInput(attrs={"placeholder": "candidate, nightly", "autocomplete": "off", "class": "mono"}),
    )

    def __init__(self, *args: Any, metrics: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["metric"].choices = [(name, name) for name in metrics]  # type: ignore[attr-defined]

    def wish(self) -> dict[str, Any]:
        """Return what was typed as `select` takes it, once the form is valid."""
        given = self.cleaned_data
        since = given["pool_since"]
        pool = Pool(
            aliases=tuple(given["pool_aliases"].replace(",", " ").replace("@", " ").split()),
            first=given["pool_from"],
            last=given["pool_to"],
            since=datetime.combine(since, time(), UTC) if since else None,
        )
        return {
            "metric": given["metric"],
            "direction": given["direction"],
            "constraints": [line.strip() for line in given["constraints"].splitlines() if line.strip()],
            "pool": pool,
        }


class ApplyForm(Styled, forms.Form):
    """What is done with the winner: an alias names it, or it answers."""

    alias = forms.CharField(
        required=False,
        max_length=64,
        widget=forms.TextInput(
            attrs={"placeholder": "candidate", "autocomplete": "off", "spellcheck": "false", "class": "mono"}
        ),
    )
    activate = forms.BooleanField(required=False)
    expect = forms.IntegerField(min_value=1, max_value=MOST_NUMBER)

    def clean_alias(self) -> str:
        name: str = self.cleaned_data["alias"]
        try:
            return check_alias(name) if name else ""
        except ModelyardError as error:
            raise forms.ValidationError(error.message) from None

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        if not given.get("activate") and not given.get("alias") and not self.errors:
            raise forms.ValidationError("Say by which alias the winner shall be called.")
        return given

    def what(self) -> dict[str, Any]:
        """Return it as `select` takes it, once the form is valid."""
        given = self.cleaned_data
        return {"alias": given["alias"], "activates": given["activate"], "expect": given["expect"]}
