"""The text of an API key: `yard_<prefix>_<256 random bits>`. Only the prefix and a sha256 of the whole are kept."""

import hashlib
import re
import secrets
import string
from dataclasses import dataclass

ALPHABET = string.ascii_lowercase + string.digits
SHAPE = re.compile(r"yard_([a-z0-9]{8})_([A-Za-z0-9_-]{43})\Z")


@dataclass(frozen=True, slots=True)
class Secret:
    """A key's whole text, shown once, and what may be stored of it."""

    text: str
    prefix: str
    sha256: str


def digest(text: str) -> str:
    """Return the sha256, in hexadecimal, by which a key is stored; 256 random bits need no slow hash."""
    return hashlib.sha256(text.encode()).hexdigest()


def new_secret() -> Secret:
    """Make a key's text from the system's random bits."""
    prefix = "".join(secrets.choice(ALPHABET) for _ in range(8))
    text = f"yard_{prefix}_{secrets.token_urlsafe(32)}"
    return Secret(text, prefix, digest(text))


def prefix_of(text: str) -> str | None:
    """Return the prefix of what looks like a key, else None."""
    found = SHAPE.match(text)
    return found.group(1) if found else None
