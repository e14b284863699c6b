from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from modelyard.control.tenancy import services
from modelyard.control.tenancy.models import ApiKey, AuditEntry, Member, Role, Scope, Tenant
from modelyard.control.tenancy.services import Actor
from modelyard.core.errors import Conflict, Forbidden, InvalidInput, NotFound, Unauthenticated

pytestmark = pytest.mark.django_db


def wanted(tenant: Tenant) -> int:
    return Tenant.objects.get(pk=tenant.pk).wanted_revision


@pytest.mark.parametrize(
    ("given", "granted"),
    [
        (["predict"], {"predict"}),
        (["read"], {"read"}),
        (["write"], {"write", "read"}),
        (["admin"], {"predict", "read", "write", "admin"}),
        (["predict", "write", "write"], {"predict", "read", "write"}),
    ],
)
def test_scopes_are_expanded(given: list[str], granted: set[str]) -> None:
    assert services.expand(given) == granted


@pytest.mark.parametrize("given", [[], ["root"], ["read", ""], ["READ"]])
def test_unknown_scopes_are_refused(given: list[str]) -> None:
    with pytest.raises(InvalidInput, match="scope"):
        services.expand(given)


def test_a_tenant_is_made_once_by_a_fitting_name() -> None:
    services.create_tenant(name="one", created_by="system:test")
    with pytest.raises(Conflict):
        services.create_tenant(name="one", created_by="system:test")
    for name in ("", "One", "a b", "../x", "a" * 65, "-a"):
        with pytest.raises(InvalidInput):
            services.create_tenant(name=name, created_by="system:test")
    assert Tenant.objects.count() == 1


def test_a_key_opens_until_it_is_revoked(tenant: Tenant, admin: Actor) -> None:
    before = wanted(tenant)
    key, secret = services.create_key(actor=admin, name="ci", scopes=["write"])
    assert wanted(tenant) == before + 1
    actor = services.authenticate(secret)
    assert (actor.tenant, actor.name, actor.scopes) == (tenant, "key:ci", {"read", "write"})
    services.revoke_key(actor=admin, key=key)
    assert wanted(tenant) == before + 2
    with pytest.raises(Unauthenticated, match="revoked"):
        services.authenticate(secret)
    services.revoke_key(actor=admin, key=key)
    assert wanted(tenant) == before + 2
    assert AuditEntry.objects.filter(verb="key.revoke").count() == 1


def test_nothing_that_is_kept_opens(tenant: Tenant, admin: Actor) -> None:
    key, secret = services.create_key(actor=admin, name="ci", scopes=["read"])
    kept = repr(ApiKey.objects.values().get(pk=key.pk)) + repr(list(AuditEntry.objects.values()))
    assert secret not in kept
    assert secret[14:] not in kept


