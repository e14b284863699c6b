"""Which server the command talks to, and with which key."""

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from modelyard.cli.usage import NotUnderstood
from modelyard.core.errors import InvalidInput, Misconfigured, Unauthenticated
from modelyard.core.settings import Settings


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """A server and the key for it, as `modelyard login` keeps them."""

    url: str
    key: str | None = None
    tenant: str = ""
    predict_url: str | None = None


def profile_path(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the login file: in `$XDG_CONFIG_HOME` (XDG Base Directory Specification), else `~/.config`."""
    base = environment.get("XDG_CONFIG_HOME", "")
    root = Path(base) if base.startswith("/") else Path(environment.get("HOME") or "~").expanduser() / ".config"
    return root / "modelyard" / "login.json"


def save(profile: Profile, path: Path) -> None:
    """Write the login file so that only its owner can read it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(profile)))
    temporary.replace(path)


def saved(path: Path) -> Profile | None:
    """Return what `modelyard login` kept, if anything.

    Raises:
        Misconfigured: when the file cannot be read.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Profile)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise Misconfigured(
            f"the login file {path} cannot be read ({error}): `modelyard login` writes a new one"
        ) from error


def current(url: str | None = None) -> Profile:
    """Return the server and key in force: `url`, else `MODELYARD_URL`, else the login, else this machine's own server.

    A kept key is given to the server that it was kept for, and to no other.
    """
    from modelyard.client.transport import check_url  # HTTP takes 0.2 s to import

    settings = Settings.read(os.environ)
    kept = saved(profile_path())
    chosen = url or settings.url or (kept.url if kept else None) or settings.public_url
    try:
        chosen = check_url(str(chosen))
    except InvalidInput as error:
        raise (NotUnderstood(error.message) if url else error) from None
    if kept and kept.url == chosen:
        return Profile(
            url=chosen,
            key=settings.key or kept.key,
            tenant="" if settings.key else kept.tenant,
            predict_url=kept.predict_url,
        )
    return Profile(url=chosen, key=settings.key)


def with_key(profile: Profile) -> Profile:
    """Return `profile`.

    Raises:
        Unauthenticated: when it has no key.
    """
    if not profile.key:
        raise Unauthenticated(
            f"there is no key for {profile.url}: run `modelyard login {profile.url}`, or set MODELYARD_KEY"
        )
    return profile
