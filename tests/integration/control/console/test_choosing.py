"""The pages that tell which version is better: compare and select."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from modelyard.control.console.comparing import usual_sides
from modelyard.control.deployments import services as deployments
from modelyard.control.deployments.models import PlanRecord
from modelyard.control.registry import services as registry
from modelyard.control.registry.models import Alias, Model, Version
from modelyard.control.tenancy.services import Actor
from modelyard.core.signature import Column, DataType, Output, Signature
from tests.integration.control.console.reading import HOSTILE, text_of
from tests.integration.control.versions import ready, register

SELECT, COMPARE, APPLY = (f"/t/yard/models/iris/{page}" for page in ("select/", "compare/", "select/apply/"))


def timed(seconds: float) -> dict[str, Any]:
    return {"measured": {"p50_seconds": seconds, "p95_seconds": seconds, "calls": 400, "rows": 8}}


@pytest.fixture
def three(admin: Actor, model: Model) -> list[Version]:
    facts = [(0.9, 0.001), (0.95, 0.002), (0.99, 0.05)]
    return [
        ready(admin, model, b"%d" % number, metrics={"accuracy": accuracy}, found=timed(seconds))
        for number, (accuracy, seconds) in enumerate(facts)
    ]


class TestCompare:
    def test_it_is_reached_from_the_list_of_versions(self, viewer: Client, three: list[Version], admin: Actor) -> None:
        deployments.activate(actor=admin, version=three[0])
        shown = text_of(viewer.get("/t/yard/models/iris/"))
        assert f'href="{COMPARE}"' in shown
        assert f'href="{SELECT}"' in shown
        assert re.findall(r"compare/\?right=(\d)", shown) == ["3", "2"]

    def test_two_versions_side_by_side(self, viewer: Client, three: list[Version]) -> None:
        shown = text_of(viewer.get(COMPARE, {"left": "1", "right": "2"}))
        assert "+0.05" in shown
        assert shown.count('<span class="badge good">better</span>') == 2
        assert "2 ms" in shown
        assert "4 inputs and 1 output are the same." in shown

    def test_what_breaks_callers_is_marked(self, viewer: Client, admin: Actor, model: Model) -> None:
        ready(admin, model, b"1")
        columns = (Column("sepal_length", DataType.STRING), Column("new", DataType.INT64, optional=True))
        signature = Signature(columns, (Output("label", DataType.INT64),))
        ready(admin, model, b"2", found={"signature": signature})
        shown = text_of(viewer.get(COMPARE, {"left": "1", "right": "2"}))
        assert '<span class="badge bad">type; breaks callers</span>' in shown
        assert shown.count("dropped; breaks callers") == 3
        assert "added; breaks callers" not in shown

    def test_aliases_name_sides_and_what_names_none_is_not_there(
        self, viewer: Client, three: list[Version], admin: Actor, model: Model
    ) -> None:
        registry.move_alias(actor=admin, model=model, name="candidate", version=three[2])
        assert "@candidate" in text_of(viewer.get(COMPARE, {"left": "1", "right": "candidate"}))
        for wrong in ("9", "nobody", "<b>", "\x00", "9" * 30):
            assert viewer.get(COMPARE, {"left": "1", "right": wrong}).status_code == 404

    @pytest.mark.parametrize(
        "sides", [{}, {"left": "1", "right": "3"}, {"right": "candidate"}, {"left": "first", "right": "candidate"}]
    )
    def test_the_page_takes_at_most_12_queries(
        self, viewer: Client, three: list[Version], admin: Actor, model: Model, sides: dict[str, str],
        django_assert_max_num_queries: Any,
    ) -> None:  # fmt: skip
        deployments.activate(actor=admin, version=three[0])
        registry.move_alias(actor=admin, model=model, name="first", version=three[0])
        registry.move_alias(actor=admin, model=model, name="candidate", version=three[2])
        with django_assert_max_num_queries(12):
            shown = text_of(viewer.get(COMPARE, sides))
        assert "+0.09" in shown

    def test_a_model_without_two_versions_says_so(self, viewer: Client, admin: Actor, model: Model) -> None:
        assert "fewer than two versions" in text_of(viewer.get(COMPARE))
        ready(admin, model, b"1")
        register(admin, model, b"2")
        assert "fewer than two versions" in text_of(viewer.get(COMPARE))
        assert "It is not known of both" in text_of(viewer.get(COMPARE, {"left": "1", "right": "2"}))

    @pytest.mark.parametrize(
        ("numbers", "serving", "right", "sides"),
        [
            ([], None, None, (None, None)), ([1], None, None, (None, 1)), ([3, 2, 1], None, None, (2, 3)),
            ([3, 2, 1], 1, None, (1, 3)), ([3, 2, 1], 3, None, (3, 2)), ([3, 2, 1], 1, 2, (1, 2)),
            ([3, 2, 1], 3, 3, (2, 3)), ([3, 2, 1], None, 1, (3, 1)), ([1], 1, None, (None, None)),
        ],
    )  # fmt: skip
    def test_what_is_compared_when_it_was_not_said(
        self, numbers: list[int], serving: int | None, right: int | None, sides: Any
    ) -> None:
        assert usual_sides(numbers, serving, right) == sides

    def test_hostile_texts_stay_texts(self, viewer: Client, admin: Actor, model: Model) -> None:
        step = {"name": HOSTILE, "class": HOSTILE, "parameters": {HOSTILE: HOSTILE}}
        for number in (1, 2):
            ready(
                admin, model, b"%d" % number, description=f"{HOSTILE}{number}", metrics={HOSTILE: number},
                manifest={"parameters": {HOSTILE: number}, "code": f"{HOSTILE}{number}"},
                found={
                    "packages": {HOSTILE: str(number)},
                    "report": {
                        "outline": [{**step, "parameters": {HOSTILE: number}}], "features": [f"{HOSTILE}{number}"],
                    },
                },
            )  # fmt: skip
        for path in (f"{COMPARE}?left=1&right=2", f"{SELECT}?metric=size_bytes&constraints={HOSTILE}<1"):
            shown = text_of(viewer.get(path))
            assert "<script>alert" not in shown, path
            assert "<img src=x" not in shown, path


class TestSelect:
    def test_looking_shows_the_best_and_why_not_the_others(self, viewer: Client, three: list[Version]) -> None:
        shown = text_of(viewer.get(SELECT))
        assert '<option value="accuracy">' in shown
        found = text_of(viewer.get(SELECT, {"metric": "accuracy", "constraints": "p95_seconds<=5ms"}))
        assert "iris:2</a> is the best" in found
        assert "p95_seconds is 50 ms, 45 ms over `p95_seconds&lt;=5ms`" in found
        assert "accuracy is 0.9, 0.05 less than version 2&#x27;s 0.95" in found
        assert "Activate version" not in found
        assert not PlanRecord.objects.exists()

    def test_nobody_fits_and_each_reason_is_told(self, viewer: Client, three: list[Version]) -> None:
        found = text_of(viewer.get(SELECT, {"metric": "accuracy", "constraints": "accuracy>2"}))
        assert "No version can be chosen" in found
        assert found.count("under `accuracy&gt;2`") == 6

    @pytest.mark.parametrize(
        ("given", "field", "said"),
        [
            ({"metric": "nothing"}, "metric", "nothing is not one of the available choices"),
            ({"metric": "accuracy", "constraints": "acuracy>1"}, "constraints", "did you mean `accuracy`?"),
            ({"metric": "accuracy", "constraints": "fast"}, "constraints", "is none: expected a metric"),
            ({"metric": "accuracy", "pool_aliases": "@none"}, "pool_aliases", "has no alias"),
            ({"metric": "accuracy", "pool_from": "x"}, "pool_from", "whole number"),
        ],
    )
    def test_what_does_not_fit_is_said_beside_its_field(
        self, viewer: Client, three: list[Version], given: dict[str, str], field: str, said: str
    ) -> None:
        answer = viewer.get(SELECT, given)
        assert answer.status_code == 422
        error = re.search(rf'id="id_{field}_error">([^<]*)<', text_of(answer))
        assert error is not None
        assert said.replace("`", "`") in error.group(1)

    def test_the_pool_is_narrowed(self, viewer: Client, three: list[Version]) -> None:
        found = text_of(viewer.get(SELECT, {"metric": "accuracy", "pool_to": "2", "pool_since": "2020-01-01"}))
        assert "iris:2</a> is the best" in found
        assert "no ready version to choose from" in text_of(
            viewer.get(SELECT, {"metric": "accuracy", "pool_from": "9"})
        )

    def test_the_winner_is_activated_and_it_can_be_undone(self, editor: Client, three: list[Version]) -> None:
        wish = {"metric": "accuracy", "constraints": "p95_seconds<=5ms"}
        found = text_of(editor.get(SELECT, wish))
        assert "Activate version 2" in found
        assert '<input type="hidden" name="expect" value="2">' in found
        done = editor.post(APPLY, {**wish, "activate": "on", "expect": "2"}, follow=True)
        assert "iris:2 now answers every request to iris." in text_of(done)
        assert 'action="/t/yard/models/iris/stop/"' in text_of(done)
        again = editor.post(APPLY, {**wish, "activate": "on", "expect": "2"}, follow=True)
        assert "iris:2 answered already" in text_of(again)
        assert PlanRecord.objects.count() == 1

    def test_an_alias_names_the_winner_and_goes_back(self, editor: Client, three: list[Version]) -> None:
        first = editor.post(APPLY, {"metric": "accuracy", "pool_to": "2", "alias": "best", "expect": "2"}, follow=True)
        assert 'action="/t/yard/models/iris/aliases/best/delete/"' in text_of(first)
        second = editor.post(APPLY, {"metric": "accuracy", "alias": "best", "expect": "3"}, follow=True)
        undo = "/t/yard/models/iris/aliases/best/back/2/"
        assert f'action="{undo}"' in text_of(second)
        assert Alias.objects.get().version.number == 3
        back = editor.post(undo, {"reason": "undone in the console"}, follow=True)
        assert "iris@best is iris:2 again." in text_of(back)
        assert Alias.objects.get().version.number == 2
        assert editor.post("/t/yard/models/iris/aliases/none/back/2/").status_code == 404

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ({"activate": "on", "expect": "1"}, "version 1 is not the best"),
            ({"activate": "on"}, "required"),
            ({"expect": "3"}, "Say by which alias"),
            ({"alias": "champion", "expect": "3"}, "is no alias that can be moved"),
            ({"alias": "No Name", "expect": "3"}, "cannot name an alias"),
            ({"alias": "best", "expect": "3", "constraints": "accuracy>2"}, "none of the 3 versions"),
        ],
    )
    def test_what_cannot_be_done_is_a_toast_and_changes_nothing(
        self, editor: Client, three: list[Version], given: dict[str, str], said: str
    ) -> None:
        answer = text_of(editor.post(APPLY, {"metric": "accuracy", **given}, follow=True))
        assert 'class="toast bad"' in answer
        assert said in answer
        assert not PlanRecord.objects.exists()
        assert not Alias.objects.exists()

    def test_a_model_without_versions_says_so(self, viewer: Client, model: Model) -> None:
        assert "There is nothing to choose from yet" in text_of(viewer.get(SELECT))
