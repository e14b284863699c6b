"""Scoring from the console: what is offered, what is asked for, and what came of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from modelyard.control.deployments import services as deployments
from modelyard.control.jobs import services as jobs
from modelyard.control.jobs.models import Job
from modelyard.control.registry import services as registry
from modelyard.control.registry.models import Artifact, Dataset, Version
from modelyard.control.registry.storage import store
from modelyard.control.registry.uploads import keep_stored
from modelyard.control.scoring.models import Role, ScoredFile
from modelyard.control.tenancy.services import Actor, system_actor
from tests.integration.control import tables, versions
from tests.integration.control.console.reading import HTMX, text_of

SCORE, FIELDS = "/t/yard/score/", "/t/yard/score/fields/"


@pytest.fixture
def flowers(admin: Actor) -> Dataset:
    content = versions.csv().replace(b"\n", b",plant\n", 1).replace(b".2\n", b".2,a\n")
    lines = [line if line.endswith((b"plant", b",a")) else line + b",b" for line in content.splitlines()]
    return tables.ready(admin, b"\n".join(lines) + b"\n", name="flowers", filename="flowers.csv")


def test_without_anything_to_score_the_form_says_what_it_needs(editor: Client) -> None:
    assert "There is nothing to score yet" in text_of(editor.get(SCORE))


def test_versions_aliases_and_columns_are_offered(
    editor: Client, admin: Actor, version: Version, flowers: Dataset
) -> None:
    registry.move_alias(actor=admin, model=version.model, name="candidate", version=version)
    shown = text_of(editor.get(f"{SCORE}?model=iris:1"))
    assert '<option value="iris:1" selected>' in shown
    assert '<option value="iris@candidate">iris@candidate: now 1</option>' in shown
    assert 'name="columns"' not in shown
    assert "iris: the one that answers" not in shown
    deployments.activate(actor=admin, version=version)
    assert '<option value="iris">iris: the one that answers</option>' in text_of(editor.get(SCORE))
    chosen = {"model": "iris:1", "dataset": "flowers:1", "columns": ["plant"], "entity": "plant", "format": "csv"}
    fields = text_of(editor.post(FIELDS, chosen, headers=HTMX))
    assert "<html" not in fields
    assert fields.count('name="columns"') == 5
    assert '<option value="plant" selected>' in fields
    lines = text_of(editor.post(FIELDS, chosen, headers={**HTMX, "HX-Target": "score-lines"}))
    stored = {**chosen, "format": "parquet", "precompute": "true"}
    assert "--entity plant --precompute" in text_of(
        editor.post(FIELDS, stored, headers={**HTMX, "HX-Target": "score-lines"})
    )
    for said in (
        "modelyard score iris:1 --dataset flowers:1 --format csv --column plant --entity plant",
        "/api/v1/datasets/flowers:1/score",
        "entity=&#x27;plant&#x27;",
    ):
        assert said in lines, said


def test_it_is_asked_for_and_its_result_is_downloaded(
    editor: Client, viewer: Client, admin: Actor, version: Version, flowers: Dataset
) -> None:
    deployments.activate(actor=admin, version=version)
    given = {"model": "iris", "dataset": "flowers:1", "format": "csv", "entity": "plant", "columns": ["sepal_width"]}
    answer = editor.post(SCORE, given)
    job = Job.objects.get(kind="scoring")
    page = f"/t/yard/jobs/{job.pk}/"
    assert answer["Location"] == page
    assert (job.payload["number"], job.payload["columns"]) == (1, ["plant", "sepal_width"])
    assert viewer.get(f"{page}result/").status_code == 404
    finished(job, {Role.RESULT: b"plant,prediction\na,0\n", Role.FAILED: json.dumps({"row": 1}).encode() + b"\n"})
    shown = text_of(viewer.get(page))
    assert "309,400 rows, 1 without a prediction" in shown
    assert "309400" not in shown.partition("All of it")[0]
    assert 'href="/t/yard/models/iris/versions/1/"' in shown
    assert "</svg>Download CSV, 21 B</a>" in shown
    assert "</svg>Download the failed rows, 11 B</a>" in shown
    assert "Delete the result" not in shown
    got = viewer.get(f"{page}result/")
    assert got.getvalue() == b"plant,prediction\na,0\n"
    assert got["Content-Disposition"] == 'attachment; filename="flowers-1-iris-1.csv"'
    assert viewer.get(f"{page}failed/").getvalue() == b'{"row": 1}\n'
    assert "Delete the result of this job?" in text_of(editor.get(f"{page}result/delete/"))
    assert viewer.get(f"{page}result/").status_code == 200
    assert "The result is deleted" in text_of(editor.post(f"{page}result/delete/", follow=True))
    assert viewer.get(f"{page}result/").status_code == 404
    assert "It was deleted" in text_of(viewer.get(page))
    assert editor.get(f"{page}result/delete/").status_code == 404


def test_it_is_repeated_by_a_schedule(editor: Client, admin: Actor, version: Version, flowers: Dataset) -> None:
    """From the form, and from the page of a job: by what was asked for, on the newest of the dataset's name."""
    registry.move_alias(actor=admin, model=version.model, name="candidate", version=version)
    given = {"model": "iris@candidate", "dataset": "flowers:1", "format": "parquet", "entity": "plant"}
    page = editor.post(SCORE, {**given, "repeat": "1"})
    assert "Each run scores the newest flowers with iris@candidate." in text_of(page)
    assert not Job.objects.filter(kind="scoring").exists()
    body = json.loads(page.context["form"].initial["body"])
    assert body == {"model": "iris@candidate", "dataset": "flowers", "format": "parquet", "entity": "plant"}
    job = editor.post(SCORE, given)["Location"]
    repeat = f"/t/yard/new-schedule/?job={job.split('/')[-2]}"
    assert repeat in text_of(editor.get(job))
    again = json.loads(editor.get(repeat).context["form"].initial["body"])
    assert again == {**body, "columns": ["plant"]}
    refused = editor.post(SCORE, {**given, "entity": "", "precompute": "true", "repeat": "1"})
    assert (refused.status_code, "are stored by entity" in text_of(refused)) == (422, True)


