"""Why a model exists and how it is looked after: the charter in force, and each one before it."""

from typing import Any

import msgspec
from django.db import transaction
from django.utils import timezone
from msgspec import structs

from modelyard.control.registry.facts import check_fields, check_json, check_text
from modelyard.control.registry.locks import lock_model
from modelyard.control.registry.models import CharterRecord, Model, Version
from modelyard.control.tenancy.models import Scope
from modelyard.control.tenancy.services import Actor, record, require
from modelyard.core.charter import Charter, charter_from, check_charter, doubts, shortfalls
from modelyard.core.errors import Conflict, InvalidInput
from modelyard.core.metrics import MEASURED

MAX_REASON = 2000
MAX_BYTES = 256 * 1024
MOST_READ = 1000


def read_charter(value: Any) -> Charter:
    """Return the charter that somebody gave as JSON.

    Raises:
        InvalidInput: naming the field that is unknown or does not fit.
    """
    if not isinstance(value, dict):
        raise InvalidInput.at("charter", f"expected an object with some of {', '.join(Charter.__struct_fields__)}")
    check_json(value, "charter", MAX_BYTES)
    check_fields(value, "charter", Charter.__struct_fields__)
    return charter_from(value)


def charter_of(model: Model) -> Charter:
    """Return the charter in force; where none was written, one that says the model's problem alone."""
    newest = CharterRecord.objects.filter(model=model).first()
    charter = msgspec.convert(newest.charter, Charter) if newest else Charter()
    return structs.replace(charter, problem=model.problem)


def doubts_of(model: Model, charter: Charter) -> list[str]:
    """Return what of a charter looks like a slip, beside the model's ready versions."""
    told = model.versions.ready().order_by("-number").values_list("metrics", flat=True)[:MOST_READ]
    known = {name for metrics in told for name in metrics}
    return doubts(charter, known | set(MEASURED) if known else (), timezone.localdate())


def shortfalls_of(version: Version) -> list[str]:
    """Return what the charter in force asks for and the version does not keep to."""
    return shortfalls(charter_of(version.model), version.values)


def write_charter(
    *, actor: Actor, model: Model, charter: Charter, reason: str = "", replaces: int | None = None
) -> CharterRecord:
    """Agree on another charter; where it is the one in force, nothing is appended.

    Args:
        replaces: number of the charter that the caller read, 0 where there was none; None: whatever is there.

    Raises:
        InvalidInput: when it makes no sense.
        Conflict: when another than `replaces` is in force by now.
    """
    require(actor, Scope.WRITE)
    check_charter(charter)
    check_text(reason, "reason", MAX_REASON)
    with transaction.atomic():
        locked = lock_model(actor, model)
        newest = CharterRecord.objects.filter(model=locked).first()
        number = newest.number if newest else 0
        if replaces is not None and replaces != number:
            raise Conflict(
                f"the charter of {locked.name} was changed meanwhile: number {number} is in force, not {replaces}; "
                "read it again and write yours anew",
                number=number,
            )
        before = charter_of(locked)
        if newest is not None and before == charter:
            return newest
        if charter.problem != locked.problem:
            Model.objects.filter(pk=locked.pk).update(problem=charter.problem)
        appended = append_charter(actor, locked, charter, reason)
        appended.before = before
        return appended


def append_charter(actor: Actor, model: Model, charter: Charter, reason: str = "") -> CharterRecord:
    """Append a charter, within the caller's transaction; `model` is locked."""
    newest = CharterRecord.objects.filter(model=model).first()
    number = newest.number + 1 if newest else 1
    appended = CharterRecord.objects.create(
        tenant=actor.tenant,
        model=model,
        number=number,
        charter=msgspec.to_builtins(charter),
        reason=reason,
        actor=actor.name,
    )
    details = {"number": number, "charter": appended.charter, "reason": reason}
    record(actor=actor, verb="charter.write", subject=f"model:{model.name}", details=details)
    return appended
