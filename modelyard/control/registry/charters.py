"""Why a model exists and how it is looked after: the charter in force, and each one before it."""

from typing import Any

import msgspec
from django.db import transaction
from msgspec import structs

from modelyard.control.registry.facts import check_fields, check_json, check_text
from modelyard.control.registry.locks import lock_model
from modelyard.control.registry.models import CharterRecord, Model
from modelyard.control.tenancy.models import Scope
from modelyard.control.tenancy.services import Actor, record, require
from modelyard.core.charter import Charter, check_charter
from modelyard.core.errors import Conflict, InvalidInput

MAX_REASON = 2000
MAX_BYTES = 256 * 1024


def read_charter(value: Any) -> Charter:
    """Return the charter that somebody gave as JSON.

    Raises:
        InvalidInput: naming the field that is unknown or does not fit.
    """
    if not isinstance(value, dict):
        raise InvalidInput.at("charter", f"expected an object with some of {', '.join(Charter.__struct_fields__)}")
    check_json(value, "charter", MAX_BYTES)
    check_fields(value, "charter", Charter.__struct_fields__)
    try:
        return check_charter(msgspec.convert(value, Charter))
    except msgspec.ValidationError as error:
        raise InvalidInput.at("charter", f"{error}") from None


def charter_of(model: Model) -> Charter:
    """Return the charter in force; where none was written, one that says the model's problem alone."""
    newest = CharterRecord.objects.filter(model=model).first()
    charter = msgspec.convert(newest.charter, Charter) if newest else Charter()
    return structs.replace(charter, problem=model.problem)


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
        if newest is not None and charter_of(locked) == charter:
            return newest
        if charter.problem != locked.problem:
            Model.objects.filter(pk=locked.pk).update(problem=charter.problem)
        return append_charter(actor, locked, charter, reason)


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
