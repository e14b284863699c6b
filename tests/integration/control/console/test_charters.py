"""The pages of a charter and of consumers, through Django's own client, without any script."""

from __future__ import annotations

import pytest
from django.test import Client
from msgspec import structs

from modelyard.control.deployments import services as deployments
from modelyard.control.registry import services as registry
from modelyard.control.registry.charters import charter_of
from modelyard.control.registry.models import CharterRecord, Consumer, Model
from modelyard.control.tenancy.services import Actor
from modelyard.core.charter import Charter, Threshold
from tests.integration.control.console.reading import HOSTILE, text_of
from tests.integration.control.versions import ready, signature

PAGE = "/t/yard/models/iris/charter/"
TYPED = {
    "number": "0",
    "problem": "Which iris?",
    "metric": "accuracy",
    "thresholds": "accuracy >= 0.9\naccuracy ≤ 1\n\np95_seconds<=5e-3",
    "told": "ada\nthe florists",
    "next_review": "2020-03-01",
    "reason": "we met",
}


def test_an_empty_charter_says_what_is_missing(viewer: Client, model: Model) -> None:
    shown = text_of(viewer.get(PAGE))
    assert "None was written yet" in shown
    assert "Nobody is declared" in shown
    assert "charter/edit/" not in shown
    assert viewer.get(f"{PAGE}edit/").status_code == 403


def test_it_is_written_shown_changed_and_the_older_one_stays(editor: Client, model: Model) -> None:
    shown = text_of(editor.post(f"{PAGE}edit/", TYPED, follow=True))
    for said in ("The charter is kept", "Charter 1", "0.9 ≤ accuracy", "ada, the florists", "1 March 2020", "overdue"):
        assert said in shown
    model.refresh_from_db()
    assert charter_of(model).thresholds == (
        Threshold(metric="accuracy", at_least=0.9, at_most=1.0),
        Threshold(metric="p95_seconds", at_most=0.005),
    )
    form = text_of(editor.get(f"{PAGE}edit/"))
    assert "accuracy &gt;= 0.9\naccuracy &lt;= 1\np95_seconds &lt;= 0.005" in form
    assert 'value="2020-03-01"' in form
    editor.post(f"{PAGE}edit/", {"number": "1", "problem": "Which flower?"})
    assert "Which flower?" in text_of(editor.get(PAGE))
    older = text_of(editor.get(f"{PAGE}?number=1"))
    assert "does not hold any more" in older
    assert "Which iris?" in older
    assert editor.get(f"{PAGE}?number=77").status_code == 200


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"thresholds": "accuracy > 0.9"}, "expected a line such as"),
        ({"thresholds": "accuracy >= 1e"}, "expected a line such as"),
        ({"thresholds": "a >= 2\na <= 1"}, "nothing is at least 2 and at most 1"),
        ({"next_review": "soon"}, "Expected a day"),
        ({"number": "7"}, "agreed on meanwhile"),
        ({"thresholds": "a >= 2\na >= 1"}, "this end of it was given above"),
    ],
)
def test_what_does_not_fit_comes_back_with_what_was_typed(
    typed: dict[str, str], said: str, editor: Client, model: Model
) -> None:
    answer = editor.post(f"{PAGE}edit/", {**TYPED, **typed})
    assert answer.status_code == 422
    assert said in text_of(answer)
    assert "the florists" in text_of(answer)
    assert not CharterRecord.objects.exists()


def test_yours_may_replace_what_was_agreed_on_meanwhile(editor: Client, admin: Actor, model: Model) -> None:
    registry.write_charter(actor=admin, model=model, charter=Charter(problem="theirs"))
    asked = editor.post(f"{PAGE}edit/", {**TYPED, "problem": "mine"})
    assert asked.status_code == 422
    assert "Charter 1 was agreed on meanwhile" in text_of(asked)
    assert 'name="number" value="1"' in text_of(asked)
    assert CharterRecord.objects.get().charter["problem"] == "theirs"
    editor.post(f"{PAGE}edit/", {**TYPED, "problem": "mine", "number": "1"})
    newest = CharterRecord.objects.get(number=2)
    assert newest.charter["problem"] == "mine"


def test_a_form_that_is_kept_as_it_is_changes_no_number(editor: Client, admin: Actor, model: Model) -> None:
    bound = 0.1 + 0.2
    charter = Charter(thresholds=(Threshold(metric="accuracy", at_least=bound),))
    registry.write_charter(actor=admin, model=model, charter=charter)
    assert f"accuracy &gt;= {bound!r}" in text_of(editor.get(f"{PAGE}edit/"))
    editor.post(f"{PAGE}edit/", {"number": "1", "thresholds": f"accuracy >= {bound!r}"})
    assert CharterRecord.objects.count() == 1


def test_consumers_are_declared_and_removed(editor: Client, admin: Actor, model: Model) -> None:
    version = ready(admin, model)
    registry.move_alias(actor=admin, model=model, name="candidate", version=version)
    assert "iris@candidate" in text_of(editor.get(PAGE))
    typed = {"name": "checkout", "contact": "a@example.com", "uses": "@candidate", "purpose": "bouquets"}
    shown = text_of(editor.post("/t/yard/models/iris/consumers/", typed, follow=True))
    assert "checkout is told before anything that may hurt them" in shown
    assert "a@example.com" in shown
    assert editor.post("/t/yard/models/iris/consumers/", {"name": "x", "uses": ":99"}).status_code == 422
    assert "without slashes" in text_of(editor.post("/t/yard/models/iris/consumers/", {"name": "a/b"}))
    pk = Consumer.objects.get().pk
    editor.post(f"/t/yard/models/iris/consumers/{pk}/remove/")
    assert not Consumer.objects.exists()
    assert editor.post(f"/t/yard/models/iris/consumers/{pk}/remove/").status_code == 404


