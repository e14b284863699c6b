"""Brings what the data plane knows up to what the database says.

A tenant waits while its wanted revision is above its published one; within it a model waits while its own revision is
above that of its `Published` row. So a publication writes the documents of the models that changed, then the tenant's.

Several publishers may run at once. What one reads is never older than the revision that it read first; the index takes
no older revision, and `Published` and `published_revision` only grow. Whoever comes late wrote something true, or
nothing.
"""

from functools import lru_cache
from pathlib import Path

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from modelyard.control.deployments import served_bytes
from modelyard.control.deployments.documents import build
from modelyard.control.deployments.models import Published
from modelyard.control.registry.models import Model
from modelyard.control.tenancy.models import AllowedOrigin, ApiKey, Tenant
from modelyard.core.errors import ArtifactCorrupt, Conflict
from modelyard.exchange.medium import FolderMedium, Medium
from modelyard.exchange.publication import (
    forget_tenant,
    read_index,
    restore_index,
    sweep_documents,
    write_model,
    write_tenant,
)
from modelyard.exchange.snapshot import KeyEntry, TenantDocument

log = structlog.get_logger(__name__)


def medium() -> Medium:
    """Return the configured publication medium."""
    return _folder(settings.MODELYARD.exchange)


@lru_cache(maxsize=8)
def _folder(root: Path) -> Medium:
    return FolderMedium(root)


def publish_pending(to: Medium | None = None) -> int:
    """Publish every tenant that waits; return how many were.

    Those that are gone are forgotten then: whoever deletes one lets the operator's own tenant wait.

    Raises:
        Exception: the last that a tenant met, after all were tried; it waits on.
    """
    waiting = list(Tenant.objects.filter(wanted_revision__gt=F("published_revision")).order_by("pk"))
    published, failure = 0, None
    for tenant in waiting:
        try:
            published += publish(tenant, to or medium())
        except Exception as error:
            log.warning("publication_failed", tenant=tenant.name, error=type(error).__name__)
            failure = error
    if waiting:
        forget_gone(to or medium())
    if failure is not None:
        raise failure
    return published


def forget_gone(to: Medium) -> int:
    """Take out of the index the tenants that were deleted; return how many there were.

    Raises:
        ArtifactCorrupt: when the index is not readable.
    """
    index = read_index(to)
    known = {str(number) for number in Tenant.objects.values_list("pk", flat=True)}
    gone = [tenant for tenant in index.tenants if tenant not in known] if index else []
    for tenant in gone:
        forget_tenant(to, tenant)
        log.info("tenant_forgotten", tenant_id=tenant)
    return len(gone)


def publish(tenant: Tenant, to: Medium) -> bool:
    """Publish one tenant, as it is now or later; False when it has to be tried again, or is gone.

    A model whose document cannot be written stays as it was told last, and holds up nothing else: a revoked key least.

    Raises:
        Exception: the last that a model met; the tenant waits on.
    """
    found = Tenant.objects.filter(pk=tenant.pk).first()
    if found is None:
        return False
    tenant, failure = found, None
    for model in _changed(tenant):
        try:
            _publish_model(tenant, model, to)
        except Exception as error:
            log.warning("model_not_published", tenant=tenant.name, model=model.name, error=type(error).__name__)
            failure = error
    try:
        write_tenant(to, _document(tenant))
    except Conflict:
        # Documents that were published are gone (a medium restored from an older copy, say): write them all again.
        log.warning("documents_missing", tenant=tenant.name)
        Published.objects.of(tenant).delete()
        return False
    if failure is not None:
        raise failure
    Tenant.objects.filter(pk=tenant.pk, published_revision__lt=tenant.wanted_revision).update(
        published_revision=tenant.wanted_revision
    )
    log.info("published", tenant=tenant.name, revision=tenant.wanted_revision)
    return True


def reconcile(to: Medium | None = None) -> int:
    """Let every tenant be published again whose entry in the medium is missing or older than the database says, and
    forget those that are gone.

    Returns:
        How many there are. A medium that was emptied, replaced by an older copy, or holds an index that is not
        readable is mended by that.
    """
    published = list(Tenant.objects.filter(published_revision__gt=0))
    try:
        index = read_index(to or medium())
    except ArtifactCorrupt:
        log.warning("index_rotten")
        restore_index(to or medium(), map(_document, published))  # one by one, those not yet written would be missed
        index = None
    else:
        forget_gone(to or medium())
    entries = index.tenants if index else {}
    mended = 0
    for tenant in published:
        entry = entries.get(str(tenant.pk))
        if entry is not None and entry.revision >= tenant.published_revision:
            continue
        with transaction.atomic():
            Published.objects.of(tenant).delete()
            Tenant.objects.filter(pk=tenant.pk).update(wanted_revision=F("wanted_revision") + 1)
        mended += 1
    return mended


def sweep(to: Medium | None = None) -> int:
    """Delete documents that nobody has named for an hour; return how many."""
    return sweep_documents(to or medium())


def _changed(tenant: Tenant) -> list[Model]:
    models = Model.objects.of(tenant).filter(revision__gt=0).select_related("deployment")
    return list(models.filter(Q(published=None) | Q(revision__gt=F("published__revision"))).order_by("pk"))


def _publish_model(tenant: Tenant, model: Model, to: Medium) -> None:
    document = build(model)
    served_bytes.bring(str(tenant.pk), document)
    digest = write_model(to, str(tenant.pk), document)
    _note(tenant, model, digest)


def _note(tenant: Tenant, model: Model, digest: str) -> None:
    """Note what was written, unless another publisher has noted something newer, or the model is gone."""
    with transaction.atomic():
        if not Model.objects.filter(pk=model.pk).select_for_update(no_key=True).exists():
            return
        values = {"revision": model.revision, "digest": digest, "at": timezone.now()}
        known = Published.objects.filter(model=model)
        if not known.exists():
            Published.objects.create(tenant=tenant, model=model, **values)
        else:
            known.filter(revision__lt=model.revision).update(**values)


def _document(tenant: Tenant) -> TenantDocument:
    now = timezone.now()
    keys = ApiKey.objects.of(tenant).filter(Q(expires_at=None) | Q(expires_at__gt=now), revoked_at=None)
    return TenantDocument(
        tenant=str(tenant.pk),
        name=tenant.name,
        revision=tenant.wanted_revision,
        mac_key=tenant.mac_key,
        keys=tuple(
            KeyEntry(
                prefix=key.prefix,
                sha256=key.sha256,
                scopes=tuple(key.scopes),
                expires_at=key.expires_at.timestamp() if key.expires_at else None,
            )
            for key in keys.order_by("pk")
        ),
        models=dict(Published.objects.of(tenant).order_by("model__name").values_list("model__name", "digest")),
        runs_code=tenant.runs_code,
        origins=tuple(AllowedOrigin.objects.of(tenant).order_by("origin").values_list("origin", flat=True)),
    )
