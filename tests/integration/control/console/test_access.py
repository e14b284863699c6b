"""Who may see and do what: every address, for nobody, a stranger, and each role."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, reverse

from modelyard.control.console import urls
from modelyard.control.deployments import services as deployments
from modelyard.control.registry import services as registry
from modelyard.control.registry.models import Model, Version
from modelyard.control.schedules.models import Schedule
from modelyard.control.tenancy import services as tenancy
from modelyard.control.tenancy.models import ApiKey, Member, Tenant
from modelyard.control.tenancy.services import Actor
from tests.integration.control import tables

READ_ONLY = {
    "models", "model", "version", "version-state", "version-line", "version-file", "history", "charter",
    "compare", "select", "jobs", "job", "job-now", "job-log",
    "datasets", "dataset", "dataset-state", "dataset-download", "schedules", "schedule",
}  # fmt: skip
OF_SCORINGS = {"job-result", "job-failed"}
"""Read alone, and not there of a job that is no scoring."""
PREDICT = {"version-try", "precomputed-try"}
WRITE = {
    "model-new", "model-check", "model-edit", "model-delete", "push", "rollback", "stop", "alias-move", "alias-delete",
    "version-activate", "version-delete", "version-reproduce", "charter-edit", "consumer-declare", "consumer-remove",
    "alias-back", "select-apply", "job-cancel", "job-again", "dataset-new", "dataset-delete",
    "train", "train-fields", "dataset-fetch",
    "precomputed-withdraw", "precomputed-activate",
    "score", "score-fields", "job-result-delete",
    "schedule-new", "schedule-edit", "schedule-pause", "schedule-resume", "schedule-run", "schedule-delete",
}  # fmt: skip
ADMIN = {
    "keys", "key-revoke", "members", "member-role", "member-remove", "audit", "origins", "origin-remove",
}  # fmt: skip
POST_ONLY = {
    "model-edit", "push", "rollback", "alias-move", "version-activate", "version-reproduce", "version-try",
    "member-role",
    "consumer-declare", "consumer-remove",
    "alias-back", "select-apply", "job-again", "train-fields", "precomputed-try",
    "precomputed-withdraw", "precomputed-activate", "score-fields",
    "schedule-pause", "schedule-resume", "schedule-run",
}  # fmt: skip


def names(patterns: Any) -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            yield str(pattern.name)
        else:
            yield from names(pattern.url_patterns)


TENANT_PAGES = sorted(names(urls.TENANT))


@pytest.fixture
def places(tenant: Tenant, admin: Actor, version: Version, person: Any) -> dict[str, Any]:
    key, _ = tenancy.create_key(actor=admin, name="ci", scopes=["read"])
    registry.move_alias(actor=admin, model=version.model, name="candidate", version=version)
    consumer = registry.declare_consumer(actor=admin, model=version.model, name="checkout")
    origin = tenancy.allow_origin(actor=admin, origin="https://shop.example.com")
    Schedule.objects.create(tenant=tenant, name="nightly", kind="training", cron="0 2 * * *", acts_for="user:ada")
    member = Member.objects.of(tenant).get(user=person)
    return {
        "tenant": tenant.name, "name": "iris", "number": version.number, "position": 0, "alias": "candidate",
        "consumer": consumer.pk, "job": version.job_id, "ref": str(tables.ready(admin)), "kind": "folder",
        "place": 1,
        "schedule": "nightly",
        "key-revoke": key.pk, "origin-remove": origin.pk, "member-role": member.pk, "member-remove": member.pk,
    }  # fmt: skip


def address(name: str, places: dict[str, Any], **other: Any) -> str:
    pattern = next(found for found in urls_of(urls.TENANT) if found[0] == name)
    wanted = {key: places[key] for key in pattern[1] if key in places}
    if "pk" in pattern[1]:
        wanted["pk"] = places[name]
    return reverse(f"console:{name}", kwargs={"tenant": places["tenant"], **wanted, **other})


def urls_of(patterns: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[str, tuple[str, ...]]]:
    for pattern in patterns:
        keys = (*above, *pattern.pattern.converters)
        if isinstance(pattern, URLPattern):
            yield str(pattern.name), keys
        else:
            yield from urls_of(pattern.url_patterns, keys)


def ask(client: Client, name: str, path: str) -> Any:
    return client.post(path) if name in POST_ONLY else client.get(path)


def test_every_page_of_a_tenant_has_its_scope_here() -> None:
    assert set(TENANT_PAGES) == READ_ONLY | OF_SCORINGS | PREDICT | WRITE | ADMIN


# Each of these asks all pages in turn, of one tenant that is set up once: what is asked changes nothing.


def test_nobody_is_asked_to_sign_in(places: dict[str, Any]) -> None:
    for name in TENANT_PAGES:
        answer = ask(Client(), name, address(name, places))
        assert answer.status_code == 302, name
        assert answer["Location"].startswith("/sign-in/?next=/"), name


def test_a_stranger_meets_nothing(places: dict[str, Any], outsider: Client) -> None:
    nothing = outsider.get("/t/there-is-none/")
    for name in TENANT_PAGES:
        theirs = ask(outsider, name, address(name, places))
        assert theirs.status_code == 404, name
        assert theirs.content == nothing.content, name


def test_a_strangers_things_are_not_reached_through_ones_own_tenant(
    places: dict[str, Any], outsider: Client, stranger: Tenant
) -> None:
    of_a_thing = [name for name, keys in urls_of(urls.TENANT) if not set(keys) <= {"tenant", "kind"}]
    assert len(of_a_thing) > len(TENANT_PAGES) / 2
    for name in of_a_thing:
        answer = ask(outsider, name, address(name, places).replace("/t/yard/", f"/t/{stranger.name}/"))
        assert answer.status_code == 404, name


def test_a_viewer_may_not(places: dict[str, Any], viewer: Client) -> None:
    for name in sorted(WRITE | ADMIN):
        answer = ask(viewer, name, address(name, places))
        assert answer.status_code == 403, name
        assert "You may not do that" in answer.content.decode(), name


def test_an_editor_may_not_administer(places: dict[str, Any], editor: Client) -> None:
    for name in sorted(ADMIN):
        assert ask(editor, name, address(name, places)).status_code == 403, name


def test_a_viewer_sees(places: dict[str, Any], viewer: Client) -> None:
    for name in sorted(READ_ONLY):
        assert viewer.get(address(name, places)).status_code == 200, name


def test_what_changes_something_takes_no_get(places: dict[str, Any], boss: Client) -> None:
    """Its address may still be asked for, by a browser that goes back; a page answers, and not what the POST does."""
    for name in sorted(POST_ONLY):
        answer = boss.get(address(name, places), follow=True)
        ((led_to, status),) = answer.redirect_chain
        assert (status, answer.status_code) == (302, 200), name
        assert led_to.startswith("/t/yard/"), name


def test_what_reads_takes_no_post(places: dict[str, Any], boss: Client) -> None:
    for name in sorted(READ_ONLY | OF_SCORINGS | {"model-check", "audit"}):
        assert boss.post(address(name, places)).status_code == 405, name


def test_a_foreign_form_is_refused(places: dict[str, Any], somebody: Any) -> None:
    client = somebody("admin")
    client.handler.enforce_csrf_checks = True
    for name in TENANT_PAGES:
        answer = client.post(address(name, places))
        assert answer.status_code == 403, name
        assert "This form was too old" in answer.content.decode(), name
        assert Model.objects.filter(name="iris").exists(), name
        assert not ApiKey.objects.exclude(revoked_at=None).exists(), name


@pytest.mark.parametrize(
    "path",
    [
        "/t/yard/models/nothing/",
        "/t/yard/models/%00/",
        "/t/yard/models/..%2f..%2fetc/",
        "/t/%00/",
        "/t/yard/models/iris/versions/9/",
        "/t/yard/models/iris/versions/99999999999999999999999/",
        "/t/yard/models/iris/versions/1/files/99999999999999999999/",
        "/t/yard/datasets/nothing/",
        "/t/yard/datasets/flights:9999999999999/",
        "/t/yard/datasets/..%2f..%2fetc/",
        "/t/yard/datasets/%00/download/",
        "/t/yard/schedules/nothing/",
        "/t/yard/schedules/%00/",
        "/t/yard/keys/99999999999999999999999/revoke/",
        "/t/yard/members/99999999999999999999999/remove/",
    ],
)
def test_what_is_not_there_is_a_page_of_ours(path: str, boss: Client, version: Version) -> None:
    answer = boss.get(path)
    assert answer.status_code == 404
    assert "There is nothing here" in answer.content.decode()


def test_an_alias_that_cannot_be_is_not_there(boss: Client, version: Version) -> None:
    for alias in ("nothing", "%00", "x" * 300):
        assert boss.post(f"/t/yard/models/iris/aliases/{alias}/delete/").status_code == 404


@pytest.mark.parametrize(
    "query", ["?q=%00", "?page=x", "?page=999999999999999999999", "?q=" + "x" * 5000, "?q='%22%5C"]
)
def test_odd_queries_do_no_harm(query: str, boss: Client, version: Version) -> None:
    for path in (
        "/t/yard/", "/t/yard/models/iris/", "/t/yard/models/iris/history/", "/t/yard/keys/", "/t/yard/audit/",
        "/t/yard/datasets/", "/t/yard/schedules/",
    ):  # fmt: skip
        assert boss.get(path + query).status_code == 200
    assert boss.get("/t/yard/audit/?verb=%00").status_code == 200


def test_a_viewer_is_shown_no_button_that_would_be_refused(viewer: Client, version: Version, admin: Actor) -> None:
    deployments.activate(actor=admin, version=version)
    for path in ("/t/yard/", "/t/yard/models/iris/", "/t/yard/models/iris/versions/1/"):
        shown = viewer.get(path).content.decode()
        for word in (
            "New model",
            "Push a version",
            "Activate<",
            "Delete",
            "Stop serving",
            "Roll back<",
            "/keys/",
            "/audit/",
        ):
            assert word not in shown, (path, word)


def test_htmx_is_led_to_the_sign_in_page(places: dict[str, Any]) -> None:
    answer = Client().get("/t/yard/", headers={"HX-Request": "true"})
    assert answer["HX-Redirect"] == "/sign-in/"


def test_every_answer_carries_the_strict_policy(places: dict[str, Any], boss: Client) -> None:
    for name in TENANT_PAGES:
        policy = boss.get(address(name, places))["Content-Security-Policy"]
        assert "unsafe" not in policy, name
        assert "default-src 'none'" in policy, name
