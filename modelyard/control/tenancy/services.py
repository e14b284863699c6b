"""Every write of tenants, members, keys and the audit log; and who acts."""

import hmac
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from modelyard.control.tenancy import audit, holdings, secrets
from modelyard.control.tenancy.models import (
    TENANT_SCOPES,
    AllowedOrigin,
    ApiKey,
    AuditEntry,
    Member,
    Role,
    Scope,
    Tenant,
)
from modelyard.control.tenancy.people import Person
from modelyard.core.errors import Conflict, Forbidden, InUse, InvalidInput, NotFound, Unauthenticated
from modelyard.core.origins import MAX_LENGTH, MAX_ORIGINS, read_origin
from modelyard.core.reference import NAME, check_name
from modelyard.core.texts import check_text

MAX_TITLE = 200
MAX_ACTOR = 150
"""Characters of an actor's name, which the audit log and `created_by` keep."""
ALL_SCOPES = frozenset(value for value, _ in TENANT_SCOPES)
"""All that a tenant's own keys and members, and the system in its name, may do."""
OPERATOR_SCOPES = frozenset({str(Scope.OPERATOR), str(Scope.READ), str(Scope.WRITE)})
"""What a key of the operator's may do: make and delete tenants, ask for work in several, and follow and cancel it."""
OPERATOR = "operator"
"""The operator's own tenant, where no other name is said."""


@dataclass(frozen=True)
class Actor:
    """Who does something: a key, a member or the system, always for one tenant.

    Attributes:
        name: "key:ci", "user:admin", "operator:ops" or "system:tend"; what the audit log and `created_by` say.
        scopes: all that it may do, expanded.
        user: the person, when it is one.
        key: the key, when it is one.
    """

    tenant: Tenant
    name: str
    scopes: frozenset[str]
    user: Person | None = None
    key: ApiKey | None = None


def require(actor: Actor, scope: Scope) -> None:
    """Let pass an actor with `scope`.

    Raises:
        Forbidden: naming the scope that lacks.
    """
    if scope not in actor.scopes:
        raise Forbidden(f"this needs the scope {scope.value!r}, which {actor.name} does not have", scope=scope.value)


def expand(scopes: Iterable[str]) -> frozenset[str]:
    """Return the scopes of a tenant's key with all that they bring: `admin` every one, `write` also `read`.

    Raises:
        InvalidInput: when there are none, or an unknown one, or the operator's.
    """
    given = {str(scope) for scope in scopes}
    unknown = sorted(given - ALL_SCOPES)
    if Scope.OPERATOR in unknown:
        mend = "`modelyard keys create --scope operator` makes one on the server's own machine"
        raise InvalidInput.at("scopes", f"no key of a tenant's has the scope 'operator'; {mend}")
    if unknown or not given:
        wrong = f"unknown scope {unknown[0]!r}" if unknown else "a key without scopes could do nothing"
        raise InvalidInput.at("scopes", f"{wrong}; expected some of {', '.join(name for name, _ in TENANT_SCOPES)}")
    if Scope.ADMIN in given:
        return ALL_SCOPES
    return frozenset(given | ({str(Scope.READ)} if Scope.WRITE in given else set()))


def record(*, actor: Actor, verb: str, subject: str, details: dict[str, Any] | None = None) -> AuditEntry:
    """Add to the audit log of the actor's tenant, in the caller's transaction."""
    return audit.append(actor.tenant, actor=actor.name, verb=verb, subject=subject, details=details or {})


def verify_audit(tenant: Tenant) -> list[int]:
    """Return the numbers of audit entries that were changed or are missing; none when the log is whole."""
    return audit.verify(tenant)


def bump(tenant: Tenant) -> None:
    """Say, in the caller's transaction, that the data plane must learn something new of the tenant."""
    Tenant.objects.filter(pk=tenant.pk).update(wanted_revision=F("wanted_revision") + 1)


def create_tenant(*, name: str, title: str = "", created_by: str) -> Tenant:
    """Make a tenant. It has no member and no key yet.

    Raises:
        InvalidInput: when the name breaks the rule, or the title cannot be kept.
        Conflict: when there is one by this name.
    """
    check_name(name, "a tenant")
    check_text(title, "title", MAX_TITLE)
    try:
        with transaction.atomic():
            tenant = Tenant.objects.create(name=name, title=title)
            details = {"title": title}
            audit.append(tenant, actor=created_by, verb="tenant.create", subject=f"tenant:{name}", details=details)
    except IntegrityError:
        raise Conflict(f"there is a tenant called {name!r} already") from None
    return tenant


