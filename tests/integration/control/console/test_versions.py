"""Pushing, a version's page, downloads and the try-it form."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from modelyard.control.registry import services as registry
from modelyard.control.registry.models import Model, Version
from modelyard.control.tenancy.services import Actor
from modelyard.core.errors import InvalidInput, NotFound
from modelyard.core.settings import Settings
from tests.integration.control.console.reading import HTMX, text_of
from tests.integration.control.versions import IRIS, ready, register


def push(client: Client, **given: Any) -> Any:
    files = given.pop("file", [SimpleUploadedFile("scaler.pkl", b"a"), SimpleUploadedFile("model.pkl", b"b")])
    return client.post("/t/yard/models/iris/push/", {"file": files, **given.pop("data", {})}, **given)


def test_files_are_pushed_in_their_order(editor: Client, version: Version) -> None:
    said = {"metrics": '{"f1": 0.5}', "manifest": '{"seed": 42}', "description": "new", "parent": "1"}
    answer = push(editor, data={**said, "sample": SimpleUploadedFile("sample.csv", b"x\n1\n")})
    assert answer["Location"] == "/t/yard/models/iris/versions/2/"
    made = Version.objects.get(number=2)
    assert [(file.filename, file.role) for file in made.files.all()] == [
        ("scaler.pkl", "model"), ("model.pkl", "model"), ("sample.csv", "sample"),
    ]  # fmt: skip
    assert (made.metrics, made.manifest["seed"], made.parent, made.state) == ({"f1": 0.5}, 42, version, "checking")
    assert push(editor, headers=HTMX)["HX-Redirect"] == "/t/yard/models/iris/versions/3/"


@pytest.mark.parametrize(
    ("given", "field", "said"),
    [
        ({"file": []}, "file", "at least one"),
        ({"file": [SimpleUploadedFile("empty.pkl", b"")]}, "file", "empty"),
        ({"file": [SimpleUploadedFile("notes.txt", b"x")]}, "file", "expected a file that ends in"),
        ({"file": [SimpleUploadedFile("large.pkl", bytes((1 << 20) + 1))]}, "file", "MODELYARD_MAX_UPLOAD_BYTES"),
        ({"data": {"sample": SimpleUploadedFile("sample.txt", b"x")}}, "sample", "expected a file that ends in"),
        ({"data": {"metrics": "{"}}, "metrics", "no JSON"),
        ({"data": {"metrics": "[1]"}}, "metrics", "JSON object"),
        ({"data": {"metrics": '{"f1": "good"}'}}, "metrics", "expected a number"),
        ({"data": {"manifest": '{"sed": 1}'}}, "manifest", "did you mean"),
        ({"data": {"parent": "77"}}, "parent", "valid choice"),
    ],
)
def test_a_push_that_does_not_fit_says_where(given: Any, field: str, said: str, editor: Client, model: Model) -> None:
    for extra in ({}, {"headers": HTMX}):
        answer = push(editor, **{**given, "data": dict(given.get("data", {}))}, **extra)
        assert answer.status_code == 422
        error = re.search(rf'id="id_{field}_error"[^>]*>([^<]*)<', text_of(answer))
        assert error is not None
        assert said in error.group(1)
        assert ("<html" in text_of(answer)) is (not extra)
        for file in (*given.get("file", []), *given.get("data", {}).values()):
            if isinstance(file, SimpleUploadedFile):
                file.seek(0)
    assert not Version.objects.exists()


def test_while_it_is_checked_the_page_and_the_line_ask_again(viewer: Client, admin: Actor, model: Model) -> None:
    register(admin, model)
    page = text_of(viewer.get("/t/yard/models/iris/versions/1/"))
    assert 'hx-trigger="every 1s"' in page
    assert 'http-equiv="refresh"' in page
    assert 'hx-trigger="every 1s"' in text_of(viewer.get("/t/yard/models/iris/versions/1/line/", headers=HTMX))
    waiting = viewer.get("/t/yard/models/iris/versions/1/state/", headers=HTMX)
    assert "waiting for a worker" in text_of(waiting)
    assert "HX-Retarget" not in waiting


def test_once_it_is_ready_the_whole_page_comes(viewer: Client, version: Version) -> None:
    answer = viewer.get("/t/yard/models/iris/versions/1/state/", headers=HTMX)
    assert (answer["HX-Retarget"], answer["HX-Reswap"]) == ("#version", "innerHTML")
    assert "Try it" in text_of(answer)
    assert "every 1s" not in text_of(answer)
    assert "every 1s" not in text_of(viewer.get("/t/yard/models/iris/versions/1/line/", headers=HTMX))


def test_a_refusal_shows_its_reason_and_what_helps(viewer: Client, admin: Actor, model: Model) -> None:
    refused = register(admin, model)
    refusal = {"code": "model_refused", "message": "too old", "details": {"hint": "fit it again"}, "files": []}
    Version.objects.filter(pk=refused.pk).update(state="refused", refusal=refusal)
    page = text_of(viewer.get("/t/yard/models/iris/versions/1/"))
    assert "too old" in page
    assert "fit it again" in page
    assert ">too old<" in text_of(viewer.get("/t/yard/models/iris/"))
    assert "(none ready)" in text_of(viewer.get("/t/yard/"))


def test_ranges_are_said_to_be_the_samples_only_when_there_was_one(
    viewer: Client, version: Version, admin: Actor
) -> None:
    page = text_of(viewer.get("/t/yard/models/iris/versions/1/"))
    assert "Usual values" in page
    assert "Seen in" not in page
    sample = registry.keep_upload(actor=admin, filename="sample.csv", chunks=[b"x\n1\n"])
    ready(admin, version.model, b"second", sample=sample)
    assert "Seen in the sample" in text_of(viewer.get("/t/yard/models/iris/versions/2/"))


@pytest.mark.parametrize(("count", "folded"), [(20, False), (21, True), (64, True)])
def test_all_inputs_are_shown_and_many_are_folded(count: int, folded: bool, viewer: Client, version: Version) -> None:
    columns = [{"name": f"column-{place}", "type": "float64"} for place in range(count)]
    Version.objects.filter(pk=version.pk).update(signature={**(version.signature or {}), "columns": columns})
    page = text_of(viewer.get("/t/yard/models/iris/versions/1/"))
    assert page.count('<td class="lead mono">column-') == count
    assert (f"Show all {count} inputs" in page) is folded


def test_a_version_page_holds_what_is_known(viewer: Client, version: Version) -> None:
    page = text_of(viewer.get("/t/yard/models/iris/versions/1/"))
    for known in (
        *IRIS,
        "iris:1",
        "accuracy",
        "0.97",
        "the first",
        "curl",
        "predict/iris:1",
        "Conversion report",
        "model.pkl",
    ):
        assert known in page


def test_columns_that_were_ignored_are_shown(viewer: Client, version: Version) -> None:
    assert "Ignored columns" not in text_of(viewer.get("/t/yard/models/iris/versions/1/"))
    Version.objects.filter(pk=version.pk).update(report={"ignored_columns": ["", "<species>"]})
    page = text_of(viewer.get("/t/yard/models/iris/versions/1/"))
    assert "Ignored columns" in page
    assert "&lt;species&gt;" in page
    assert "Was the CSV written with its index?" in page


def test_a_file_comes_back_as_an_attachment(viewer: Client, version: Version) -> None:
    answer = viewer.get("/t/yard/models/iris/versions/1/files/0/")
    assert b"".join(answer.streaming_content) == b"first"  # type: ignore[attr-defined]
    assert answer["Content-Disposition"] == 'attachment; filename="model.pkl"'
    assert answer["X-Content-Type-Options"] == "nosniff"


def test_a_version_is_deleted_unless_it_is_used(editor: Client, version: Version, admin: Actor) -> None:
    registry.move_alias(actor=admin, model=version.model, name="candidate", version=version)
    used = editor.post("/t/yard/models/iris/versions/1/delete/", follow=True)
    assert 'class="toast bad"' in text_of(used)
    registry.delete_alias(actor=admin, model=version.model, name="candidate")
    assert "Delete iris:1?" in text_of(editor.get("/t/yard/models/iris/versions/1/delete/"))
    assert "iris:1 is deleted" in text_of(editor.post("/t/yard/models/iris/versions/1/delete/", follow=True))
    assert not Version.objects.exists()


ANSWER = {
    "model": "iris",
    "version": 1,
    "predictions": [2],
    "probabilities": [[0.1, 0.2, 0.7]],
    "prediction_ids": ["a.0"],
}
ROW = {f"c{place}": str(place + 0.5) for place in range(4)}
ASK = "/t/yard/models/iris/versions/1/try/"


def test_trying_asks_the_data_plane_for_that_version(viewer: Client, version: Version, answering: Any) -> None:
    plane = answering(ANSWER, ANSWER)
    whole = viewer.post(ASK, ROW)
    part = viewer.post(ASK, ROW, headers=HTMX)
    assert plane.asked[0] == ("yard", "iris:1", [dict(zip(IRIS, (0.5, 1.5, 2.5, 3.5), strict=True))])
    for answer in (whole, part):
        for shown in ('class="answer-value">2<', "70 %", "a.0", " ms"):
            assert shown in text_of(answer)
    assert ("<html" in text_of(whole), "<html" in text_of(part)) == (True, False)


def test_a_version_that_is_just_ready_is_asked_again(viewer: Client, version: Version, answering: Any) -> None:
    plane = answering(NotFound("no version 1 yet"), ANSWER)
    assert viewer.post(ASK, ROW).status_code == 200
    assert len(plane.asked) == 2


def test_what_the_data_plane_refuses_stands_beside_its_field(viewer: Client, version: Version, answering: Any) -> None:
    answering(InvalidInput(f"rows.0: column `{IRIS[1]}`: too odd"))
    answer = viewer.post(ASK, ROW, headers=HTMX)
    assert answer.status_code == 422
    assert re.search(r'id="try-c1-error">rows.0: column `sepal_width`: too odd<', text_of(answer))


def test_a_wrong_input_is_not_even_asked(viewer: Client, version: Version, answering: Any) -> None:
    plane = answering()
    answer = viewer.post(ASK, {**ROW, "c2": "five"}, headers=HTMX)
    assert answer.status_code == 422
    assert 'value="five"' in text_of(answer)
    assert plane.asked == []


def test_without_a_data_plane_it_is_said(viewer: Client, version: Version) -> None:
    answer = viewer.post(ASK, ROW, headers=HTMX)
    assert answer.status_code == 422
    assert "cannot ask the data plane" in text_of(answer)


def test_a_push_names_a_python_environment(editor: Client, model: Model, settings: Any) -> None:
    """The field is there where the operator has named some; what the version needs is on its page."""
    assert "Python environment" not in text_of(editor.get("/t/yard/models/iris/"))
    given = {"environments": {"old": Path("/opt/old/bin/python")}}
    settings.MODELYARD = Settings.read({}, home=settings.MODELYARD.home, **given)
    assert "Python environment" in text_of(editor.get("/t/yard/models/iris/"))
    assert push(editor, data={"environment": "odl"}).status_code == 422
    assert push(editor, data={"environment": "old"}).status_code == 302
    page = editor.get(f"/t/yard/models/iris/versions/{model.versions.get().number}/")
    assert '<dt>Environment</dt><dd><span class="badge mono">old</span></dd>' in text_of(page)
