"""Tenants, their members and API keys, and the audit log."""

import secrets
from typing import Self

from django.conf import settings
from django.db import models
from django.utils import timezone

from modelyard.core.origins import MAX_LENGTH


class Scope(models.TextChoices):
    """What a key or a role may do. `write` brings `read`, and `admin` brings all that a tenant can give: see
    `services.expand`. `operator` is none of these: it asks for work in several tenants, and is of the operator's own
    keys alone (`services.create_operator_key`)."""

    PREDICT = "predict"
    READ = "read"
    WRITE = "write"
    ADMIN = "admin"
    OPERATOR = "operator"


class Role(models.TextChoices):
    """What a member may do: the scopes are in `SCOPES`."""

    VIEWER = "viewer"
    EDITOR = "editor"
    ADMIN = "admin"

    @property
    def scopes(self) -> frozenset[str]:
        return SCOPES[self]


TENANT_SCOPES = [(value, label) for value, label in Scope.choices if value != Scope.OPERATOR]
"""Choices of what the keys of a tenant may do."""
SCOPES: dict[str, frozenset[str]] = {
    Role.VIEWER: frozenset({Scope.PREDICT, Scope.READ}),
    Role.EDITOR: frozenset({Scope.PREDICT, Scope.READ, Scope.WRITE}),
    Role.ADMIN: frozenset({Scope.PREDICT, Scope.READ, Scope.WRITE, Scope.ADMIN}),
}


def new_mac_key() -> str:
    """Return 256 random bits as 64 hexadecimal digits."""
    return secrets.token_hex(32)


class Tenant(models.Model):
    """Who owns everything else.

    `wanted_revision` grows, in the same transaction, with every change that the data plane must know;
    the publisher brings `published_revision` up to it. One that `operates` is the operator's own: its keys may ask for
    work in the others, and what they ask for is seen by them alone.
    """

    name = models.SlugField(max_length=64, unique=True)
    title = models.CharField(max_length=200, blank=True)
    runs_code = models.BooleanField(default=True, help_text="files that carry code may be served, in a sandboxed child")
    operates = models.BooleanField(default=False, editable=False, help_text="it is the operator's own")
    mac_key = models.CharField(max_length=64, default=new_mac_key, editable=False)
    wanted_revision = models.PositiveBigIntegerField(default=1)
    published_revision = models.PositiveBigIntegerField(default=0)
    audit_number = models.PositiveBigIntegerField(default=0, editable=False, help_text="of the newest audit entry")
    audit_hash = models.CharField(max_length=64, blank=True, editable=False, help_text="of the newest audit entry")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class TenantQuerySet(models.QuerySet):
    """Reads of rows that a tenant owns: by `of`, or from a row that was found by it."""

    def of(self, tenant: Tenant) -> Self:
        return self.filter(tenant=tenant)


class TenantOwned(models.Model):
    """A row that belongs to one tenant."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")

    objects = TenantQuerySet.as_manager()

    class Meta:
        abstract = True


class Member(TenantOwned):
    """A person who may act for a tenant, with a role."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role.choices, default=Role.VIEWER)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["tenant", "user"], name="one_membership_per_user")]

    def __str__(self) -> str:
        return f"{self.role} {self.user_id}"


class ApiKey(TenantOwned):
    """A program's way in. Only the prefix, to recognise it by, and the sha256 of the whole key are kept."""

    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=16, unique=True)
    sha256 = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField(default=list)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    created_by = models.CharField(max_length=150)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "name"], condition=models.Q(revoked_at=None), name="one_live_key_per_name"
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix})"

    @property
    def is_live(self) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > timezone.now())


class AllowedOrigin(TenantOwned):
    """Pages of this origin may call the API and the endpoints from a browser, with a key of the tenant.

    `origin` is as browsers send it (`core.origins.read_origin`), so that it is compared byte by byte. A browser asks
    first without a key, so the index serves the question whether any tenant allows an origin.
    """

    origin = models.CharField(max_length=MAX_LENGTH, db_index=True)
    created_by = models.CharField(max_length=150)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["origin"]
        constraints = [models.UniqueConstraint(fields=["tenant", "origin"], name="one_row_per_allowed_origin")]

    def __str__(self) -> str:
        return self.origin


class SignInTries(models.Model):
    """How many passwords were tried for a name from an address, in a window that ends at `ends_at`.

    Of no tenant: nobody is known yet. `digest` is sha256, hexadecimal, of the address and the name.
    """

    digest = models.CharField(max_length=64, unique=True)
    tries = models.PositiveIntegerField(default=0)
    ends_at = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.tries} until {self.ends_at:%H:%M:%S}"


class AuditEntry(TenantOwned):
    """Who did what, when: append-only; each row's `hash` covers its facts and the row before it.

    `number` counts from 1 in each tenant. `hash` is sha256, hexadecimal, of the canonical JSON of the other fields.
    """

    number = models.PositiveBigIntegerField()
    at = models.DateTimeField(default=timezone.now)
    actor = models.CharField(max_length=150)
    verb = models.CharField(max_length=64)
    subject = models.CharField(max_length=200)
    details = models.JSONField(default=dict)
    previous_hash = models.CharField(max_length=64, blank=True)
    hash = models.CharField(max_length=64)

    class Meta:
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["tenant", "number"], name="one_audit_entry_per_number")]

    def __str__(self) -> str:
        return f"{self.number}: {self.actor} {self.verb} {self.subject}"
