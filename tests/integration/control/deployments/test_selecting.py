"""The best of a pool: who wins, why the others lose, what is done with it, and what cannot be done."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from rest_framework.test import APIClient

from modelyard.control.deployments import selecting, services
from modelyard.control.deployments.models import PlanRecord
from modelyard.control.deployments.selecting import select
from modelyard.control.deployments.selection import Pool
from modelyard.control.registry.models import Alias, Model, Version
from modelyard.control.registry.services import delete_version, move_alias
from modelyard.control.tenancy.models import AuditEntry, Tenant
from modelyard.control.tenancy.services import Actor, change_tenant, verify_audit
from modelyard.core.errors import Conflict, Forbidden, InvalidInput, NotFound
from tests.integration.control import versions

pytestmark = pytest.mark.django_db

Caller = Callable[..., APIClient]
SELECT = "/api/v1/models/iris/select"


def timed(seconds: float | None, **more: Any) -> dict[str, Any]:
    return {"measured": {"p50_seconds": seconds, "p95_seconds": seconds, "calls": 400, "rows": 8, **more}}


@pytest.fixture
def four(admin: Actor, model: Model) -> list[Version]:
    """1 is slow, 2 the best within 5 ms, 3 the best of all but large and slow, 4 tells another metric."""
    facts: list[tuple[dict[str, float], float, int]] = [
        ({"accuracy": 0.95}, 0.008, 10), ({"accuracy": 0.96}, 0.002, 20), ({"accuracy": 0.98}, 0.03, 5000),
        ({"loss": 0.1}, 0.001, 5),
    ]  # fmt: skip
    return [
        versions.ready(admin, model, b"%d" % n, metrics=metrics, serving=bytes([n]) * size, found=timed(seconds))
        for n, (metrics, seconds, size) in enumerate(facts)
    ]


def state(model: Model) -> Any:
    model.refresh_from_db()
    return (
        list(Alias.objects.values_list("name", "version__number", "moved_by")),
        PlanRecord.objects.count(),
        model.revision,
        AuditEntry.objects.count(),
    )


def reasons(selection: Any) -> dict[int, tuple[str, str]]:
    return {loser.number: (loser.code, loser.reason) for loser in selection.choice.losers}


class TestChoosing:
    def test_only_told_and_nothing_changed(self, admin: Actor, model: Model, four: list[Version]) -> None:
        before = state(model)
        found = select(actor=admin, model=model, metric="accuracy", constraints=["p95_seconds<=5ms"])
        assert (found.choice.winner, found.choice.value, found.changed, found.undo) == (four[1], 0.96, False, None)
        assert reasons(found) == {
            1: ("constraint", "p95_seconds is 8 ms, 3 ms over `p95_seconds<=5ms`"),
            3: ("constraint", "p95_seconds is 30 ms, 25 ms over `p95_seconds<=5ms`"),
            4: ("no_metric", "it has no `accuracy`"),
        }
        assert state(model) == before

    def test_the_others_come_in_the_order_in_which_they_lost(
        self, admin: Actor, model: Model, four: list[Version]
    ) -> None:
        found = select(actor=admin, model=model, metric="accuracy")
        assert found.choice.winner == four[2]
        assert [loser.number for loser in found.choice.losers] == [2, 1, 4]
        assert reasons(found)[2] == ("worse", "accuracy is 0.96, 0.02 less than version 3's 0.98")
        narrow = select(actor=admin, model=model, metric="accuracy", constraints=["p95_seconds<=5ms"])
        assert narrow.choice.winner == four[1]
        assert [loser.number for loser in narrow.choice.losers] == [3, 1, 4]

    def test_each_constraint_that_is_broken_is_told_with_by_how_much(
        self, admin: Actor, model: Model, four: list[Version]
    ) -> None:
        wish = {"metric": "accuracy", "constraints": ["p95_seconds<5ms", "size_bytes<=15B", "accuracy>=97%", "f1>0"]}
        versions.ready(admin, model, b"f1", metrics={"f1": 1, "accuracy": 0.99}, serving=b"", found=timed(0.001))
        found = select(actor=admin, model=model, **wish)  # type: ignore[arg-type]
        assert found.choice.winner.number == 5
        third = next(loser for loser in found.choice.losers if loser.number == 3)
        assert [(each["metric"], each["value"], each["by"]) for each in third.failures] == [
            ("p95_seconds", 0.03, pytest.approx(0.025)), ("size_bytes", 5000, 4985), ("f1", None, None),
        ]  # fmt: skip
        assert third.reason == (
            "p95_seconds is 30 ms, 25 ms over `p95_seconds<5ms`; size_bytes is 4.883 KiB, 4.868 KiB over "
            "`size_bytes<=15B`; it has no `f1`, which `f1>0` asks for"
        )
        first = next(loser for loser in found.choice.losers if loser.number == 1)
        assert "accuracy is 0.95, 0.02 under `accuracy>=97%`" in first.reason

    def test_what_was_measured_is_not_what_was_told(self, admin: Actor, model: Model) -> None:
        versions.ready(admin, model, b"1", metrics={"p95_seconds": 1e-9, "size_bytes": 1}, found=timed(0.5))
        versions.ready(admin, model, b"2", metrics={"p95_seconds": 1e-9}, found=timed(0.1))
        versions.ready(admin, model, b"3", metrics={"p95_seconds": 1e-9}, found=timed(None, reason="it never ends"))
        versions.ready(admin, model, b"4")
        found = select(actor=admin, model=model, metric="p95_seconds")
        assert (found.choice.winner.number, found.choice.value) == (2, 0.1)
        assert reasons(found)[3] == ("no_metric", "its p95_seconds was not measured: it never ends")
        assert "examined before this was measured" in reasons(found)[4][1]
        assert select(actor=admin, model=model, metric="size_bytes").choice.value == 9

    def test_ties_fall_to_the_smaller_then_the_faster_then_the_newer(self, admin: Actor, model: Model) -> None:
        def push(content: bytes, serving: bytes, seconds: float | None) -> Version:
            found = timed(seconds)
            return versions.ready(admin, model, content, metrics={"f1": 0.5}, serving=serving, found=found)

        large = push(b"1", b"large", 0.001)
        slow = push(b"2", b"aa", 0.003)
        fast = push(b"3", b"bb", 0.002)
        unknown = push(b"4", b"cc", None)
        found = select(actor=admin, model=model, metric="f1")
        assert found.choice.winner == fast
        told = reasons(found)
        assert told[large.number] == (
            "tie", "f1 is 0.5, as version 3's 0.5; its size_bytes is 5 B against 2 B"
        )  # fmt: skip
        assert told[slow.number][1].endswith("its p95_seconds is 3 ms against 2 ms")
        assert told[unknown.number][1].endswith("its p95_seconds is not measured against 2 ms")
        newer = push(b"5", b"dd", 0.002)
        again = select(actor=admin, model=model, metric="f1")
        assert again.choice.winner == newer
        assert reasons(again)[fast.number][1].endswith("the other is newer")

    def test_the_direction_is_known_or_has_to_be_said(self, admin: Actor, model: Model) -> None:
        for number, (loss, profit) in enumerate([(0.3, 5), (0.2, 3)]):
            versions.ready(admin, model, b"%d" % number, metrics={"log_loss": loss, "profit": profit})

        def best(metric: str, direction: str = "") -> int:
            return select(actor=admin, model=model, metric=metric, direction=direction).choice.winner.number

        assert best("log_loss") == 2
        assert best("log_loss", "maximize") == 1
        assert best("profit", "maximize") == 1
        assert best("profit", "minimize") == 2
        with pytest.raises(InvalidInput, match="direction: `profit` is no well-known metric"):
            best("profit")
        with pytest.raises(InvalidInput, match="expected one of maximize, minimize"):
            best("profit", "up")

    def test_the_pool_is_what_is_said(self, admin: Actor, model: Model, four: list[Version]) -> None:
        for name, version in (("nightly", four[0]), ("weekly", four[1])):
            move_alias(actor=admin, model=model, name=name, version=version)
        Version.objects.filter(pk=four[2].pk).update(created_at=timezone.now() - timedelta(days=9))

        def best(**pool: Any) -> int:
            return select(actor=admin, model=model, metric="accuracy", pool=Pool(**pool)).choice.winner.number

        assert best(aliases=("nightly",)) == 1
        assert best(aliases=("nightly", "weekly")) == 2
        assert best(last=2) == 2
        assert best(first=3) == 3
        assert best(since=timezone.now() - timedelta(days=1)) == 2
        with pytest.raises(InvalidInput, match="pool_aliases: iris has no alias 'nightli'; it has nightly, weekly"):
            best(aliases=("nightli",))
        with pytest.raises(Conflict, match=r"no ready version to choose from \(from number 9\); nothing was changed"):
            best(first=9)
        versions.register(admin, model)
        with pytest.raises(Conflict):
            best(first=5)

    def test_a_pool_has_a_bound(
        self, admin: Actor, model: Model, four: list[Version], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(selecting, "MOST_VERSIONS", 3)
        with pytest.raises(InvalidInput, match="more than 3 versions: narrow it"):
            select(actor=admin, model=model, metric="accuracy")
        assert select(actor=admin, model=model, metric="accuracy", pool=Pool(last=3)).choice.winner == four[2]

    def test_it_costs_few_queries(
        self, admin: Actor, model: Model, four: list[Version], django_assert_max_num_queries: Any
    ) -> None:
        with django_assert_max_num_queries(4):
            select(actor=admin, model=model, metric="accuracy")


class TestDoing:
    def test_an_alias_is_moved_and_moved_back(self, admin: Actor, model: Model, four: list[Version]) -> None:
        made = select(actor=admin, model=model, metric="accuracy", alias="best", constraints=["p95_seconds<5ms"])
        assert (made.changed, Alias.objects.get(name="best").version) == (True, four[1])
        assert made.undo is not None
        assert (made.undo["method"], made.undo["path"]) == ("DELETE", "/api/v1/models/iris/aliases/best/")
        moved = select(actor=admin, model=model, metric="accuracy", alias="best")
        assert Alias.objects.get(name="best").version == four[2]
        assert moved.undo is not None
        assert (moved.undo["method"], moved.undo["body"]) == ("PUT", {"version": 2})
        before = state(model)
        again = select(actor=admin, model=model, metric="accuracy", alias="best")
        assert (again.changed, again.undo) == (False, None)
        assert state(model) == before
        told = AuditEntry.objects.filter(verb="model.select").order_by("number").last()
        assert told is not None
        assert (told.details["winner"]["number"], told.details["losers"]["4"]) == (3, "no_metric")
        assert verify_audit(admin.tenant) == []

    def test_the_winner_is_activated_and_the_history_says_why(
        self, admin: Actor, model: Model, four: list[Version]
    ) -> None:
        first = select(actor=admin, model=model, metric="accuracy", activates=True, constraints=["size_bytes<1KB"])
        assert first.undo is not None
        assert (first.champion, first.undo["verb"]) == (None, "deactivate")
        second = select(actor=admin, model=model, metric="accuracy", activates=True, reason="larger is fine")
        assert second.undo is not None
        assert (second.champion, second.undo["verb"], second.undo["body"]) == (2, "promote", {"version": 2})
        assert list(PlanRecord.objects.order_by("number").values_list("reason", flat=True)) == [
            "selected by accuracy: 0.96, the best of 4", "larger is fine",
        ]  # fmt: skip
        again = select(actor=admin, model=model, metric="accuracy", activates=True)
        assert (again.changed, PlanRecord.objects.count()) == (False, 2)

    def test_code_is_not_activated_where_the_tenant_forbids_it(self, admin: Actor, model: Model) -> None:
        versions.ready(admin, model, b"1", isolated=True, metrics={"f1": 0.9})
        versions.ready(admin, model, b"2", metrics={"f1": 0.8})
        change_tenant(actor=admin, runs_code=False)
        assert select(actor=admin, model=model, metric="f1").choice.winner.number == 1
        found = select(actor=admin, model=model, metric="f1", activates=True)
        assert found.choice.winner.number == 2
        assert reasons(found) == {1: ("runs_code", "it carries code, which this tenant does not run")}

    def test_everybody_fails_and_nothing_is_changed(self, admin: Actor, model: Model, four: list[Version]) -> None:
        before = state(model)
        for what in ({"alias": "best"}, {"activates": True}, {}):
            with pytest.raises(Conflict, match="none of the 4 versions of the pool can be chosen") as refused:
                select(actor=admin, model=model, metric="accuracy", constraints=["p95_seconds<=1us"], **what)  # type: ignore[arg-type]
            assert {loser["number"] for loser in refused.value.details["losers"]} == {1, 2, 3, 4}
            assert "version 3: p95_seconds is 30 ms, 30 ms over `p95_seconds<=1us`" in refused.value.message
        assert state(model) == before

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ({"metric": "acuracy"}, "metric: no version of the pool has `acuracy`; did you mean `accuracy`"),
            ({"constraints": ["p95_second<1"]}, "constraints: no version .* `p95_second`; did you mean `p95_seconds`"),
            ({"constraints": ["accuracy"]}, "is none: expected a metric"),
            ({"constraints": ["loss<1"] * 21}, "21 of them"),
            ({"alias": "champion"}, "is no alias that can be moved"),
            ({"alias": "No Name"}, "cannot name an alias"),
            ({"alias": "best", "activates": True}, "not both"),
        ],
    )
    def test_what_does_not_fit_changes_nothing(
        self, admin: Actor, model: Model, four: list[Version], given: dict[str, Any], said: str
    ) -> None:
        before = state(model)
        with pytest.raises(InvalidInput, match=said):
            select(actor=admin, model=model, **{"metric": "accuracy", "alias": "best", **given})
        assert state(model) == before

    def test_a_winner_that_was_deleted_since_is_said_to_be(
        self, admin: Actor, model: Model, four: list[Version]
    ) -> None:
        told = select(actor=admin, model=model, metric="accuracy").choice.winner
        delete_version(actor=admin, version=told)
        before = state(model)
        with pytest.raises(
            Conflict, match=r"version 3 of iris was deleted: version 2 would win now\. Nothing was changed"
        ):
            select(actor=admin, model=model, metric="accuracy", activates=True, expect=3)
        with pytest.raises(Conflict, match="version 99 of iris was never there"):
            select(actor=admin, model=model, metric="accuracy", activates=True, expect=99)
        with pytest.raises(Conflict, match=r"version 1 is not the best: accuracy is 0.95, 0.01 less than version 2's"):
            select(actor=admin, model=model, metric="accuracy", activates=True, expect=1)
        with pytest.raises(Conflict, match="version 1 is not the best: it is not in the pool"):
            select(actor=admin, model=model, metric="accuracy", activates=True, expect=1, pool=Pool(first=2))
        assert state(model) == before
        assert select(actor=admin, model=model, metric="accuracy", activates=True, expect=2).changed

    def test_a_reader_looks_and_does_nothing_and_a_stranger_finds_nothing(
        self, tenant: Tenant, stranger: Tenant, model: Model, four: list[Version]
    ) -> None:
        low = Actor(tenant=tenant, name="key:reader", scopes=frozenset({"predict", "read"}))
        assert select(actor=low, model=model, metric="accuracy").choice.winner == four[2]
        for what in ({"alias": "best"}, {"activates": True}):
            with pytest.raises(Forbidden):
                select(actor=low, model=model, metric="accuracy", **what)  # type: ignore[arg-type]
        foreign = Actor(tenant=stranger, name="key:x", scopes=frozenset({"read", "write"}))
        with pytest.raises(NotFound):
            select(actor=foreign, model=model, metric="accuracy", alias="best")


@pytest.mark.django_db(transaction=True)
def test_the_winner_cannot_be_deleted_while_it_is_chosen(
    admin: Actor, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one who deletes waits for the lock of the model, and then finds that an alias needs the version."""
    version = versions.ready(admin, model, b"1", metrics={"f1": 0.9})
    chosen, ended = threading.Event(), threading.Event()
    failures: list[Exception] = []

    def delete() -> None:
        try:
            chosen.wait(20)
            delete_version(actor=admin, version=version)
        except Exception as error:
            failures.append(error)
        finally:
            ended.set()
            connection.close()

    thread = threading.Thread(target=delete)
    thread.start()
    choose = selecting.choose

    def slowly(*given: Any, **more: Any) -> Any:
        choice = choose(*given, **more)
        chosen.set()
        assert not ended.wait(1.0), "the version was deleted between the choice and the move"
        return choice

    monkeypatch.setattr(selecting, "choose", slowly)
    found = select(actor=admin, model=model, metric="f1", alias="best")
    thread.join(30)
    assert found.changed
    assert [type(error).__name__ for error in failures] == ["InUse"]
    assert Alias.objects.get().version == version