def add_tenant(*, actor: Actor, name: str, title: str = "") -> Tenant:
    """Make a tenant for an operator, whose own log tells of it too. Raises as `create_tenant`."""
    require(actor, Scope.OPERATOR)
    with transaction.atomic():
        tenant = create_tenant(name=name, title=title, created_by=actor.name)
        record(actor=actor, verb="tenant.create", subject=f"tenant:{name}", details={"title": title})
    return tenant


def delete_tenant(*, actor: Actor, tenant: Tenant) -> None:
    """Delete a tenant that holds nothing any more, with its members, keys, ended jobs and log.

    The operator's own log tells of it, and how many entries the tenant's log had and with which hash it ended. The
    data plane knows within a second.

    Raises:
        InUse: while it holds what would be lost; `details["held"]` counts it.
        Conflict: when it is the operator's own.
        NotFound: when it is gone already.
    """
    require(actor, Scope.OPERATOR)
    with transaction.atomic():
        locked = Tenant.objects.select_for_update().filter(pk=tenant.pk).first()
        if locked is None:
            raise NotFound("there is no such tenant")
        if locked.operates:
            raise Conflict(f"the tenant {locked.name!r} is the operator's own, and stays: revoke its keys instead")
        if held := holdings.held(locked):
            users = [holdings.counted(noun, count) for noun, count in held.items()]
            text = f"the tenant {locked.name!r} still holds {', '.join(users)}: whoever may act for it ends those first"
            raise InUse(text, users=users, held=held, what="tenant")
        details = {"title": locked.title, "entries": locked.audit_number, "hash": locked.audit_hash}
        number = locked.pk
        locked.delete()
        bump(actor.tenant)
        record(actor=actor, verb="tenant.delete", subject=f"tenant:{tenant.name}", details=details)
        for do in holdings.AFTERWARDS:
            transaction.on_commit(partial(do, number), robust=True)


def change_tenant(
    *, actor: Actor, title: str | None = None, runs_code: bool | None = None, despite_consumers: bool = False
) -> Tenant:
    """Change what may change of the actor's tenant; None leaves a value as it is.

    Raises:
        InvalidInput: when the title cannot be kept.
        HasConsumers: when a version that carries code answers declared consumers, who were not told that it stops.
    """
    require(actor, Scope.ADMIN)
    check_text(title or "", "title", MAX_TITLE)
    changes = {name: value for name, value in (("title", title), ("runs_code", runs_code)) if value is not None}
    with transaction.atomic():
        if runs_code is False and not despite_consumers and Tenant.objects.filter(pk=actor.tenant.pk, runs_code=True):
            for check in holdings.WITHOUT_CODE:
                check(actor.tenant)
        if changes:
            Tenant.objects.filter(pk=actor.tenant.pk).update(**changes)
            bump(actor.tenant)
            record(actor=actor, verb="tenant.change", subject=f"tenant:{actor.tenant.name}", details=changes)
    return Tenant.objects.get(pk=actor.tenant.pk)


def add_member(*, actor: Actor, user: Person, role: str) -> Member:
    """Let a person act for the actor's tenant.

    Raises:
        InvalidInput: when there is no such role.
        Conflict: when the person is a member already.
    """
    require(actor, Scope.ADMIN)
    try:
        with transaction.atomic():
            member = Member.objects.create(tenant=actor.tenant, user=user, role=_role(role))
            record(actor=actor, verb="member.add", subject=f"user:{user.get_username()}", details={"role": member.role})
    except IntegrityError:
        raise Conflict(f"{user.get_username()} is a member already: change the role instead") from None
    return member


def change_role(*, actor: Actor, member: Member, role: str) -> Member:
    """Give a member another role.

    Raises:
        InvalidInput: when there is no such role.
        Conflict: when nobody would be left who may administer the tenant.
    """
    require(actor, Scope.ADMIN)
    with transaction.atomic():
        member = _locked_member(actor, member)
        before, after = member.role, _role(role)
        if before == after:
            return member
        _keep_an_admin(actor.tenant, member)
        Member.objects.filter(pk=member.pk).update(role=after)
        member.role = after
        details = {"before": before, "after": after}
        record(actor=actor, verb="member.change", subject=f"user:{member.user.get_username()}", details=details)
    return member


def remove_member(*, actor: Actor, member: Member) -> None:
    """End a membership.

    Raises:
        Conflict: when nobody would be left who may administer the tenant.
    """
    require(actor, Scope.ADMIN)
    with transaction.atomic():
        member = _locked_member(actor, member)
        _keep_an_admin(actor.tenant, member)
        name = member.user.get_username()
        member.delete()
        record(actor=actor, verb="member.remove", subject=f"user:{name}", details={"role": member.role})


