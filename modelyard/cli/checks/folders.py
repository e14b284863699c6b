"""The folders that the settings name: whose they are, on what disks, with how much space."""

import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from modelyard.cli.checks.finding import Finding, bad, ok, warning
from modelyard.cli.folders import disk_kind, is_network
from modelyard.cli.home import check_home
from modelyard.core.errors import Misconfigured
from modelyard.core.settings import MIB, Settings

LITTLE_BYTES = 1024 * MIB
TOO_LITTLE_BYTES = 128 * MIB
SKEW_SECONDS = 5.0
EARLIEST = 1_767_225_600  # 2026-01-01: this release is younger


def home(settings: Settings) -> Iterator[Finding]:
    """The home folder: there, writable, and closed to others."""
    folder: Path = settings.home
    try:
        check_home(folder)
    except Misconfigured as error:
        text, _, mend = error.message.partition(": ")
        yield bad("home", text, mend)
        return
    if not folder.exists():
        yield warning("home", f"{folder} is not there yet", "modelyard init")
    elif _mode(folder) & 0o077:
        yield bad("home", f"{folder} is open to others (mode {_mode(folder):o})", f"chmod 700 {folder}")
    else:
        yield ok("home", f"{folder}, for its owner only")


def secret_key(settings: Settings) -> Iterator[Finding]:
    """The key that signs sessions, where it is kept in a file."""
    path = settings.home / "secret_key"
    if settings.secret_key is not None:
        yield ok("secret key", "given by MODELYARD_SECRET_KEY")
    elif not path.exists():
        yield ok("secret key", "none yet; the first start makes one")
    elif _mode(path) & 0o077:
        yield bad(
            "secret key",
            f"{path} is open to others (mode {_mode(path):o})",
            f"chmod 600 {path}; better rm {path}, which signs all out",
        )
    else:
        yield ok("secret key", "kept in the home folder, for its owner only")


def disks(settings: Settings) -> Iterator[Finding]:
    """What must not lie on a network file system, and space everywhere."""
    local = {"home": settings.home, "spool": settings.spool, "cache": settings.cache}
    if settings.database_url is not None:
        del local["home"]
    for name, folder in local.items():
        kind = disk_kind(_nearest(folder))
        if is_network(kind):
            variable = f"MODELYARD_{name.upper()}"
            yield bad(
                "disks",
                f"{name} lies on a network file system ({kind}), where it loses data",
                f"{variable}=/var/lib/modelyard",
            )
    seen: set[int] = set()
    for name in ("home", "artifacts", "exchange", "spool"):
        place = _nearest(getattr(settings, name))
        device = place.stat().st_dev
        if device not in seen:
            seen.add(device)
            yield _space(name, place)


def _space(name: str, place: Path) -> Finding:
    free = shutil.disk_usage(place).free
    text = f"{free // MIB:,} MiB are free where {name} lies"
    mend = f"free some, or move it: MODELYARD_{name.upper()}=/another/disk"
    if free < TOO_LITTLE_BYTES:
        return bad("space", text, mend)
    return warning("space", text, mend) if free < LITTLE_BYTES else ok("space", text)


def clock(settings: Settings) -> Iterator[Finding]:
    """This machine's clock, against the date of this release and the clock of the file server."""
    now = time.time()
    if now < EARLIEST:
        yield bad("clock", f"it says {time.strftime('%Y-%m-%d', time.gmtime(now))}", "timedatectl set-ntp true")
        return
    folder = _nearest(settings.exchange)
    probe = folder / f".clock-{secrets.token_hex(4)}"
    try:
        probe.touch()
        skew = probe.stat().st_mtime - time.time()
        probe.unlink()
    except OSError:
        skew = 0.0
    if abs(skew) > SKEW_SECONDS:
        yield warning(
            "clock",
            f"it differs by {skew:.0f} s from that of the file server of {folder}",
            "timedatectl set-ntp true, on both",
        )
    else:
        yield ok("clock", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)))


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _nearest(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that is there."""
    return next(place for place in (folder, *folder.parents) if place.exists())
