"""The list of models and a model's page, through Django's own client, without any script."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from modelyard.control.deployments import services as deployments
from modelyard.control.deployments.models import PlanRecord
from modelyard.control.registry import services as registry
from modelyard.control.registry.models import Alias, Model, Version
from modelyard.control.tenancy import services as tenancy
from modelyard.control.tenancy.services import Actor
from tests.integration.control import tables
from tests.integration.control.console.reading import HOSTILE, HTMX, text_of
from tests.integration.control.versions import ready, register


def test_an_empty_tenant_tells_how_to_push(editor: Client, viewer: Client) -> None:
    shown = text_of(editor.get("/t/yard/"))
    for way in ("New model", "modelyard push", "curl --fail-with-body http", "yard.push("):
        assert way in shown
    assert "modelyard push" not in text_of(viewer.get("/t/yard/"))


def test_models_are_searched_and_paged(editor: Client, admin: Actor) -> None:
    for number in range(30):
        registry.create_model(actor=admin, name=f"model-{number:02}", problem="churn" if number == 7 else "")
    first = text_of(editor.get("/t/yard/"))
    assert "model-24" in first
    assert "model-25" not in first
    assert "model-25" in text_of(editor.get("/t/yard/?page=2"))
    fragment = editor.get("/t/yard/?q=CHURN", headers=HTMX)
    found = text_of(fragment)
    assert "<html" not in found
    assert "no-store" in fragment["Cache-Control"]
    assert re.findall(r"model-\d\d/", found) == ["model-07/"]
    assert "No model matches" in text_of(editor.get("/t/yard/?q=nothing"))


def test_the_list_costs_few_queries_however_long(
    editor: Client, admin: Actor, django_assert_max_num_queries: Any
) -> None:
    for number in range(12):
        model = registry.create_model(actor=admin, name=f"model-{number}")
        deployments.activate(actor=admin, version=ready(admin, model, b"%d" % number))
    with django_assert_max_num_queries(14):
        assert text_of(editor.get("/t/yard/")).count("badge dot good") == 12


def test_a_model_is_made_with_its_owner(editor: Client) -> None:
    answer = editor.post("/t/yard/new/", {"name": "churn", "problem": "Who leaves"}, follow=True)
    assert "churn is there" in text_of(answer)
    made = Model.objects.get(name="churn")
    assert (made.owner.username, made.problem, made.created_by) == ("editor", "Who leaves", "user:editor")


@pytest.mark.parametrize(("name", "said"), [("", "required"), ("Not A Name", "cannot name"), ("iris", "already")])
def test_a_bad_name_is_said_beside_its_field(name: str, said: str, editor: Client, model: Model) -> None:
    answer = editor.post("/t/yard/new/", {"name": name})
    assert answer.status_code == 422
    error = re.search(r'id="id_name_error">([^<]*)<', text_of(answer))
    assert error is not None
    assert said in error.group(1)
    if name:
        assert said in text_of(editor.get("/t/yard/new/name/", {"name": name}))


def test_a_free_name_is_not_complained_of(editor: Client, model: Model) -> None:
    assert re.search(r'role="status"></p>', text_of(editor.get("/t/yard/new/name/", {"name": "free"})))


def test_the_problem_statement_is_edited(editor: Client, model: Model) -> None:
    assert "<dialog" in text_of(editor.get("/t/yard/models/iris/?edit=1"))
    answer = editor.post("/t/yard/models/iris/edit/", {"problem": "Another\nquestion"}, follow=True)
    assert "Another" in text_of(answer)
    assert editor.post("/t/yard/models/iris/edit/", {"problem": "x" * 30_000}).status_code == 422


def test_a_model_is_deleted_once_its_name_is_typed(editor: Client, version: Version, admin: Actor) -> None:
    assert "Delete iris?" in text_of(editor.get("/t/yard/models/iris/delete/"))
    wrong = editor.post("/t/yard/models/iris/delete/", {"confirm": "irs"})
    assert wrong.status_code == 422
    deployments.activate(actor=admin, version=version)
    used = editor.post("/t/yard/models/iris/delete/", {"confirm": "iris"}, follow=True)
    assert 'class="toast bad"' in text_of(used)
    deployments.deactivate(actor=admin, model=version.model)
    gone = editor.post("/t/yard/models/iris/delete/", {"confirm": "iris"}, follow=True)
    assert "iris is deleted" in text_of(gone)
    assert not Model.objects.exists()


def test_who_copies_code_from_a_model_follows_its_promotions(viewer: Client, version: Version, admin: Actor) -> None:
    address = "/t/yard/models/iris/"
    assert "Ask from a program" not in text_of(viewer.get(address))
    assert 'Ask for <code class="inline-code">iris</code>, once one is activated' in text_of(
        viewer.get(f"{address}versions/1/")
    )
    deployments.activate(actor=admin, version=version)
    of_model, of_version = text_of(viewer.get(address)), text_of(viewer.get(f"{address}versions/1/"))
    assert "curl --fail-with-body http://127.0.0.1:8000/predict/iris \\" in of_model
    assert "yard.predict(&quot;iris&quot;, " in of_model
    assert "sepal_length" in of_model
    assert "/predict/iris:1" not in of_model
    assert "curl --fail-with-body http://127.0.0.1:8000/predict/iris:1 \\" in of_version
    assert "is this version, whatever is promoted" in of_version
    deployments.deactivate(actor=admin, model=version.model)
    assert "Ask from a program" not in text_of(viewer.get(address))


def test_what_goes_with_a_model_is_said_beforehand(editor: Client, version: Version) -> None:
    assert "versions, aliases and files" in text_of(editor.get("/t/yard/models/iris/"))
    assert "All its versions, aliases and files go" in text_of(editor.get("/t/yard/models/iris/delete/"))


def test_what_keeps_a_model_is_said_before_its_name_is_asked_for(
    editor: Client, version: Version, admin: Actor
) -> None:
    def shown() -> list[str]:
        return [text_of(editor.get(f"/t/yard/models/iris/{path}")) for path in ("", "delete/")]

    assert all("Type <code" in page for page in shown())
    deployments.activate(actor=admin, version=version)
    for page in shown():
        assert "Version 1 is in service. Stop serving first" in page
        assert "Type <code" not in page
    deployments.deactivate(actor=admin, model=version.model)
    register(admin, version.model, b"second")
    for page in shown():
        assert "Version 2 is being checked" in page
        assert "Type <code" not in page


def test_the_list_says_how_many_versions_are_ready(viewer: Client, version: Version, admin: Actor) -> None:
    assert "ready)" not in text_of(viewer.get("/t/yard/"))
    register(admin, version.model, b"second")
    assert "(1 ready)" in text_of(viewer.get("/t/yard/"))


def test_activating_can_be_undone(editor: Client, version: Version, admin: Actor) -> None:
    first = editor.post("/t/yard/models/iris/versions/1/activate/", follow=True)
    assert 'action="/t/yard/models/iris/stop/"' in text_of(first)
    ready(admin, version.model, b"second")
    second = editor.post("/t/yard/models/iris/versions/2/activate/", {"reason": "better"}, follow=True)
    assert 'class="toast good"' in text_of(second)
    assert ">Undo<" in text_of(second)
    again = editor.post("/t/yard/models/iris/versions/2/activate/", follow=True)
    assert ">Undo<" not in text_of(again)
    undone = editor.post("/t/yard/models/iris/rollback/", {"reason": "undone in the console"}, follow=True)
    assert "iris:1 answers again" in text_of(undone)
    verbs = list(PlanRecord.objects.order_by("number").values_list("verb", "actor", "reason"))
    assert verbs == [
        ("activate", "user:editor", ""),
        ("activate", "user:editor", "better"),
        ("rollback", "user:editor", "undone in the console"),
    ]
    assert "undone in the console" in text_of(editor.get("/t/yard/models/iris/history/"))


def test_what_cannot_be_done_is_a_toast_and_changes_nothing(editor: Client, version: Version, admin: Actor) -> None:
    register(admin, version.model, b"third")
    for path in ("versions/2/activate/", "rollback/", "stop/"):
        answer = editor.post(f"/t/yard/models/iris/{path}", follow=True)
        assert 'class="toast bad"' in text_of(answer), path
        assert 'class="toast bad' not in text_of(editor.get("/t/yard/models/iris/"))
    assert not PlanRecord.objects.exists()


def test_serving_is_stopped_with_a_reason(editor: Client, version: Version, admin: Actor) -> None:
    deployments.activate(actor=admin, version=version)
    for path in ("", "stop/"):
        asked = text_of(editor.get(f"/t/yard/models/iris/{path}"))
        assert "Stop serving iris?" in asked
        assert f'<code class="inline-code">iris:{version.number}</code>) or by alias is still answered' in asked
    answer = editor.post("/t/yard/models/iris/stop/", {"reason": "season over"}, follow=True)
    assert "iris is no longer served; by number and by alias its versions answer on" in text_of(answer)
    assert "season over" in text_of(answer)


def test_aliases_are_added_moved_and_removed(editor: Client, version: Version, admin: Actor) -> None:
    second = ready(admin, version.model, b"second")
    for number in (1, 2):
        answer = editor.post("/t/yard/models/iris/aliases/", {"name": "candidate", "version": number}, follow=True)
        assert f"iris@candidate is iris:{number} now" in text_of(answer)
    assert Alias.objects.get().version == second
    for name, number in (("No Name", 1), ("champion", 1), ("candidate", 9)):
        assert editor.post("/t/yard/models/iris/aliases/", {"name": name, "version": number}).status_code == 422
    assert editor.post("/t/yard/models/iris/aliases/nothing/delete/").status_code == 404
    assert "is removed" in text_of(editor.post("/t/yard/models/iris/aliases/candidate/delete/", follow=True))
    assert not Alias.objects.exists()


def test_hostile_texts_stay_texts(boss: Client, admin: Actor) -> None:
    model = registry.create_model(actor=admin, name="iris", problem=HOSTILE)
    made = ready(admin, model, b"x", description=HOSTILE, metrics={HOSTILE: 1}, manifest={"code": HOSTILE})
    column = {"name": HOSTILE, "type": "string", "categories": [HOSTILE, "b"]}
    other = {"name": HOSTILE * 2, "type": "string"}
    Version.objects.filter(pk=made.pk).update(
        signature={"columns": [column, other], "outputs": [{"name": HOSTILE, "type": "string", "classes": [HOSTILE]}]},
        sample=[{HOSTILE: HOSTILE, HOSTILE * 2: HOSTILE}],
        report={"reason": HOSTILE, "estimator": HOSTILE, "steps": [HOSTILE], "packages": {HOSTILE: HOSTILE}},
    )
    deployments.activate(actor=admin, version=Version.objects.get(pk=made.pk), reason=HOSTILE)
    tenancy.create_key(actor=admin, name=HOSTILE, scopes=["read"])
    for path in (
        "",
        "?q=" + HOSTILE,
        "models/iris/",
        "models/iris/versions/1/",
        "models/iris/history/",
        "keys/",
        "audit/",
    ):
        shown = text_of(boss.get(f"/t/yard/{path}"))
        assert "<script>alert" not in shown, path
        assert "<img src=x" not in shown, path
        assert "{{7*7}}" in shown or path == "audit/" or "7*7" not in shown, path


def test_a_name_that_django_would_take_for_a_method_harms_no_page(viewer: Client, admin: Actor, model: Model) -> None:
    """`{{ table.items }}` is the value of a key `items` where there is one."""
    report = {"packages": {"items": "1.0"}, "rows": 3}
    ready(admin, model, metrics={"items": 0.5, "values": 1.0}, found={"report": report})
    shown = text_of(viewer.get("/t/yard/models/iris/"))
    assert '<span class="muted small">items</span> <span class="number">0.5</span>' in shown
    assert "items 1.0" in text_of(viewer.get("/t/yard/models/iris/versions/1/"))
    tables.ready(admin, b"items,keys\n1,2\n", types={"items": "float64"})
    assert "items <code>float64</code>" in text_of(viewer.get("/t/yard/datasets/flights:1/"))