def create_key(
    *, actor: Actor, name: str, scopes: Iterable[str], expires_at: datetime | None = None
) -> tuple[ApiKey, str]:
    """Make a key for the actor's tenant. The second value is its secret, which is not kept.

    Raises:
        InvalidInput: when a scope is unknown, the name is empty, or the expiry is past.
        Conflict: when a key by this name is in use.
    """
    require(actor, Scope.ADMIN)
    return _make_key(actor, name, expand(scopes), expires_at)


def create_operator_key(
    *, name: str, tenant_name: str = OPERATOR, created_by: str, expires_at: datetime | None = None
) -> tuple[ApiKey, str]:
    """Make a key of the operator's, in a tenant of the operator's own, which is made where there is none.

    For commands on the server's own machine: no address leads here.

    Raises:
        InvalidInput: as `create_key`.
        Conflict: when a key by this name is in use, or the tenant is not the operator's.
    """
    with transaction.atomic():
        actor = Actor(_operators_own(tenant_name, created_by), created_by, OPERATOR_SCOPES)
        return _make_key(actor, name, OPERATOR_SCOPES, expires_at)


def operator_actor(name: str) -> Actor:
    """Return the system itself as the operator; its own tenant is made where there is none.

    For commands on the server's own machine: no address leads here.

    Raises:
        Conflict: when there is none, and a tenant that is not the operator's has its name.
    """
    name = f"system:{name}"
    tenant = Tenant.objects.filter(operates=True).order_by("pk").first()
    return Actor(tenant or _operators_own(OPERATOR, name), name, OPERATOR_SCOPES)


def _operators_own(name: str, created_by: str) -> Tenant:
    """Return the operator's own tenant of that name, which is made where there is none."""
    with transaction.atomic():
        tenant = Tenant.objects.filter(name=name).first()
        if tenant is None:
            tenant = create_tenant(name=name, title="The operator", created_by=created_by)
            Tenant.objects.filter(pk=tenant.pk).update(operates=True)
        elif not tenant.operates:
            raise Conflict(f"the tenant {name!r} is not the operator's own: choose a name that no tenant has")
    return tenant


def _make_key(actor: Actor, name: str, granted: frozenset[str], expires_at: datetime | None) -> tuple[ApiKey, str]:
    name = name.strip()
    if not 0 < len(name) <= 100 or not name.isprintable():
        raise InvalidInput.at("name", "expected 1 to 100 printable characters that tell who uses the key")
    if expires_at is not None and expires_at <= timezone.now():
        raise InvalidInput.at("expires_at", f"{expires_at.isoformat()} is past")
    secret = secrets.new_secret()
    try:
        with transaction.atomic():
            key = ApiKey.objects.create(
                tenant=actor.tenant,
                name=name,
                prefix=secret.prefix,
                sha256=secret.sha256,
                scopes=sorted(granted),
                expires_at=expires_at,
                created_by=actor.name,
            )
            bump(actor.tenant)
            details = {"prefix": key.prefix, "scopes": key.scopes, "expires_at": expires_at}
            record(actor=actor, verb="key.create", subject=f"key:{name}", details=details)
    except IntegrityError:
        raise Conflict(f"a key called {name!r} is in use: revoke it first, or choose another name") from None
    return key, secret.text


def revoke_key(*, actor: Actor, key: ApiKey) -> ApiKey:
    """End a key, on both planes within a second; a revoked key stays revoked."""
    require(actor, Scope.ADMIN)
    if key.tenant_id != actor.tenant.pk:
        raise NotFound("there is no such key")
    with transaction.atomic():
        now = timezone.now()
        if ApiKey.objects.of(actor.tenant).filter(pk=key.pk, revoked_at=None).update(revoked_at=now):
            bump(actor.tenant)
            record(actor=actor, verb="key.revoke", subject=f"key:{key.name}", details={"prefix": key.prefix})
        key.refresh_from_db()
    return key


def allow_origin(*, actor: Actor, origin: str) -> AllowedOrigin:
    """Let pages of an origin call with keys of the actor's tenant, on both planes within a second.

    Raises:
        InvalidInput: when it is no origin, or one that nobody should allow.
        Conflict: when it is allowed already, or there are `MAX_ORIGINS`.
    """
    require(actor, Scope.ADMIN)
    read = read_origin(origin)
    with transaction.atomic():
        Tenant.objects.select_for_update(no_key=True).get(pk=actor.tenant.pk)
        there = set(AllowedOrigin.objects.of(actor.tenant).values_list("origin", flat=True))
        if read in there:
            raise Conflict(f"{read} is allowed already")
        if len(there) >= MAX_ORIGINS:
            raise Conflict(f"there are {MAX_ORIGINS} origins, and no more are kept: remove one that is not used first")
        allowed = AllowedOrigin.objects.create(tenant=actor.tenant, origin=read, created_by=actor.name)
        bump(actor.tenant)
        record(actor=actor, verb="origin.allow", subject=f"origin:{read}")
    return allowed


