"""Who asks: from the `Authorization` header to a tenant, by the snapshot alone."""

import hashlib
import time
from collections.abc import Collection

from modelyard.core.errors import Forbidden, Unauthenticated
from modelyard.exchange import passes
from modelyard.serving.served import Snapshot, TenantView

_PASS = passes.PREFIX.encode()


def authorise(snapshot: Snapshot, header: bytes | None, scope: str) -> TenantView:
    """Return the tenant whose key, or pass, the header bears.

    Raises:
        Unauthenticated: when there is none, or it is unknown, revoked or expired.
        Forbidden: when it has not the scope.
    """
    tenant, scopes, what = find_holder(snapshot, header)
    if scope not in scopes:
        raise Forbidden(f"{what} lacks the scope `{scope}`", scope=scope)
    return tenant


def find_holder(snapshot: Snapshot, header: bytes | None) -> tuple[TenantView, Collection[str], str]:
    """Return the tenant whose key, or pass, the header bears, its scopes, and what it is.

    A key is looked up by its sha256: what a guesser could time is the comparison of digests that he cannot steer.

    Raises:
        Unauthenticated: when there is none, or it is unknown, revoked or expired.
    """
    if header is None:
        raise Unauthenticated("no API key: expected the header `Authorization: Bearer <key>`")
    kind, _, secret = header.partition(b" ")
    secret = secret.strip()
    if kind.lower() != b"bearer" or not secret:
        raise Unauthenticated("the Authorization header is not understood: expected `Bearer <key>`")
    if secret.startswith(_PASS):
        return _by_pass(snapshot, secret), passes.SCOPES, "a pass"
    found = snapshot.keys.get(hashlib.sha256(secret).hexdigest())
    if found is None:
        raise Unauthenticated("the API key is unknown or revoked")
    tenant, entry = found
    if entry.expires_at is not None and entry.expires_at <= time.time():
        raise Unauthenticated("the API key has expired")
    return tenant, entry.scopes, "the API key"


def _by_pass(snapshot: Snapshot, secret: bytes) -> TenantView:
    read = passes.parse(secret.decode("ascii", "replace"))
    tenant = snapshot.tenants.get(read.tenant)
    if tenant is None:
        raise Unauthenticated("the pass is not valid (any more): reload the page")
    read.verify(tenant.document.mac_key, time.time())
    return tenant