def test_they_are_named_before_the_model_is_stopped_or_deleted(editor: Client, admin: Actor, model: Model) -> None:
    deployments.activate(actor=admin, version=ready(admin, model))
    registry.declare_consumer(actor=admin, model=model, name="checkout", contact="a@example.com")
    for page in ("/t/yard/models/iris/stop/", "/t/yard/models/iris/delete/"):
        shown = text_of(editor.get(page))
        assert "checkout" in shown or "in service" in shown
    assert "They were told" in text_of(editor.get("/t/yard/models/iris/stop/"))
    refused = text_of(editor.post("/t/yard/models/iris/stop/", follow=True))
    assert "has declared consumers: checkout" in refused
    editor.post("/t/yard/models/iris/stop/", {"despite_consumers": "true"})
    assert "a@example.com" in text_of(editor.get("/t/yard/models/iris/delete/"))
    editor.post("/t/yard/models/iris/delete/", {"confirm": "iris"})
    assert Model.objects.exists()
    editor.post("/t/yard/models/iris/delete/", {"confirm": "iris", "despite_consumers": "true"})
    assert not Model.objects.exists()


def test_they_are_named_before_an_alias_goes(editor: Client, admin: Actor, model: Model) -> None:
    registry.move_alias(actor=admin, model=model, name="candidate", version=ready(admin, model))
    registry.declare_consumer(actor=admin, model=model, name="nightly", uses="@candidate", contact="n@example.com")
    page = "/t/yard/models/iris/aliases/candidate/delete/"
    asked = editor.post(page)
    assert asked.status_code == 422
    for said in ("Remove iris@candidate?", "nightly", "n@example.com", "They were told"):
        assert said in text_of(asked)
        assert said in text_of(editor.get(page))
    assert model.aliases.exists()
    assert "iris@candidate is removed" in text_of(editor.post(page, {"despite_consumers": "true"}, follow=True))
    assert not model.aliases.exists()


def test_they_are_named_before_another_version_refuses_them(editor: Client, admin: Actor, model: Model) -> None:
    whole = signature()
    first = ready(admin, model)
    other = structs.replace(whole, columns=whole.columns[:3], outputs=(structs.replace(whole.outputs[0], name="kind"),))
    ready(admin, model, b"narrow", found={"signature": other})
    deployments.activate(actor=admin, version=first)
    registry.move_alias(actor=admin, model=model, name="candidate", version=first)
    for uses in ("", "@candidate"):
        registry.declare_consumer(actor=admin, model=model, name=f"shop{uses}", contact="a@example.com", uses=uses)
    iris = "/t/yard/models/iris/"
    wish = {"metric": "size_bytes", "pool_from": "2", "expect": "2"}
    for path, form in (
        ("versions/2/activate/", {}),
        ("aliases/", {"name": "candidate", "version": "2"}),
        ("select/apply/", {**wish, "alias": "candidate"}),
    ):
        asked = editor.post(f"{iris}{path}", form)
        assert asked.status_code == 422
        shown = text_of(asked)
        for said in (
            "petal_width",
            "other outputs in version 2 (`label`)",
            "shop",
            "a@example.com",
            "They were told",
            f'action="{iris}{path}"',
        ):
            assert said in shown
        for name, text in form.items():
            assert f'<input type="hidden" name="{name}" value="{text}">' in shown
        assert editor.post(f"{iris}{path}", {**form, "despite_consumers": "true"}).status_code == 302
        if path == "aliases/":
            registry.move_alias(actor=admin, model=model, name="candidate", version=first, despite_consumers=True)
    assert "version 2" in text_of(editor.get(iris))
    shown = text_of(editor.post(f"{iris}rollback/", follow=True))
    assert "Rolled back. iris:1 answers again. Tell shop (a@example.com)." in shown


def test_a_version_that_somebody_uses_says_so(editor: Client, admin: Actor, model: Model) -> None:
    ready(admin, model)
    registry.declare_consumer(actor=admin, model=model, name="nightly", uses=":1")
    page = "/t/yard/models/iris/versions/1/delete/"
    assert "nightly" in text_of(editor.get(page))
    assert "has declared consumers" in text_of(editor.post(page, follow=True))
    editor.post(page, {"despite_consumers": "true"})
    assert not model.versions.exists()


def test_hostile_text_is_text(editor: Client, admin: Actor, model: Model) -> None:
    registry.declare_consumer(actor=admin, model=model, name=HOSTILE.replace("/", "-"), purpose=HOSTILE)
    charter = Charter(problem=HOSTILE, told=(HOSTILE,), thresholds=(Threshold(metric=HOSTILE, at_least=1),))
    registry.write_charter(actor=admin, model=model, charter=charter)
    for page in (PAGE, f"{PAGE}edit/", "/t/yard/models/iris/", "/t/yard/models/iris/delete/"):
        assert HOSTILE not in text_of(editor.get(page))
