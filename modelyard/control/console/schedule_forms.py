"""A schedule as people type it; the services check again."""

import json
from collections.abc import Mapping
from typing import Any
from zoneinfo import available_timezones

from django import forms

from modelyard.control.console.forms import MAX_JSON, JSONObject, Styled
from modelyard.control.jobs.models import Job
from modelyard.control.schedules.kinds import KINDS
from modelyard.control.schedules.models import USUAL_FAILURES, Overlap, Schedule
from modelyard.control.schedules.services import MOST_FAILURES, Trigger
from modelyard.control.schedules.times import MAX_CRON, MAX_SECONDS, MIN_SECONDS
from modelyard.control.training.services import KIND as TRAINING
from modelyard.core.errors import InvalidInput
from modelyard.core.reference import NAME_RULE, check_name

CRON, INTERVAL, DATASET = "cron", "interval", "dataset"
WHEN = [(CRON, "At times"), (INTERVAL, "Every so often"), (DATASET, "New dataset")]
USUAL_TIMES = [
    ("0 * * * *", "each hour"),
    ("0 2 * * *", "each day at 02:00"),
    ("0 6 * * mon-fri", "on working days at 06:00"),
    ("0 2 * * sun", "on Sundays at 02:00"),
    ("0 2 1 * *", "on the first of the month at 02:00"),
]
EXAMPLE = '{"model": "delays", "dataset": "flights", "parameters": {"target": "late"}}'


class ScheduleForm(Styled, forms.Form):
    """A schedule: what it starts, when, and what happens when that goes wrong."""

    name = forms.CharField(
        max_length=64,
        help_text=f"{NAME_RULE.capitalize()}.",
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none", "class": "mono"}
        ),
    )
    kind = forms.ChoiceField(choices=[(kind, kind.capitalize()) for kind in KINDS], label="What it starts")
    body = JSONObject(
        example=EXAMPLE,
        label="Request",
        help_text="Of a training model, dataset, parameters, and trainer where it is not tabular; of a scoring model, "
        "dataset, and format, columns and entity where wanted. flights is the newest then, flights:2 always that one.",
    )
    when = forms.ChoiceField(choices=WHEN, initial=CRON, widget=forms.RadioSelect)
    cron = forms.CharField(
        required=False,
        max_length=MAX_CRON,
        label="Times",
        help_text="Minute, hour, day of the month, month, day of the week, as in crontab.",
        widget=forms.TextInput(attrs={"placeholder": "30 6 * * mon-fri", "list": "usual-times", "class": "mono"}),
    )
    time_zone = forms.ChoiceField(required=False, label="Time zone", help_text="Whose clock is read.")
    interval_seconds = forms.IntegerField(
        required=False, min_value=MIN_SECONDS, max_value=MAX_SECONDS, label="Seconds", help_text="3600 is an hour."
    )
    on_dataset = forms.ChoiceField(
        required=False, label="Dataset", help_text="Each that is ready from now on starts a run of its own."
    )
    overlap = forms.ChoiceField(
        required=False,
        choices=[("", "Skip a time; a dataset waits"), (Overlap.SKIP, "Skip it"), (Overlap.QUEUE, "Wait for its end")],
        label="When the former run still goes on",
    )
    max_failures = forms.IntegerField(
        min_value=1,
        max_value=MOST_FAILURES,
        initial=USUAL_FAILURES,
        label="Failures in a row",
        help_text="After which it is paused.",
    )

    def __init__(self, *args: Any, names: list[str], changed: Schedule | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kind_of_changed = changed.kind if changed else ""
        self.fields["time_zone"].choices = [(zone, zone) for zone in ["UTC", *sorted(available_timezones() - {"UTC"})]]  # type: ignore[attr-defined]
        self.fields["on_dataset"].choices = [("", "Choose one"), *((name, name) for name in names)]  # type: ignore[attr-defined]
        del self.fields["when"].widget.attrs["class"]
        self.fields["body"].required = True
        self.fields["body"].widget.attrs["rows"] = 6
        if changed:
            del self.fields["name"], self.fields["kind"]
            self.fields["overlap"].choices = self.fields["overlap"].choices[1:]  # type: ignore[attr-defined]

    @property
    def usual_times(self) -> list[tuple[str, str]]:
        return USUAL_TIMES

    @property
    def said(self) -> str:
        """Return what each run does, in words; empty where the request does not tell."""
        try:
            body = json.loads(self["body"].value() or "null")
        except (ValueError, RecursionError):
            return ""
        kind = self["kind"].value() if "kind" in self.fields else self.kind_of_changed
        model, dataset = (body.get(name) for name in ("model", "dataset")) if isinstance(body, dict) else (None, None)
        if not (isinstance(model, str) and isinstance(dataset, str)):
            return ""
        table = dataset if ":" in dataset else f"the newest {dataset}"
        return f"Each run trains {model} on {table}." if kind == TRAINING else f"Each run scores {table} with {model}."

    def clean_name(self) -> str:
        try:
            return check_name(self.cleaned_data["name"], "a schedule")
        except InvalidInput as error:
            raise forms.ValidationError(error.message) from None

    def clean(self) -> None:
        """Ask for the field of the choice alone; what was typed into the others is left out."""
        needed = {CRON: "cron", INTERVAL: "interval_seconds", DATASET: "on_dataset"}.get(
            self.cleaned_data.get("when", "")
        )
        if needed and not self.cleaned_data.get(needed) and needed not in self.errors:
            self.add_error(needed, "This says when: it is needed.")
        for other in ("cron", "interval_seconds", "on_dataset"):
            if other != needed:
                self.errors.pop(other, None)

    def trigger(self) -> Trigger:
        """Return what was chosen, once the form is valid."""
        given = self.cleaned_data
        if given["when"] == CRON:
            return Trigger(cron=given["cron"], time_zone=given["time_zone"] or "UTC")
        if given["when"] == INTERVAL:
            return Trigger(interval_seconds=given["interval_seconds"])
        return Trigger(on_dataset=given["on_dataset"])


def repeating(kind: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a form begins with that repeats what was asked for, each time with the newest of its dataset."""
    names: list[str] = list(KINDS[kind].body().fields)
    body: dict[str, Any] = {name: asked[name] for name in names if asked.get(name) not in (None, "", [], {}, False)}
    body["dataset"] = str(asked.get("dataset", "")).partition(":")[0]
    return {"kind": kind, "body": json.dumps(body, indent=2, ensure_ascii=False), "on_dataset": body["dataset"]}


def asked_of(job: Job) -> dict[str, Any]:
    """Return what a job was asked for; of a scoring the alias rather than the version that it named then."""
    return {**job.payload, "model": job.payload.get("asked") or job.payload.get("model")}


def filled(schedule: Schedule) -> dict[str, Any]:
    """Return what a form for the schedule begins with."""
    return {
        "body": json.dumps(schedule.body, indent=2, ensure_ascii=False)[:MAX_JSON],
        "when": CRON if schedule.cron else INTERVAL if schedule.interval_seconds else DATASET,
        "cron": schedule.cron,
        "time_zone": schedule.time_zone,
        "interval_seconds": schedule.interval_seconds,
        "on_dataset": schedule.on_dataset,
        "overlap": schedule.overlap,
        "max_failures": schedule.max_failures,
    }
