"""A home folder: its settings, making it, and its first administrator and key."""

import errno
import fcntl
import hashlib
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from modelyard.cli import project
from modelyard.cli.ending import run
from modelyard.cli.options import Home, Json
from modelyard.cli.output import print_json
from modelyard.core.errors import Conflict, Misconfigured
from modelyard.core.settings import Settings

ADMIN = "admin"
TENANT = "demo"
KEY = "first"
DATABASE = "modelyard.sqlite3"
PREPARED = "prepared"
UNTOLD = "first-start"
ADDRESS = "address"
"""What a home's web process was last reached at; `--port` is known to nobody else."""
MARKS = frozenset({DATABASE, "secret_key", "init.lock", "up.lock"})
"""Names by which a home is known, whatever else lies in it: nobody else uses them all day, as /var does `cache`."""
FOLDERS = frozenset({"artifacts", "broker", "cache", "exchange", "scratch", "spool", "uploads"})
PACKAGE = Path(__file__).resolve().parent.parent


class First(msgspec.Struct, frozen=True, kw_only=True):
    """What a home was given at its first start; secrets are shown once and kept nowhere."""

    user: str
    password: str
    tenant: str | None = None
    key: str | None = None


def settings_of(home: Path | None = None, **given: Any) -> Settings:
    """Read the settings, and let this process's own environment say the same, for what reads it later.

    In a project they are what its own settings say.
    """
    if (within := project.current()) is not None:
        project.refuse_home(home)
        return within.settings
    if home is not None:
        given["home"] = home.expanduser().absolute()
    settings = Settings.read(os.environ, **given)
    os.environ["MODELYARD_HOME"] = str(settings.home)
    for name in ("port", "serve_port"):
        if given.get(name) is not None:
            os.environ[f"MODELYARD_{name.upper()}"] = str(given[name])
    os.environ.pop("MODELYARD_KEY", None)
    return settings


def keep_address(settings: Settings) -> None:
    """Write down where users reach the web process that starts."""
    (settings.home / ADDRESS).write_text(settings.public_url, encoding="utf-8")


def address_of(settings: Settings) -> str:
    """Return where users reach the home's server: as it is set, else as it was last started."""
    kept: Path = settings.home / ADDRESS
    if os.environ.get("MODELYARD_PUBLIC_URL") or not kept.exists():
        return str(settings.public_url)
    return kept.read_text(encoding="utf-8")


def expect_home(settings: Settings) -> None:
    """Check that the home was made, where the database is a file in it.

    Raises:
        Misconfigured: when there is no such home.
    """
    if settings.database_url is None and not (settings.home / DATABASE).exists():
        raise Misconfigured(
            f"{settings.home} is no home of Modelyard: `modelyard init` makes one, --home names another"
        )


def make_home(settings: Settings) -> None:
    """Make the home folder, for its owner's eyes only.

    Raises:
        Misconfigured: when it cannot be made or written to, or holds what is not ours.
    """
    home: Path = settings.home
    check_ours(home)
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = home / f".probe-{os.getpid()}-{secrets.token_hex(4)}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise cannot_be_written(home, reason) from error
    close_to_others(home)


def check_home(home: Path) -> None:
    """Check, without making anything, that `make_home` would not refuse.

    Raises:
        Misconfigured: as `make_home`.
    """
    check_ours(home)
    there = _nearest(home)
    if not there.is_dir() or _is_the_kernels(there) or not os.access(there, os.W_OK | os.X_OK):
        raise cannot_be_written(home, os.strerror(errno.EACCES).lower())


def check_ours(home: Path) -> None:
    """Refuse a folder with files of somebody else's: ours would be mixed with them, and closed to other users."""
    try:
        names = {path.name for path in home.iterdir()}
    except OSError:
        return  # not there, no folder, or closed: whoever writes to it is told
    strange = sorted(name for name in names - FOLDERS - {"lost+found"} if not name.startswith("."))
    if strange and not names & MARKS:
        raise Misconfigured(
            f"{home} is no home of Modelyard, and not empty (it holds {', '.join(strange[:3])}"
            f"{', ...' if len(strange) > 3 else ''}): give an empty or a new folder with --home or MODELYARD_HOME"
        )


def cannot_be_written(home: Path, reason: str) -> Misconfigured:
    """Return the error for a home that cannot be made or written to."""
    return Misconfigured(f"the home folder {home} cannot be made or written to: {_mend(home, reason)}")


def _nearest(home: Path) -> Path:
    """Return the folder, or the nearest thing above it that is there."""
    return next((path for path in (home, *home.parents) if path.exists()), Path("/"))


def _is_the_kernels(path: Path) -> bool:
    return path.parts[:2] in (("/", "proc"), ("/", "sys"), ("/", "dev"))


def _mend(home: Path, reason: str) -> str:
    """Return what is there and what is expected."""
    there = _nearest(home)
    other = "give a folder on a local disk with --home or MODELYARD_HOME"
    if not there.is_dir():
        return f"{there} is a file, expected a folder; {other}"
    if _is_the_kernels(there):
        return f"{there} is the kernel's, and keeps no files; {other}"
    if there == home and not os.access(home, os.W_OK | os.X_OK):
        return f"{reason}; {other}, or mend its owner: chown -R $(id -un) {home}"
    return f"{there}: {reason}; {other}"


