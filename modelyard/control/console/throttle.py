"""How many wrong passwords may be tried: counted for a name together with the address that it is tried from.

The count lives in Django's cache, so it is exact for as many processes as share that cache.
"""

import hashlib

from django.core.cache import cache
from django.http import HttpRequest

MAX_FAILURES = 10
WINDOW_SECONDS = 300


def _key(request: HttpRequest) -> str:
    tried = f"{request.META.get('REMOTE_ADDR', '')}\n{request.POST.get('username', '').strip().lower()[:150]}"
    return f"sign-in:{hashlib.sha256(tried.encode()).hexdigest()}"


def is_closed(request: HttpRequest) -> bool:
    """Tell whether too many tries have failed lately."""
    return int(cache.get(_key(request), 0)) >= MAX_FAILURES


def failed(request: HttpRequest) -> None:
    """Count a wrong password; the window begins with the first."""
    key = _key(request)
    if not cache.add(key, 1, WINDOW_SECONDS):
        try:
            cache.incr(key)
        except ValueError:
            cache.add(key, 1, WINDOW_SECONDS)


def succeeded(request: HttpRequest) -> None:
    """Forget the wrong ones."""
    cache.delete(_key(request))
