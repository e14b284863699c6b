"""What apps above this one keep for a tenant. Each says so in its `AppConfig.ready`, as none is known here."""

from collections.abc import Callable

from modelyard.control.tenancy.models import Tenant

HELD: dict[str, Callable[[Tenant], int]] = {}
"""What a deleted tenant would lose, in the singular, to how many of it there are: while there is one, it stays."""
AFTERWARDS: list[Callable[[int], None]] = []
"""What is called with the primary key of a tenant that is gone, once that is committed: for what is no row."""

WITHOUT_CODE: list[Callable[[Tenant], None]] = []
"""What is called before a tenant's files that carry code are served no more; it raises where that would hurt."""


def held(tenant: Tenant) -> dict[str, int]:
    """Return how many there are of what the tenant would lose; nothing where it is empty."""
    counts = {noun: count(tenant) for noun, count in HELD.items()}
    return {noun: count for noun, count in counts.items() if count}


def counted(noun: str, count: int) -> str:
    """Return "1 model" or "2 models"."""
    return f"{count} {noun}" + "s" * (count != 1)
