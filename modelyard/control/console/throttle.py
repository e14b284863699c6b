"""How many passwords may be tried: counted for a name together with the address that it is tried from.

The count lives in Django's cache, so it is exact for as many processes as share that cache.
"""

import hashlib
import unicodedata

from django.core.cache import cache
from django.http import HttpRequest

MAX_TRIES = 10
WINDOW_SECONDS = 300


def _key(request: HttpRequest) -> str:
    # The sign-in form takes a name in any form that NFKC makes the same: so must the count.
    name = unicodedata.normalize("NFKC", request.POST.get("username", "").strip()[:150]).lower()
    tried = f"{request.META.get('REMOTE_ADDR', '')}\n{name}"
    return f"modelyard:sign-in:{hashlib.sha256(tried.encode()).hexdigest()}"


def admits(request: HttpRequest) -> bool:
    """Count a try before its password is looked at, and tell whether it may be; the window begins with the first."""
    key = _key(request)
    cache.add(key, 0, WINDOW_SECONDS)
    try:
        return cache.incr(key) <= MAX_TRIES
    except ValueError:
        # The window ended between the two.
        cache.add(key, 1, WINDOW_SECONDS)
        return True


def succeeded(request: HttpRequest) -> None:
    """Forget the wrong ones."""
    cache.delete(_key(request))
