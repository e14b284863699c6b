"""The key that signs sessions: given, or made once and kept in the home folder."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from modelyard.core.errors import Misconfigured
from modelyard.core.settings import TABLE, Settings

CHECK = next(setting for setting in TABLE if setting.name == "secret_key")
MEND = "remove the file, and the next start makes a new one (who is signed in must sign in again)"


def secret_key(settings: Settings, environment: Mapping[str, str]) -> str:
    """Return the key; an empty one, with which Django signs nothing, when none is given and none was made yet.

    Raises:
        Misconfigured: when the one that is given, or kept, is empty, short or an example.
    """
    if environment.get(CHECK.variable) == "":
        raise Misconfigured(f"{CHECK.variable} is empty: leave it out, or `openssl rand -base64 48` makes one")
    if settings.secret_key is not None:
        return str(settings.secret_key)
    path = settings.home / "secret_key"
    if not path.exists():
        return ""
    try:
        kept: str = CHECK.read(path.read_text(encoding="ascii").strip())
    except ValueError:
        raise Misconfigured(f"the key kept as {path.name} in the home folder is not fit to sign with: {MEND}") from None
    return kept


def make_secret_key(settings: Settings) -> None:
    """Write a key where none is given or kept; of several processes that start at once, the first to finish wins."""
    path: Path = settings.home / "secret_key"
    if settings.secret_key is not None or path.exists():
        return
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(48))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink()
