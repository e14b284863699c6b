"""The immutable documents by which the control plane tells the data plane what to serve.

In the medium: `index.json` names each tenant's current document, `tenants/<tenant>/<digest>.json` holds it, and
`models/<tenant>/<digest>.json` holds each model's. A document is JSON, named by its sha256, and never changes; only
the index does. A serving artifact is in the store before a document names it.
"""

from typing import Any

import msgspec

from modelyard.core.plan import Plan
from modelyard.core.signature import Signature

FORMAT = 1


class IndexEntry(msgspec.Struct, frozen=True):
    """A tenant's current document. `revision` grows with each publication."""

    revision: int
    digest: str


class Index(msgspec.Struct, frozen=True):
    """The root: tenant's id to its entry."""

    tenants: dict[str, IndexEntry] = {}
    format: int = FORMAT


class KeyEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """An API key that may be used: `sha256` is of the whole key, in hexadecimal; `expires_at` in seconds since 1970."""

    prefix: str
    sha256: str
    scopes: tuple[str, ...]
    expires_at: float | None = None


class TenantDocument(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the data plane knows of a tenant.

    Attributes:
        tenant: its id, decimal digits.
        name: as people write it.
        revision: of this document.
        mac_key: 64 hexadecimal digits; marks the tenant's prediction ids.
        keys: those not revoked.
        models: name to the digest of the model's document.
        runs_code: versions whose files carry code may be served, in a sandboxed child.
        origins: whose pages may call from a browser, as browsers send them.
    """

    tenant: str
    name: str
    revision: int
    mac_key: str
    keys: tuple[KeyEntry, ...] = ()
    models: dict[str, str] = {}
    runs_code: bool = True
    origins: tuple[str, ...] = ()


class ServedVersion(msgspec.Struct, frozen=True, omit_defaults=True):
    """A version that may answer.

    Attributes:
        id: unique in the whole installation; goes into prediction ids.
        digest: sha256 of the serving artifact.
        size_bytes: of the serving artifact.
        runtime: alias in `modelyard.runtimes.runtime.CLASSES`.
        isolated: must run in a sandboxed child.
        signature: what it takes and gives.
        sample: a few rows, column name to value, for the warm-up and for examples.
        environment: the Python environment whose interpreter its child is of; empty: the server's own.
    """

    id: int
    digest: str
    size_bytes: int
    runtime: str
    isolated: bool
    signature: Signature
    sample: list[dict[str, Any]] = []
    environment: str = ""


class Limits(msgspec.Struct, frozen=True, omit_defaults=True):
    """A deployment's own limits; None means the setting of the data plane's process."""

    max_rows: int | None = None
    max_body_bytes: int | None = None
    timeout_seconds: float | None = None


class Precomputed(msgspec.Struct, frozen=True, omit_defaults=True):
    """Answers that were computed before they were asked for, in a file of the form of `core.precomputed`.

    Attributes:
        number: of the publication, among its model's.
        digest: sha256 of the file.
        size_bytes: of the file.
        version: number of the version that gave the answers.
        version_id: its id, unique in the whole installation; goes into prediction ids.
        entity: the column whose values are the keys.
        rows: how many answers there are.
    """

    number: int
    digest: str
    size_bytes: int
    version: int
    version_id: int
    entity: str
    rows: int


class ModelDocument(msgspec.Struct, frozen=True, omit_defaults=True):
    """How one model is served. `versions` holds the plan's, the aliases' and every other `ready` one that may be
    addressed by number."""

    model: str
    plan: Plan
    versions: dict[int, ServedVersion] = {}
    aliases: dict[str, int] = {}
    limits: Limits = Limits()
    precomputed: Precomputed | None = None
