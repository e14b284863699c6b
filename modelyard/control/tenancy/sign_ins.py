"""How many passwords may be tried: counted for a name together with the address that it is tried from.

The count lives in the database, so it is exact for all processes on all machines.
"""

import hashlib
import unicodedata
from datetime import timedelta

from django.db.models import F
from django.utils import timezone

from modelyard.control.tenancy.models import SignInTries
from modelyard.control.tenancy.people import MAX_NAME

MAX_TRIES = 10
WINDOW_SECONDS = 300


def admit_try(*, name: str, address: str) -> bool:
    """Count a try before its password is looked at, and tell whether it may be; the window begins with the first."""
    now, digest = timezone.now(), _digest(name, address)
    rows = SignInTries.objects.filter(digest=digest)
    rows.filter(ends_at__lte=now).delete()
    first = SignInTries(digest=digest, ends_at=now + timedelta(seconds=WINDOW_SECONDS))
    SignInTries.objects.bulk_create([first], ignore_conflicts=True)
    return rows.filter(tries__lt=MAX_TRIES).update(tries=F("tries") + 1) == 1


def forget_tries(*, name: str, address: str) -> None:
    """Forget the wrong ones: the right password was given."""
    SignInTries.objects.filter(digest=_digest(name, address)).delete()


def sweep() -> int:
    """Delete the counts whose window is over, and return how many."""
    return SignInTries.objects.filter(ends_at__lte=timezone.now()).delete()[0]


def _digest(name: str, address: str) -> str:
    # The sign-in form takes a name in any form that NFKC makes the same: so must the count.
    same = unicodedata.normalize("NFKC", name.strip()[:MAX_NAME]).lower()
    return hashlib.sha256(f"{address}\n{same}".encode()).hexdigest()
