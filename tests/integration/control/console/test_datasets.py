"""The pages of datasets."""

from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from modelyard.control.console.templatetags.console import histogram
from modelyard.control.jobs.work import perform
from modelyard.control.registry.models import Artifact, Dataset, Model
from modelyard.control.tenancy.services import Actor
from modelyard.core.settings import Settings
from tests.integration.control import tables, versions
from tests.integration.control.console.reading import HOSTILE, HTMX, text_of

LIST, NEW, PAGE = "/t/yard/datasets/", "/t/yard/datasets/new/", "/t/yard/datasets/flights:1/"


def form(content: bytes = tables.FLIGHTS, filename: str = "flights.csv", **fields: Any) -> dict[str, Any]:
    return {"name": "flights", "file": SimpleUploadedFile(filename, content), **fields}


def test_an_empty_list_says_what_to_do(editor: Client, viewer: Client) -> None:
    assert "Push your first dataset" in text_of(editor.get(LIST))
    shown = text_of(viewer.get(LIST))
    assert "There are no datasets yet" in shown
    assert NEW not in shown


@pytest.mark.django_db(transaction=True)
def test_a_table_is_pushed_read_and_shown(editor: Client) -> None:
    assert "at most 4 GiB" in text_of(editor.get(NEW))
    pushed = editor.post(NEW, form(description="Delays of 2013"), headers=HTMX)
    assert pushed["HX-Redirect"] == PAGE
    waiting = text_of(editor.get(PAGE))
    assert "Being read" in waiting
    assert f'hx-get="{PAGE}state/"' in waiting
    assert "Being read" in text_of(editor.get(f"{PAGE}state/", headers=HTMX))
    job = Dataset.objects.get().job_id
    assert job is not None
    perform(job)
    whole = editor.get(f"{PAGE}state/", headers=HTMX)
    assert whole["HX-Retarget"] == "#dataset"
    shown = text_of(editor.get(PAGE))
    for text in (
        "Delays of 2013", "3 columns, 3 rows", "2 to 33, median 17.5", "2013-01-01 to 2013-01-03", "No version names",
    ):  # fmt: skip
        assert text in shown
    assert '<span class="muted small number">2 distinct</span>' in shown, "an exact count is not about that"
    assert shown.count("<rect ") == 20
    assert "style=" not in shown
    assert "flights:1" in text_of(editor.get(LIST))
    assert "No dataset matches" in text_of(editor.get(f"{LIST}?q=nothing", headers=HTMX))
    again = editor.post(NEW, form(), follow=True)
    assert "it is flights:1" in text_of(again)


@pytest.mark.django_db(transaction=True)
def test_a_refused_one_says_why(editor: Client) -> None:
    editor.post(NEW, form(b"a,b\n1,2\n3\n"))
    job = Dataset.objects.get().job_id
    assert job is not None
    perform(job)
    shown = text_of(editor.get(PAGE))
    assert "This dataset was refused" in shown
    assert "line 3 has 1 field, the header has 2" in shown
    assert f"{NEW}?name=flights" in shown
    assert 'value="flights"' in text_of(editor.get(f"{NEW}?name=flights"))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"name": "Flights"}, "cannot name a dataset"),
        ({"name": "sources"}, "cannot name a dataset"),
        ({"filename": "a.xlsx"}, "expected .csv or .parquet"),
        ({"content": b""}, "This file is empty."),
        ({"types": '{"a": "int"}'}, "types.a"),
        ({"types": "[1]"}, "Expected a JSON object"),
    ],
)
def test_what_does_not_fit_is_marked(editor: Client, given: dict[str, Any], said: str) -> None:
    for headers in ({}, HTMX):
        refused = editor.post(NEW, form(**given), headers=headers)
        assert refused.status_code == 422
        assert said in text_of(refused)
    assert not Dataset.objects.exists()
    assert not Artifact.objects.exists()


def test_too_large_a_file_is_refused(editor: Client, settings: Any, home: Path) -> None:
    given = {"artifacts": home / "artifacts", "max_dataset_bytes": 10}
    settings.MODELYARD = Settings.read({}, home=settings.MODELYARD.home, **given)
    refused = editor.post(NEW, form())
    assert "MODELYARD_MAX_DATASET_BYTES" in text_of(refused)
    assert not Artifact.objects.exists()


def test_rows_are_paged(editor: Client, admin: Actor) -> None:
    tables.ready(admin, b"n\n" + b"".join(b"%d\n" % (1000 + n) for n in range(45)))
    first = text_of(editor.get(PAGE))
    assert "1 to 20 of 45" in first
    assert "1019" in first
    last = text_of(editor.get(f"{PAGE}?offset=40", headers=HTMX))
    assert "41 to 45 of 45" in last
    assert "<h1" not in last
    for odd in ("-1", "x", "9" * 40, "44"):
        assert editor.get(f"{PAGE}?offset={odd}").status_code == 200