def remove_origin(*, actor: Actor, allowed: AllowedOrigin) -> None:
    """Let pages of an origin call no longer, on both planes within a second.

    Raises:
        NotFound: when it is not among the tenant's (any more).
    """
    require(actor, Scope.ADMIN)
    with transaction.atomic():
        deleted, _ = AllowedOrigin.objects.of(actor.tenant).filter(pk=allowed.pk).delete()
        if not deleted:
            raise NotFound("there is no such origin")
        bump(actor.tenant)
        record(actor=actor, verb="origin.remove", subject=f"origin:{allowed.origin}")


def admits(origin: str, secret: str | None) -> bool:
    """Tell whether a page of the origin may read the answer to who brings this key.

    Where no key tells the tenant (there is none, or it opens nothing) any tenant's word will do: such an answer is the
    same for everybody, and the page has to be able to read what was wrong.
    """
    if not 0 < len(origin) <= MAX_LENGTH or not origin.isascii() or not origin.isprintable():
        return False
    allowed = AllowedOrigin.objects.filter(origin=origin)
    if secret:
        with suppress(Unauthenticated):
            allowed = allowed.filter(tenant=authenticate(secret).tenant)
    return allowed.exists()


def authenticate(secret: str) -> Actor:
    """Tell whose key this is.

    Raises:
        Unauthenticated: when it is unknown, revoked or expired.
    """
    prefix = secrets.prefix_of(secret)
    key = prefix and ApiKey.objects.select_related("tenant").filter(prefix=prefix).first()
    if not key or not hmac.compare_digest(key.sha256, secrets.digest(secret)):
        raise Unauthenticated("this key is unknown: expected `yard_...`, as it was shown when the key was made")
    return actor_with(key)


def actor_with(key: ApiKey) -> Actor:
    """Return who has the key; its tenant should be loaded.

    Raises:
        Unauthenticated: when it is revoked or expired.
    """
    if key.revoked_at is not None:
        raise Unauthenticated(f"the key {key.name!r} was revoked: ask an administrator of the tenant for another")
    if not key.is_live:
        raise Unauthenticated(f"the key {key.name!r} has expired: ask an administrator of the tenant for another")
    kind = "operator" if Scope.OPERATOR in key.scopes else "key"
    return Actor(tenant=key.tenant, name=f"{kind}:{key.name}", scopes=frozenset(key.scopes), key=key)


def actor_for(user: Person, tenant_name: str) -> Actor:
    """Return the person as a member of the tenant.

    Raises:
        NotFound: when there is no such tenant, or the person is no member of it.
    """
    member = None
    if user.is_active and NAME.match(tenant_name):
        member = Member.objects.select_related("tenant").filter(user=user, tenant__name=tenant_name).first()
    if member is None:
        raise NotFound(f"there is no tenant {tenant_name!r}, or you are not a member of it")
    name = f"user:{user.get_username()}"[:MAX_ACTOR]
    return Actor(tenant=member.tenant, name=name, scopes=Role(member.role).scopes, user=user)


def system_actor(tenant: Tenant, name: str) -> Actor:
    """Return the system itself, which may do all in a tenant; `name` says which part of it ("tend", "command")."""
    return Actor(tenant=tenant, name=f"system:{name}", scopes=ALL_SCOPES)


def _role(text: str) -> Role:
    if text not in Role.values:
        raise InvalidInput.at("role", f"got {text[:60]!r}, expected one of {', '.join(Role.values)}")
    return Role(text)


def _locked_member(actor: Actor, member: Member) -> Member:
    """Read the member again, with the tenant's row locked so that two changes cannot both see another admin."""
    Tenant.objects.select_for_update(no_key=True).get(pk=actor.tenant.pk)
    found = Member.objects.of(actor.tenant).select_related("user").filter(pk=member.pk).first()
    if found is None:
        raise NotFound("there is no such member")
    return found


def _keep_an_admin(tenant: Tenant, leaving: Member) -> None:
    others = Member.objects.of(tenant).filter(role=Role.ADMIN).exclude(pk=leaving.pk).select_related("user")
    if leaving.role == Role.ADMIN and not any(other.user.is_active for other in others):
        raise Conflict(f"{leaving.user.get_username()} is the last administrator of the tenant: make another one first")