def test_a_wide_table_says_that_not_all_columns_are_offered(editor: Client, admin: Actor, version: Version) -> None:
    names = [f"c{place}" for place in range(150)]
    tables.ready(admin, f"{','.join(names)}\n{','.join('1' * 150)}\n".encode(), name="wide")
    assert "the other 50 are named in a command" in text_of(editor.get(f"{SCORE}?dataset=wide"))


def finished(job: Job, files: dict[Role, bytes]) -> None:
    """End a scoring as its last part does."""
    held = jobs.claim(job.pk, "w")
    assert held is not None
    told = {}
    for role, content in files.items():
        stored = store().put(str(job.tenant_id), [content], 1 << 20)
        keep_stored(system_actor(job.tenant, "test"), stored)
        artifact = Artifact.objects.of(job.tenant).get(digest=stored.digest)
        ScoredFile.objects.create(tenant=job.tenant, job=job, role=role, artifact=artifact)
        told[role] = {"pieces": [stored.digest], "size_bytes": stored.size_bytes}
    said = {"dataset": "flowers:1", "version": "iris:1", "format": "csv", "rows": 309400, "failed_rows": 1}
    jobs.finish(held, {**said, "files": told})


@pytest.mark.parametrize(
    ("wrong", "field", "said"),
    [
        ({"model": ""}, "model", "Choose what scores"),
        ({"dataset": ""}, "dataset", "Choose what is scored"),
        ({"dataset": "nothing:1"}, "dataset", "no dataset"),
        ({"model": "iris"}, "model", "iris is not served: name the version"),
        ({"model": "iris:9"}, "model", "no version"),
        ({"model": "iris@gone"}, "model", "alias"),
        ({"model": "x y"}, "model", "x y"),
        ({"precompute": "true"}, "precompute", "are stored by entity"),
        ({"entity": "planet"}, "entity", "did you mean `plant`?"),
        ({"columns": ["planet"]}, "columns", "did you mean `plant`?"),
        ({"format": "cvs"}, "format", "expected one of"),
        ({"dataset": "flights:1"}, "dataset", "column `sepal_length` is missing"),
    ],
)
def test_what_does_not_fit_is_said_beside_its_field(
    editor: Client, admin: Actor, version: Version, flowers: Dataset, wrong: dict[str, Any], field: str, said: str
) -> None:
    tables.ready(admin)
    answer = editor.post(SCORE, {"model": "iris:1", "dataset": "flowers:1", "format": "csv", **wrong})
    shown = text_of(answer)
    assert answer.status_code == 422
    error = shown.partition(f'id="score-{field}_error"')[2].partition("</p>")[0]
    assert said in error, error or shown
    assert ('<option value="csv" selected>' in shown) == ("format" not in wrong)
    assert not Job.objects.filter(kind="scoring").exists()


def test_pages_lead_to_the_form(editor: Client, viewer: Client, version: Version, flowers: Dataset) -> None:
    for path, address in (
        ("/t/yard/datasets/flowers:1/", f"{SCORE}?dataset=flowers%3A1"),
        ("/t/yard/models/iris/versions/1/", f"{SCORE}?model=iris%3A1"),
    ):
        assert address in text_of(editor.get(path))
        assert SCORE not in text_of(viewer.get(path))
