"""Schedules in the console: none yet, made by the form, changed, paused, run, and what is refused."""

import pytest
from django.test import Client

from modelyard.control.registry.models import Dataset
from modelyard.control.schedules.models import Run, Schedule
from modelyard.control.tenancy.services import Actor
from tests.integration.control import tables
from tests.integration.control.console.reading import text_of

pytestmark = pytest.mark.django_db

PLACE = "/t/yard/schedules/"
BODY = '{"model": "late", "dataset": "flights", "parameters": {"target": "carrier"}}'
GIVEN = {
    "name": "nightly", "kind": "training", "body": BODY, "when": "cron", "cron": "30 2 * * *", "max_failures": "3",
    "time_zone": "Europe/Berlin", "interval_seconds": "", "on_dataset": "", "overlap": "skip",
}  # fmt: skip


@pytest.fixture
def flights(admin: Actor) -> Dataset:
    rows = "".join(f"{'UA' if number % 2 else 'AA'},{number % 7}\n" for number in range(40))
    return tables.ready(admin, f"carrier,delay\n{rows}".encode())


def test_a_schedule_is_made_changed_paused_and_run(editor: Client, flights: Dataset) -> None:
    assert "Make your first schedule" in text_of(editor.get(PLACE))
    made = editor.post("/t/yard/new-schedule/", GIVEN)
    assert (made.status_code, made["Location"]) == (302, f"{PLACE}nightly/"), text_of(made)
    page = text_of(editor.get(f"{PLACE}nightly/"))
    assert f'action="{PLACE}nightly/delete/"' in page.partition('class="toast ')[2], "it is undone by that"
    assert all(word in page for word in ("<code>30 2 * * *</code>", "Europe/Berlin"))
    assert "Nothing was started yet" in page
    assert " 02:30:00 <" in page, "the next times are told by the schedule's own clock"
    assert "nightly" in text_of(editor.get(PLACE))

    twice = editor.post("/t/yard/new-schedule/", GIVEN)
    assert (twice.status_code, list(twice.context["form"].errors)) == (422, ["name"])
    changed = {**GIVEN, "when": "interval", "interval_seconds": "90", "cron": "61"}  # what is not chosen is left out
    assert editor.post(f"{PLACE}nightly/edit/", changed).status_code == 302
    schedule = Schedule.objects.get()
    assert (schedule.cron, schedule.interval_seconds, schedule.acts_for) == ("", 90, "user:editor")

    assert editor.post(f"{PLACE}nightly/pause/").status_code == 302
    assert "Nothing is started until it is resumed." in text_of(editor.get(f"{PLACE}nightly/"))
    editor.post(f"{PLACE}nightly/run/")
    job = Run.objects.get().job
    assert f"/t/yard/jobs/{job.pk}/" in editor.get(f"{PLACE}nightly/").content.decode()
    assert f'href="{PLACE}nightly/"' in text_of(editor.get(f"/t/yard/jobs/{job.pk}/"))
    editor.post(f"{PLACE}nightly/resume/")
    assert not Schedule.objects.get().is_paused
    editor.post(f"{PLACE}nightly/delete/")
    assert not Schedule.objects.exists()


@pytest.mark.parametrize(
    ("given", "field", "said"),
    [
        ({"cron": "61 * * * *"}, "cron", "the minute is"),
        ({"cron": ""}, "cron", "it is needed"),
        ({"when": "interval", "interval_seconds": "0"}, "interval_seconds", "greater than or equal to 1"),
        ({"when": "dataset"}, "on_dataset", "it is needed"),
        ({"body": "{"}, "body", "This is no JSON"),
        ({"body": BODY.replace("carrier", "carier")}, "body", "did you mean"),
        ({"name": "Nightly!"}, "name", "cannot name a schedule"),
        ({"time_zone": "Mars/Olympus"}, "time_zone", "valid choice"),
    ],
)
def test_what_is_refused_is_told_at_its_field(
    editor: Client, flights: Dataset, given: dict[str, str], field: str, said: str
) -> None:
    answer = editor.post("/t/yard/new-schedule/", {**GIVEN, **given})
    assert answer.status_code == 422
    assert any(said in error for error in answer.context["form"].errors[field])
    assert not Schedule.objects.exists()