class TestRest:
    @pytest.fixture
    def client(self, caller: Caller, tenant: Tenant) -> APIClient:
        return caller(tenant, "write")

    def test_told_done_and_undone_by_what_the_answer_says(self, client: APIClient, four: list[Version]) -> None:
        body: dict[str, Any] = {"metric": "accuracy", "constraints": ["p95_seconds<=5ms"]}
        told = client.post(SELECT, body)
        assert told.status_code == 200, told.content
        answer = told.json()
        assert (answer["winner"]["number"], answer["direction"], answer["changed"]) == (2, "maximize", False)
        assert answer["winner"]["values"]["p95_seconds"] == 0.002
        assert {loser["number"]: loser["code"] for loser in answer["losers"]} == {
            1: "constraint", 3: "constraint", 4: "no_metric",
        }  # fmt: skip
        assert not Alias.objects.exists()
        named = client.post(SELECT, {**body, "alias": "best", "expect": 2}).json()
        assert (named["alias"], named["changed"]) == ("best", True)
        call = named["undo"]
        assert getattr(client, call["method"].lower())(call["path"], call["body"]).status_code == 204
        assert not Alias.objects.exists()
        served = client.post(f"{SELECT}/", {**body, "activate": True}).json()
        undone = client.post(served["undo"]["path"], served["undo"]["body"])
        assert undone.json()["champion"] is None

    def test_a_reader_looks_by_get(self, caller: Caller, tenant: Tenant, four: list[Version]) -> None:
        reader = caller(tenant, "read")
        query = "metric=accuracy&constraints=p95_seconds%3C5ms&constraints=size_bytes%3C50MB&pool_from=1&pool_to=3"
        answer = reader.get(f"{SELECT}?{query}&pool_since=2020-01-01T00:00:00Z&expect=2")
        assert answer.status_code == 200, answer.content
        assert answer.json()["winner"]["number"] == 2
        assert reader.get(f"{SELECT}?metric=accuracy&activate=true").status_code == 400
        assert reader.post(SELECT, {"metric": "accuracy"}).status_code == 403

    @pytest.mark.parametrize(
        "body",
        [
            {}, {"metric": ""}, {"metric": None}, {"metric": 5}, {"metric": "x" * 101}, {"metric": "\x00"}, [], "x",
            {"metric": "accuracy", "direction": "up"}, {"metric": "accuracy", "constraints": "x"},
            {"metric": "accuracy", "constraints": ["x"]}, {"metric": "accuracy", "constraints": [{}]},
            {"metric": "accuracy", "constraints": ["loss<1"] * 21}, {"metric": "accuracy", "alias": "champion"},
            {"metric": "accuracy", "alias": "A"}, {"metric": "accuracy", "alias": "a", "activate": True},
            {"metric": "accuracy", "activate": "perhaps"}, {"metric": "accuracy", "pool_from": 0},
            {"metric": "accuracy", "pool_to": 10**30}, {"metric": "accuracy", "pool_since": "yesterday"},
            {"metric": "accuracy", "pool_since": "0001-01-01T00:00:00+14:00"},
            {"metric": "accuracy", "pool_aliases": ["none"]}, {"metric": "accuracy", "pool_aliases": ["A\x00"]},
            {"metric": "accuracy", "expect": "x"}, {"metric": "accuracy", "metrics": 1},
        ],
    )  # fmt: skip
    def test_what_does_not_fit_is_refused(self, client: APIClient, four: list[Version], body: Any) -> None:
        refused = client.post(SELECT, body)
        assert refused.status_code == 400, refused.content
        assert refused.json()["error"]["code"] == "invalid_input"

    def test_the_charters_metric_is_meant_where_none_is_named(self, client: APIClient, four: list[Version]) -> None:
        refused = client.get(SELECT)
        assert "metric: expected one, since the charter of iris names none" in refused.json()["error"]["message"]
        client.put("/api/v1/models/iris/charter", {"charter": {"metric": "accuracy"}})
        named, meant = client.get(f"{SELECT}?metric=accuracy").json(), client.get(SELECT).json()
        assert meant == named
        assert client.post(SELECT, {"alias": "best"}).json()["metric"] == "accuracy"

    def test_all_reasons_come_with_the_409(self, client: APIClient, four: list[Version]) -> None:
        refused = client.post(SELECT, {"metric": "accuracy", "constraints": ["accuracy>2"], "activate": True})
        assert refused.status_code == 409
        losers = refused.json()["error"]["details"]["losers"]
        assert [(loser["number"], loser["code"]) for loser in losers] == [
            (3, "constraint"), (2, "constraint"), (1, "constraint"), (4, "no_metric"),
        ]  # fmt: skip
        assert not PlanRecord.objects.exists()

    def test_an_empty_pool_is_a_conflict(self, client: APIClient, model: Model) -> None:
        refused = client.post(SELECT, {"metric": "accuracy"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "conflict")


def test_selecting_needs_no_more_than_what_serves_knows(admin: Actor, model: Model, four: list[Version]) -> None:
    services.activate(actor=admin, version=four[0])
    assert select(actor=admin, model=model, metric="accuracy").champion == 1