def test_an_expired_key_and_look_alikes_stay_shut(tenant: Tenant, admin: Actor) -> None:
    key, secret = services.create_key(
        actor=admin, name="ci", scopes=["read"], expires_at=timezone.now() + timedelta(hours=1)
    )
    services.authenticate(secret)
    other = secret[:-1] + ("A" if secret[-1] != "A" else "B")
    for text in (other, secret.upper(), secret[:14], "", "yard_00000000_" + "x" * 43):
        with pytest.raises(Unauthenticated, match="unknown"):
            services.authenticate(text)
    ApiKey.objects.filter(pk=key.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(Unauthenticated, match="expired"):
        services.authenticate(secret)


def test_a_key_name_is_used_once_at_a_time(tenant: Tenant, admin: Actor) -> None:
    key, _ = services.create_key(actor=admin, name="ci", scopes=["read"])
    with pytest.raises(Conflict):
        services.create_key(actor=admin, name=" ci ", scopes=["read"])
    services.revoke_key(actor=admin, key=key)
    services.create_key(actor=admin, name="ci", scopes=["read"])


@pytest.mark.parametrize("name", ["", "  ", "a" * 101, "a\nb", "a\0b"])
def test_unfit_key_names_are_refused(admin: Actor, name: str) -> None:
    with pytest.raises(InvalidInput, match="name"):
        services.create_key(actor=admin, name=name, scopes=["read"])


def test_an_expiry_that_is_past_is_refused(admin: Actor) -> None:
    with pytest.raises(InvalidInput, match="expires_at"):
        services.create_key(actor=admin, name="ci", scopes=["read"], expires_at=timezone.now())


def test_a_key_of_another_tenant_cannot_be_revoked(admin: Actor, stranger: Tenant) -> None:
    theirs, secret = services.create_key(actor=services.system_actor(stranger, "x"), name="ci", scopes=["read"])
    with pytest.raises(NotFound):
        services.revoke_key(actor=admin, key=theirs)
    services.authenticate(secret)


def test_each_verb_asks_for_admin(tenant: Tenant, person: User) -> None:
    small = Actor(tenant=tenant, name="key:small", scopes=frozenset({Scope.READ, Scope.WRITE, Scope.PREDICT}))
    member = Member.objects.get(user=person)
    for attempt in (
        lambda: services.create_key(actor=small, name="x", scopes=["admin"]),
        lambda: services.add_member(actor=small, user=person, role="viewer"),
        lambda: services.change_role(actor=small, member=member, role="viewer"),
        lambda: services.remove_member(actor=small, member=member),
        lambda: services.change_tenant(actor=small, title="x"),
    ):
        with pytest.raises(Forbidden):
            attempt()


def test_the_last_administrator_stays(tenant: Tenant, admin: Actor, person: User) -> None:
    member = Member.objects.get(user=person)
    second = services.add_member(actor=admin, user=User.objects.create_user("bob"), role="viewer")
    with pytest.raises(Conflict, match="last administrator"):
        services.remove_member(actor=admin, member=member)
    with pytest.raises(Conflict, match="last administrator"):
        services.change_role(actor=admin, member=member, role="editor")
    services.change_role(actor=admin, member=second, role="admin")
    User.objects.filter(username="bob").update(is_active=False)
    with pytest.raises(Conflict, match="last administrator"):
        services.remove_member(actor=admin, member=member)
    User.objects.filter(username="bob").update(is_active=True)
    services.remove_member(actor=admin, member=member)
    with pytest.raises(NotFound):
        services.actor_for(person, "yard")


def test_a_member_acts_with_the_scopes_of_the_role(tenant: Tenant, admin: Actor, stranger: Tenant) -> None:
    user = User.objects.create_user("carol")
    member = services.add_member(actor=admin, user=user, role="editor")
    actor = services.actor_for(user, "yard")
    assert (actor.name, actor.user, actor.scopes) == ("user:carol", user, Role.EDITOR.scopes)
    with pytest.raises(Conflict):
        services.add_member(actor=admin, user=user, role="viewer")
    with pytest.raises(InvalidInput):
        services.change_role(actor=admin, member=member, role="owner")
    for name in ("stranger", "nobody", ""):
        with pytest.raises(NotFound):
            services.actor_for(user, name)
    user.is_active = False
    with pytest.raises(NotFound):
        services.actor_for(user, "yard")


def test_changes_of_a_tenant_reach_the_data_plane_and_the_log(tenant: Tenant, admin: Actor) -> None:
    before = wanted(tenant)
    changed = services.change_tenant(actor=admin, runs_code=False)
    assert (changed.runs_code, changed.title) == (False, "The yard")
    assert wanted(tenant) == before + 1
    entry = AuditEntry.objects.of(tenant).first()
    assert (entry.verb, entry.details) == ("tenant.change", {"runs_code": False})


@pytest.mark.parametrize("title", ["x" * 201, "a\x00b", "a\ud800b"])
def test_a_title_is_what_both_databases_can_keep(tenant: Tenant, admin: Actor, title: str) -> None:
    for call in (
        lambda: services.create_tenant(name="other", title=title, created_by="x"),
        lambda: services.change_tenant(actor=admin, title=title),
    ):
        with pytest.raises(InvalidInput, match=r"^title: "):
            call()
    assert list(Tenant.objects.values_list("name", "title")) == [("yard", "The yard")]
