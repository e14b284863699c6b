"""A model's document for the data plane.

A document names the versions of the plan in force and of the aliases, whatever there are, and of the other ready
versions the newest, up to `MOST_VERSIONS` and `MOST_BYTES`: those can be asked for by number (`iris:3`). An older one
can be asked for once it has an alias. The bound is there because a document is decoded whole when its model is first
used and again at each change of it: with every version of a model that is trained each hour in it, one promotion would
cost the data plane a decoding of many megabytes. At the bound that takes some milliseconds, off the event loop.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from modelyard.control.deployments.models import PlanRecord
from modelyard.control.precomputed.services import current_of
from modelyard.control.registry.models import Model
from modelyard.control.registry.services import RESERVED_ALIAS
from modelyard.core.plan import Plan
from modelyard.core.signature import Signature
from modelyard.exchange.snapshot import Limits, ModelDocument, Precomputed, ServedVersion

MOST_VERSIONS = 100
MOST_BYTES = 1 << 20
FIELDS = (
    "id",
    "number",
    "runtime",
    "isolated",
    "signature",
    "sample",
    "environment",
    "serving__digest",
    "serving__size_bytes",
)


def build(model: Model) -> ModelDocument:
    """Return what the data plane must know of the model, in five or six queries."""
    plan, limits = _plan_and_limits(model)
    aliases = dict(model.aliases.order_by("name").values_list("name", "version__number"))
    needed = {*plan.versions, *aliases.values()}
    versions: dict[int, ServedVersion] = {}
    size = 0
    ready = model.versions.ready().filter(serving__isnull=False).select_related(None)
    for row in ready.filter(number__in=needed).values(*FIELDS):
        served, bytes_ = _served(row)
        versions[row["number"]] = served
        size += bytes_
    for row in _newest(ready, needed):
        served, bytes_ = _served(row)
        size += bytes_
        if size > MOST_BYTES or len(versions) >= MOST_VERSIONS:
            break
        versions[row["number"]] = served
    if plan.champion is not None:
        aliases[RESERVED_ALIAS] = plan.champion
    return ModelDocument(
        model=model.name,
        plan=plan,
        versions=dict(sorted(versions.items())),
        aliases=aliases,
        limits=limits,
        precomputed=_precomputed(model),
    )


def _precomputed(model: Model) -> Precomputed | None:
    """Return the file that the model's stored answers are told from."""
    row = current_of(model)
    if row is None or row.version_id is None:
        return None
    return Precomputed(
        number=row.number,
        digest=row.digest,
        size_bytes=row.size_bytes,
        version=row.version_number,
        version_id=row.version_id,
        entity=row.entity,
        rows=row.n_rows,
    )


def _newest(ready: Any, needed: set[int]) -> Iterator[dict[str, Any]]:
    rows = ready.exclude(number__in=needed).order_by("-number").values(*FIELDS)[:MOST_VERSIONS]
    yield from rows.iterator(chunk_size=10)


def _plan_and_limits(model: Model) -> tuple[Plan, Limits]:
    current = PlanRecord.objects.filter(deployment__model=model).select_related("deployment").in_force().first()
    if current is not None:
        return current.as_plan(), msgspec.convert(current.deployment.limits, Limits)
    deployment = getattr(model, "deployment", None)
    return Plan(), msgspec.convert(deployment.limits, Limits) if deployment else Limits()


def _served(row: dict[str, Any]) -> tuple[ServedVersion, int]:
    """Return a version as the document names it, and about how many bytes it adds."""
    served = ServedVersion(
        id=row["id"],
        digest=row["serving__digest"],
        size_bytes=row["serving__size_bytes"],
        runtime=row["runtime"],
        isolated=row["isolated"],
        signature=msgspec.convert(row["signature"], Signature),
        sample=row["sample"],
        environment=row["environment"],
    )
    return served, len(msgspec.json.encode(served))
