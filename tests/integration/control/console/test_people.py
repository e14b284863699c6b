"""Signing in, one's account, keys, members and the audit log."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from modelyard.control.registry.models import Version
from modelyard.control.tenancy import services as tenancy
from modelyard.control.tenancy import sign_ins
from modelyard.control.tenancy.models import AllowedOrigin, ApiKey, AuditEntry, Member
from modelyard.control.tenancy.services import Actor
from tests.integration.control.console.conftest import PASSWORD
from tests.integration.control.console.reading import text_of


def test_signing_in_leads_on_only_within_the_site(db: None, tenant: Any) -> None:
    User.objects.create_user("ada", password=PASSWORD)
    for wanted, led in (("/t/yard/", "/t/yard/"), ("https://evil.example/", "/"), ("//evil.example", "/"), ("", "/")):
        answer = Client().post("/sign-in/", {"username": "ada", "password": PASSWORD, "next": wanted})
        assert (answer.status_code, answer["Location"]) == (302, led)


def test_wrong_passwords_are_said_and_throttled(db: None) -> None:
    User.objects.create_user("ada", password=PASSWORD)
    client = Client()
    empty = client.post("/sign-in/", {"username": "", "password": ""})
    assert 'id="id_username_error">This field is required.' in text_of(empty)
    for _ in range(sign_ins.MAX_TRIES):
        answer = client.post("/sign-in/", {"username": "ada", "password": "wrong"})
        assert answer.status_code == 422
        assert "do not belong together" in text_of(answer)
    closed = client.post("/sign-in/", {"username": "ada", "password": PASSWORD})
    assert (closed.status_code, closed["Retry-After"]) == (429, str(sign_ins.WINDOW_SECONDS))
    assert client.post("/sign-in/", {"username": "eve", "password": "wrong"}).status_code == 422


def test_a_name_written_in_other_letters_is_the_same_name(db: None) -> None:
    User.objects.create_user("ada", password=PASSWORD)
    client = Client()
    names = ["ada", "\uff41da", "a\uff44a", "ad\uff41", " ADA", "\U0001d41ada"]
    answers = [
        client.post("/sign-in/", {"username": name, "password": "wrong"}).status_code
        for _ in range(sign_ins.MAX_TRIES)
        for name in names
    ]
    assert answers.count(422) == sign_ins.MAX_TRIES


def test_past_the_bound_a_right_password_is_answered_like_a_wrong_one(db: None) -> None:
    User.objects.create_user("ada", password=PASSWORD)
    client = Client()
    for _ in range(sign_ins.MAX_TRIES):
        client.post("/sign-in/", {"username": "ada", "password": "wrong"})
    right, wrong = (client.post("/sign-in/", {"username": "ada", "password": word}) for word in (PASSWORD, "wrong"))
    pages = [re.sub(r'(csrfmiddlewaretoken" value=")\w+', r"\1", text_of(answer)) for answer in (right, wrong)]
    assert "Too many wrong passwords" in pages[0]
    assert pages[0] == pages[1]


def test_signing_out_takes_a_post(boss: Client) -> None:
    assert boss.get("/sign-out/").status_code == 405
    assert boss.post("/sign-out/")["Location"] == "/sign-in/"
    assert boss.get("/t/yard/").status_code == 302


def test_home_leads_to_the_only_tenant_or_lets_choose(boss: Client, stranger: Any, somebody: Any) -> None:
    assert boss.get("/")["Location"] == "/t/yard/"
    tenancy.add_member(
        actor=tenancy.system_actor(stranger, "test"), user=User.objects.get(username="admin"), role="viewer"
    )
    assert "/t/stranger/" in text_of(boss.get("/"))
    assert "You belong to no tenant yet" in text_of(somebody().get("/"))
    assert Client().get("/")["Location"] == "/sign-in/"


def test_the_password_can_be_changed(boss: Client) -> None:
    wrong = boss.post("/account/", {"old_password": "x", "new_password1": "a", "new_password2": "b"})
    assert wrong.status_code == 422
    new = "another long passphrase"
    answer = boss.post("/account/", {"old_password": PASSWORD, "new_password1": new, "new_password2": new}, follow=True)
    assert "Your password is changed" in text_of(answer)
    assert User.objects.get(username="admin").check_password(new)


def test_a_keys_secret_is_shown_once_and_works(boss: Client) -> None:
    answer = boss.post("/t/yard/keys/", {"name": "ci", "scopes": ["predict", "write"], "expires": "30"})
    found = re.search(r"yard_[a-z0-9]{8}_[\w-]{43}", text_of(answer))
    assert found is not None
    assert tenancy.authenticate(found.group()).scopes == {"predict", "read", "write"}
    assert answer["Cache-Control"].count("no-store") == 1
    assert found.group() not in text_of(boss.get("/t/yard/keys/"))
    key = ApiKey.objects.get()
    assert key.expires_at is not None
    assert "Revoke the key ci?" in text_of(boss.get(f"/t/yard/keys/{key.pk}/revoke/"))
    assert "is revoked" in text_of(boss.post(f"/t/yard/keys/{key.pk}/revoke/", follow=True))
    assert not ApiKey.objects.get().is_live


@pytest.mark.parametrize(
    ("given", "field", "said"),
    [
        ({"name": "", "scopes": ["read"]}, "name", "required"),
        ({"name": "x"}, "scopes", "at least one"),
        ({"name": "x", "scopes": ["everything"]}, "scopes", "valid choice"),
        ({"name": "taken", "scopes": ["read"]}, "name", "in use"),
    ],
)
def test_a_key_that_does_not_fit_says_where(given: Any, field: str, said: str, boss: Client, admin: Actor) -> None:
    tenancy.create_key(actor=admin, name="taken", scopes=["read"])
    answer = boss.post("/t/yard/keys/", given)
    assert answer.status_code == 422
    error = re.search(rf'id="id_{field}_error"[^>]*>([^<]*)<', text_of(answer))
    assert error is not None
    assert said in error.group(1)


def test_members_are_added_changed_and_removed(boss: Client, db: None) -> None:
    User.objects.create_user("eve")
    assert "Nobody by that name" in text_of(boss.post("/t/yard/members/", {"username": "who", "role": "viewer"}))
    boss.post("/t/yard/members/", {"username": "eve", "role": "viewer"})
    assert "already" in text_of(boss.post("/t/yard/members/", {"username": "eve", "role": "viewer"}))
    eve = Member.objects.get(user__username="eve")
    boss.post(f"/t/yard/members/{eve.pk}/role/", {"role": "editor"})
    eve.refresh_from_db()
    assert eve.role == "editor"
    assert 'class="toast bad"' in text_of(boss.post(f"/t/yard/members/{eve.pk}/role/", {"role": "king"}, follow=True))
    last = Member.objects.get(user__username="admin")
    assert "last administrator" in text_of(boss.post(f"/t/yard/members/{last.pk}/remove/", follow=True))
    assert "is no member" in text_of(boss.post(f"/t/yard/members/{eve.pk}/remove/", follow=True))


def test_who_gives_up_their_own_role_is_led_to_what_they_may_see(boss: Client, somebody: Any) -> None:
    other = somebody("admin", name="bea")
    bea = Member.objects.get(user__username="bea")
    answer = other.post(f"/t/yard/members/{bea.pk}/role/", {"role": "viewer"}, follow=True)
    assert (answer.status_code, answer.redirect_chain) == (200, [("/t/yard/", 302)])
    assert "bea is viewer now" in text_of(answer)
    boss.post(f"/t/yard/members/{bea.pk}/role/", {"role": "admin"})
    answer = other.post(f"/t/yard/members/{bea.pk}/remove/", follow=True)
    assert answer.redirect_chain == [("/", 302)]
    assert "bea is no member any more" in text_of(answer)


def test_the_audit_log_is_shown_filtered_and_checked(boss: Client, version: Version) -> None:
    assert "version.register" in text_of(boss.get("/t/yard/audit/"))
    assert "member.add" not in text_of(boss.get("/t/yard/audit/?verb=version"))
    assert "Every entry is whole" in text_of(boss.get("/t/yard/audit/?check"))
    AuditEntry.objects.filter(number=2).update(verb="nothing.happened")
    assert "tampered" in text_of(boss.get("/t/yard/audit/?check"))


def test_broken_addresses_of_a_stranger_and_of_nobody_are_our_pages(boss: Client) -> None:
    answer = boss.get("/nothing/here/")
    assert answer.status_code == 404
    assert "There is nothing here" in text_of(answer)
    assert "/static/console/base.css" in text_of(answer)


def test_front_ends_are_allowed_undone_and_removed(boss: Client) -> None:
    assert "No front end yet" in text_of(boss.get("/t/yard/front-ends/"))
    made = boss.post("/t/yard/front-ends/", {"origin": "HTTPS://App.Example:443/"}, follow=True)
    assert "Pages of https://app.example may call" in text_of(made)
    allowed = AllowedOrigin.objects.get()
    remove = f"/t/yard/front-ends/{allowed.pk}/remove/"
    assert f'action="{remove}"' in text_of(made)
    assert "Allow https://app.example no longer?" in text_of(boss.get(remove))
    assert "can read no answer any more" in text_of(boss.post(remove, follow=True))
    assert boss.post(remove).status_code == 404
    assert not AllowedOrigin.objects.exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("", "required"),
        ("*", "pages of strangers"),
        ("null", "sandboxed frames"),
        ("http://app.example", "plain http"),
        ("https://app.example/shop", "expected https://app.example"),
        ("https://taken.example", "allowed already"),
        ("<script>alert(1)</script>", "&lt;script&gt;"),
    ],
)
def test_an_origin_that_does_not_fit_says_why_and_stays_in_the_form(
    given: str, said: str, boss: Client, admin: Actor
) -> None:
    tenancy.allow_origin(actor=admin, origin="https://taken.example")
    answer = boss.post("/t/yard/front-ends/", {"origin": given})
    assert answer.status_code == 422
    error = re.search(r'id="id_origin_error"[^>]*>([^<]*)<', text_of(answer))
    assert error is not None
    assert said in error.group(1)
    assert f'value="{given}"' in text_of(answer) or not given or "<" in given
    assert AllowedOrigin.objects.count() == 1


def test_front_ends_are_for_administrators_of_the_tenant(
    boss: Client, editor: Client, outsider: Client, admin: Actor
) -> None:
    allowed = tenancy.allow_origin(actor=admin, origin="https://app.example")
    for path in ("/t/yard/front-ends/", f"/t/yard/front-ends/{allowed.pk}/remove/"):
        assert editor.get(path).status_code == editor.post(path, {"origin": "https://b.example"}).status_code == 403
        assert outsider.get(path).status_code == outsider.post(path, {"origin": "https://b.example"}).status_code == 404
    assert outsider.post(f"/t/stranger/front-ends/{allowed.pk}/remove/").status_code == 404
    assert boss.post(f"/t/yard/front-ends/{2**63}/remove/").status_code == 404
    assert AllowedOrigin.objects.get() == allowed
