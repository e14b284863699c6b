"""The chain that makes the audit log tell of any change to it.

Each entry's hash is the sha256 of the canonical JSON of its facts, the hash of the entry before among them; the
tenant's own row remembers the newest number and hash, so that a missing end is found too.
"""

import hashlib
import json
from datetime import UTC
from typing import Any

from django.db import transaction

from modelyard.control.tenancy.models import AuditEntry, Tenant


def append(tenant: Tenant, *, actor: str, verb: str, subject: str, details: dict[str, Any]) -> AuditEntry:
    """Add an entry; entries of one tenant are made one after the other, by a lock on its row."""
    with transaction.atomic():
        locked = Tenant.objects.select_for_update(no_key=True).get(pk=tenant.pk)
        entry = AuditEntry(
            tenant=locked,
            number=locked.audit_number + 1,
            actor=actor[:150],
            verb=verb,
            subject=subject[:200],
            details=plain(details),
            previous_hash=locked.audit_hash,
        )
        entry.hash = entry_hash(entry)
        entry.save(force_insert=True)
        Tenant.objects.filter(pk=locked.pk).update(audit_number=entry.number, audit_hash=entry.hash)
    return entry


def verify(tenant: Tenant) -> list[int]:
    """Return the numbers of entries that were changed, are missing, or do not follow from the one before."""
    wrong: set[int] = set()
    number, previous = 0, ""
    tenant = Tenant.objects.get(pk=tenant.pk)
    for entry in AuditEntry.objects.of(tenant).order_by("number").iterator():
        wrong.update(range(number + 1, entry.number))
        follows = entry.previous_hash == previous or entry.number != number + 1
        if entry.hash != entry_hash(entry) or not follows:
            wrong.add(entry.number)
        number, previous = entry.number, entry.hash
    wrong.update(range(number + 1, tenant.audit_number + 1))
    if number > tenant.audit_number or (number == tenant.audit_number and previous != tenant.audit_hash):
        wrong.add(number)
    return sorted(wrong)


def entry_hash(entry: AuditEntry) -> str:
    """Return the sha256, in hexadecimal, of the canonical JSON (RFC 8785 for the values that occur) of the facts."""
    facts = {
        "tenant": entry.tenant_id,
        "number": entry.number,
        "at": entry.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "actor": entry.actor,
        "verb": entry.verb,
        "subject": entry.subject,
        "details": plain(entry.details),
        "previous_hash": entry.previous_hash,
    }
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def plain(value: Any) -> Any:
    """Return `value` as it comes back from either database: text keys, and whole floats as integers.

    PostgreSQL keeps 1e5 as 100000, and neither keeps a zero character.
    """
    if isinstance(value, dict):
        return {plain(str(key)): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in (sorted(value) if isinstance(value, set | frozenset) else value)]
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            return str(value)
        return int(value) if value.is_integer() else value
    if isinstance(value, str):
        return value.replace("\0", "\\0")
    return value if value is None or isinstance(value, bool | int) else str(value)