def close_to_others(home: Path) -> None:
    """Take the home and its database from other users, where they are this user's own."""
    modes = {home: 0o700} | dict.fromkeys(home.glob(f"{DATABASE}*"), 0o600)
    for path, mode in modes.items():
        with suppress(OSError):  # somebody else's, or gone in between; `modelyard doctor` looks
            if path.stat().st_mode & 0o077:
                path.chmod(mode)


@contextmanager
def locked(settings: Settings, name: str, *, wait: bool) -> Iterator[None]:
    """Hold the home's lock `name`; the system gives it back however this process ends.

    Raises:
        Conflict: when another process holds it and `wait` is false.
    """
    with (settings.home / f"{name}.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise Conflict(
                f"another `modelyard {name}` runs with the home folder {settings.home}: stop it, or give another --home"
            ) from None
        yield


def set_up_django() -> None:
    """Make Django ready in this process, which starts; in a project it is."""
    if project.current() is not None:
        return
    from modelyard.config.folders import lay_out

    lay_out(os.environ)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "modelyard.config.settings")
    import django

    django.setup()


def prepare(settings: Settings) -> First | None:
    """Bring the home and its database up to this release; at the very first time, make an administrator and a key."""
    make_home(settings)
    with locked(settings, "init", wait=True):
        set_up_django()
        from django.core.management import call_command

        call_command("migrate", verbosity=0, interactive=False)
        close_to_others(settings.home)
        first = _first_start(settings.home / UNTOLD)
        (settings.home / PREPARED).write_text(release(), encoding="ascii")
    return first


def settle(settings: Settings) -> None:
    """Say that a person was told the secrets of the first start: they are not made anew any more."""
    (settings.home / UNTOLD).unlink(missing_ok=True)


def is_first_start(settings: Settings) -> bool:
    """Tell whether `prepare` will make an administrator, as far as can be told without asking a database."""
    return (settings.home / UNTOLD).exists() or not (settings.home / DATABASE).exists()


def is_prepared(settings: Settings) -> bool:
    """Tell whether `prepare` has nothing to do, without asking a database: that would cost a second at each start."""
    if settings.database_url is not None or is_first_start(settings):
        return False
    try:
        kept: str = (settings.home / PREPARED).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return False
    return kept == release()


def release() -> str:
    """Return a digest of what the tables are made by: our migrations, and Django's release."""
    from importlib.metadata import version

    names = sorted(str(path.relative_to(PACKAGE)) for path in PACKAGE.glob("control/*/migrations/*.py"))
    return hashlib.sha256("\n".join([version("django"), *names]).encode()).hexdigest()


def _first_start(untold: Path) -> First | None:
    """Make an administrator, a tenant and a key; anew when a first start ended before anybody was told of them."""
    from django.contrib.auth.models import User
    from django.db import transaction

    from modelyard.control.tenancy import services
    from modelyard.control.tenancy.models import ApiKey, Role, Tenant

    with transaction.atomic():
        is_new = not User.objects.exists() and not Tenant.objects.exists()
        if not is_new and not untold.exists():
            return None
        untold.touch(mode=0o600)
        if is_new:
            user = User.objects.create_superuser(ADMIN)
            tenant = services.create_tenant(name=TENANT, title="Demo", created_by="system:init")
            actor = services.system_actor(tenant, "init")
            services.add_member(actor=actor, user=user, role=Role.ADMIN)
        actor = services.system_actor(Tenant.objects.get(name=TENANT), "init")
        for key in ApiKey.objects.of(actor.tenant).filter(name=KEY, revoked_at=None):
            services.revoke_key(actor=actor, key=key)
        _, secret = services.create_key(actor=actor, name=KEY, scopes=["admin"])
        made = reset_password()
    return First(user=made.user, password=made.password, tenant=TENANT, key=secret)


def reset_password() -> First:
    """Give the administrator a new random password.

    Raises:
        Conflict: when there is no administrator yet.
    """
    from django.contrib.auth.models import User

    user = User.objects.filter(is_superuser=True).order_by("pk").first()
    if user is None:
        raise Conflict("there is no administrator yet: `modelyard init` makes one")
    password = secrets.token_urlsafe(18)
    user.set_password(password)
    user.is_active = True
    user.save(update_fields=["password", "is_active"])
    return First(user=user.get_username(), password=password)


def init(
    home: Home = None,
    reset: Annotated[bool, typer.Option("--reset-password", help="Give the administrator a new password.")] = False,
    json: Json = False,
) -> None:
    """Make a home folder: secret key, tables, an administrator, a tenant and a key. The secrets are shown once."""
    settings = settings_of(home)
    first = prepare(settings)
    if reset and first is None:
        first = reset_password()
    if json:
        made = msgspec.to_builtins(first) if first else {}
        print_json({"home": str(settings.home), "made": first is not None, **made})
    elif first is None:
        print(f"{settings.home} is ready; nothing had to be made")
    else:
        print("\n".join(first_lines(first)))
    sys.stdout.flush()
    settle(settings)


def first_lines(first: First) -> list[str]:
    """Return what a person must note down."""
    lines = [f"administrator  {first.user}", f"password       {first.password}"]
    if first.key:
        lines += [f"tenant         {first.tenant}", f"key            {first.key}"]
    return [*lines, "These secrets are shown this once only."]


if __name__ == "__main__":
    # What `modelyard up` runs; it is up that says when the secrets were told.
    run(lambda: sys.stdout.buffer.write(msgspec.json.encode(prepare(settings_of()))))