def test_downloaded(viewer: Client, admin: Actor) -> None:
    tables.ready(admin)
    as_csv = viewer.get(f"{PAGE}download/?format=csv")
    assert as_csv["Content-Disposition"] == 'attachment; filename="flights-1.csv"'
    assert as_csv.getvalue().count(b"\n") == 4
    assert viewer.get(f"{PAGE}download/").getvalue()[:4] == b"PAR1"
    assert viewer.get(f"{PAGE}download/?format=xlsx").status_code == 404


def test_deleted_unless_a_version_names_it(editor: Client, admin: Actor, model: Model) -> None:
    dataset = tables.ready(admin)
    assert "Delete flights:1?" in text_of(editor.get(f"{PAGE}delete/"))
    version = versions.register(admin, model, dataset=dataset)
    used = text_of(editor.get(PAGE))
    assert "iris:1" in used
    assert f"{PAGE}delete/" not in used
    assert PAGE in text_of(editor.get("/t/yard/models/iris/versions/1/"))
    refused = text_of(editor.post(f"{PAGE}delete/", follow=True))
    assert "flights:1 is in use by iris:1" in refused
    version.delete()
    gone = text_of(editor.post(f"{PAGE}delete/", follow=True))
    assert "flights:1 is deleted" in gone
    assert not Dataset.objects.exists()


def test_hostile_names_and_values_are_texts(editor: Client, admin: Actor) -> None:
    quoted = HOSTILE.replace('"', '""')
    tables.ready(admin, f'"{quoted}",b\n"{quoted}",1\n"x",2\n'.encode(), description=HOSTILE)
    for path in (LIST, PAGE, f"{PAGE}?offset=0"):
        shown = text_of(editor.get(path))
        assert "&lt;script&gt;alert" in shown
        assert "<script>alert" not in shown
        assert "<img src=x" not in shown


def test_a_histogram_is_drawn_of_attributes() -> None:
    drawn = str(histogram({"edges": [0, 1, 2, 3], "counts": [0, 1, 1000]}, '"<b>'))
    assert 'viewBox="0 0 3 20"' in drawn
    assert 'aria-label="&quot;&lt;b&gt;"' in drawn
    assert [part.split('"')[0] for part in drawn.split(' height="')[1:]] == ["0.000", "0.600", "20.000"]
    assert histogram(None, "x") == ""


def test_a_table_is_fetched_from_where_the_operator_allowed(editor: Client, settings: Any, home: Path) -> None:
    assert "MODELYARD_DATASET_FOLDERS" in text_of(editor.get(f"{NEW}folder/"))
    exports = home / "exports"
    exports.mkdir()
    (exports / "flights.csv").write_bytes(tables.FLIGHTS)
    given = {"artifacts": home / "artifacts", "dataset_folders": {"exports": exports}}
    settings.MODELYARD = Settings.read({}, home=settings.MODELYARD.home, **given)
    shown = text_of(editor.get(f"{NEW}folder/"))
    assert '<option value="exports"' in shown
    assert "modelyard datasets fetch folder your-place \\\n  --file your-file \\\n  --name your-name" in shown
    asked = {"name": "flights", "place": "exports", "file": "flights.csv"}
    refused = editor.post(f"{NEW}folder/", {**asked, "file": "none.csv", "description": "of 2013"})
    assert refused.status_code == 422
    error = text_of(refused).partition('id="id_file_error"')[2].partition("</p>")[0]
    assert "exports has no file &#x27;none.csv&#x27;" in error
    assert "of 2013" in text_of(refused)
    assert editor.post(f"{NEW}folder/", {**asked, "place": "elsewhere"}).status_code == 422
    assert not Dataset.objects.exists()
    assert editor.post(f"{NEW}folder/", asked)["Location"] == PAGE
    assert Dataset.objects.get().source == {"kind": "folder", "place": "exports", "file": "flights.csv"}


def test_only_who_may_is_offered_a_query(editor: Client, boss: Client, settings: Any) -> None:
    given = {"dataset_databases": {"warehouse": "postgresql://reader@127.0.0.1:1/none"}}
    settings.MODELYARD = Settings.read({}, home=settings.MODELYARD.home, **given)
    assert f"{NEW}sql/" not in text_of(editor.get(NEW))
    assert editor.get(f"{NEW}sql/").status_code == 403
    assert f"{NEW}sql/" in text_of(boss.get(NEW))
    asked = {"name": "flights", "place": "warehouse", "query": " "}
    assert "This field is required" in text_of(boss.post(f"{NEW}sql/", asked))
    boss.post(f"{NEW}sql/", {**asked, "query": "SELECT 1 AS one"})
    assert Dataset.objects.get().source["query"] == "SELECT 1 AS one"
    assert boss.get(f"{NEW}carrier-pigeon/").status_code == 404


def test_the_rows_of_what_is_not_read_yet_are_not_there(viewer: Client, admin: Actor) -> None:
    tables.register(admin)
    assert viewer.get(f"{PAGE}download/").status_code == 404
