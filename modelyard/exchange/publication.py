"""Writing and reading the snapshot in its medium. `snapshot` says what lies where.

The order is: artifacts, then model documents (`write_model`), then the tenant's document and its entry in the index
(`write_tenant`). So whatever a reader finds named is there.
"""

import hashlib
import hmac
import time
from collections.abc import Container, Iterable
from typing import TypeVar

import msgspec

from modelyard.core.errors import ArtifactCorrupt, Conflict, Misconfigured, Unavailable
from modelyard.exchange.medium import Medium
from modelyard.exchange.snapshot import FORMAT, Index, IndexEntry, ModelDocument, TenantDocument

INDEX = "index.json"
UNNAMED = "unnamed.json"
KEEP_SECONDS = 3600.0

Document = TypeVar("Document", TenantDocument, ModelDocument)


def write_model(medium: Medium, tenant: str, document: ModelDocument) -> str:
    """Write a model's document and return its digest; nothing is served from it before a tenant's document names it."""
    data = _encode(document)
    digest = hashlib.sha256(data).hexdigest()
    key = model_key(tenant, digest)
    if medium.read(key) != data:
        medium.write(key, data)
    return digest


def write_tenant(medium: Medium, document: TenantDocument) -> None:
    """Write a tenant's document and make it the current one, unless the index already names a later revision.

    Raises:
        Conflict: when a model's document that it names is not there (any more): write those again first.
    """
    data = _encode(document)
    digest = hashlib.sha256(data).hexdigest()
    medium.write(tenant_key(document.tenant, digest), data)

    def edit(old: bytes | None) -> bytes | None:
        index = decode_index(old)
        entry = index.tenants.get(document.tenant)
        if entry is not None and entry.revision > document.revision:
            return None
        there = set(medium.keys(f"models/{document.tenant}/"))
        gone = [name for name, model in document.models.items() if model_key(document.tenant, model) not in there]
        if gone:
            raise Conflict(f"the document of model `{gone[0]}` is not in the medium: expected it to be written first")
        entry = IndexEntry(revision=document.revision, digest=digest)
        return _encode(Index(tenants={**index.tenants, document.tenant: entry}))

    medium.edit(INDEX, edit)


def restore_index(medium: Medium, documents: Iterable[TenantDocument]) -> None:
    """Write an index of these tenants, all at once, in place of one that is not readable; a readable one stays.

    The models' documents that they name are not looked for: a data plane keeps what it serves while it cannot read one.
    """
    entries = {}
    for document in documents:
        data = _encode(document)
        digest = hashlib.sha256(data).hexdigest()
        medium.write(tenant_key(document.tenant, digest), data)
        entries[document.tenant] = IndexEntry(revision=document.revision, digest=digest)

    def edit(old: bytes | None) -> bytes | None:
        try:
            decode_index(old)
        except ArtifactCorrupt:
            return _encode(Index(tenants=entries))
        return None

    medium.edit(INDEX, edit)


def forget_tenant(medium: Medium, tenant: str) -> None:
    """Take a tenant out of the index; its documents go with a later sweep."""

    def edit(old: bytes | None) -> bytes | None:
        index = decode_index(old)
        if tenant not in index.tenants:
            return None
        return _encode(Index(tenants={name: entry for name, entry in index.tenants.items() if name != tenant}))

    medium.edit(INDEX, edit)


def read_index(medium: Medium) -> Index | None:
    """Return the index, None when there is none.

    Raises:
        ArtifactCorrupt: when it is not readable.
        OSError: when the medium is out of reach.
    """
    data = medium.read(INDEX)
    return None if data is None else decode_index(data)


def read_tenant(medium: Medium, tenant: str, digest: str) -> TenantDocument:
    """Read a tenant's document.

    Raises:
        Unavailable: when it is not there.
        ArtifactCorrupt: when its bytes do not have the digest, or are no such document.
    """
    document = _read(medium, tenant_key(tenant, digest), digest, TenantDocument)
    if document.tenant != tenant:
        raise ArtifactCorrupt(f"the document in tenant {tenant}'s place is of another tenant")
    return document


def read_model(medium: Medium, tenant: str, digest: str) -> ModelDocument:
    """Read a model's document. Raises as `read_tenant`."""
    return _read(medium, model_key(tenant, digest), digest, ModelDocument)


def sweep_documents(
    medium: Medium, keep_seconds: float = KEEP_SECONDS, now: float | None = None, keep: Container[str] = ()
) -> int:
    """Delete the documents that nobody has named for so long, but for the keys in `keep`, and return how many.

    The first sweep that finds one unnamed only notes the time: a data plane may still be reading it.
    """
    moment = time.time() if now is None else now
    deleted = 0

    def edit(old: bytes | None) -> bytes | None:
        nonlocal deleted
        index = decode_index(old)
        since = _unnamed(medium)
        named = _named(medium, index)
        unnamed: dict[str, float] = {}
        for key in [*medium.keys("tenants/"), *medium.keys("models/")]:
            if key in named or key in keep:
                continue
            unnamed[key] = min(since.get(key, moment), moment)
            if moment - unnamed[key] >= keep_seconds:
                medium.delete(key)
                del unnamed[key]
                deleted += 1
        if unnamed != since:
            medium.write(UNNAMED, _encode(unnamed))
        return None

    medium.edit(INDEX, edit)
    return deleted


def tenant_key(tenant: str, digest: str) -> str:
    return f"tenants/{tenant}/{digest}.json"


def model_key(tenant: str, digest: str) -> str:
    return f"models/{tenant}/{digest}.json"


def decode_index(data: bytes | None) -> Index:
    """Read the index's bytes; None is an empty one.

    Raises:
        ArtifactCorrupt: when they are not readable.
        Misconfigured: when another release wrote them.
    """
    if data is None:
        return Index()
    index = _decode(data, Index)
    if index.format != FORMAT:
        raise Misconfigured(f"the index has format {index.format}: expected {FORMAT}, so another release wrote it")
    return index


def _unnamed(medium: Medium) -> dict[str, float]:
    """Return since when which documents are known to be unnamed; what is rotten is noted anew."""
    try:
        return _decode(medium.read(UNNAMED) or b"{}", dict[str, float])
    except ArtifactCorrupt:
        return {}


def _named(medium: Medium, index: Index) -> set[str]:
    named: set[str] = set()
    for tenant, entry in index.tenants.items():
        document = read_tenant(medium, tenant, entry.digest)
        named.add(tenant_key(tenant, entry.digest))
        named.update(model_key(tenant, digest) for digest in document.models.values())
    return named


def _read(medium: Medium, key: str, digest: str, kind: type[Document]) -> Document:
    data = medium.read(key)
    if data is None:
        raise Unavailable("a document that the snapshot names is not there (yet)")
    if not hmac.compare_digest(hashlib.sha256(data).hexdigest(), digest):
        raise ArtifactCorrupt("a document of the snapshot does not have the digest that it is named by")
    return _decode(data, kind)


_Kind = TypeVar("_Kind")


def _decode(data: bytes, kind: type[_Kind]) -> _Kind:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ArtifactCorrupt(f"a document of the snapshot is not readable: {error}") from error


def _encode(document: object) -> bytes:
    """Return the document's bytes: of equal documents equal ones, whatever order their mappings have."""
    return msgspec.json.encode(msgspec.to_builtins(document, str_keys=True), order="deterministic")
