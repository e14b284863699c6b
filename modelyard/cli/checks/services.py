"""What the servers talk to and by: port, addresses, database, broker."""

import os
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit

from modelyard.cli.checks.finding import Finding, bad, ok, warning
from modelyard.cli.home import check_home
from modelyard.cli.ports import check_port
from modelyard.cli.start import CONTROL_READY, is_ours, reachable
from modelyard.core.errors import Misconfigured, ModelyardError
from modelyard.core.settings import Settings

LOOPBACK = ("127.0.0.1", "::1", "localhost")
CONNECT_SECONDS = 5


def port(settings: Settings) -> Iterator[Finding]:
    """The port: free, or our own server is on it."""
    try:
        check_port(settings.host, settings.port)
    except Misconfigured as error:
        if is_ours(f"http://{reachable(settings.host)}:{settings.port}{CONTROL_READY}"):
            yield ok("port", f"a Modelyard answers on port {settings.port} of {settings.host}")
        else:
            message, _, mend = error.message.partition(": ")
            yield bad("port", message, mend)
    else:
        yield ok("port", f"port {settings.port} of {settings.host} is free")


def exposure(settings: Settings) -> Iterator[Finding]:
    """Who can reach the servers, and whether keys travel in the clear."""
    if "*" in settings.allowed_hosts:
        yield bad("exposure", "any host name is answered to", "MODELYARD_ALLOWED_HOSTS=yard.example.com")
    address = urlsplit(settings.public_url)
    if settings.host not in LOOPBACK and address.scheme != "https":
        yield warning(
            "exposure",
            f"listening on {settings.host} with {address.scheme}: keys and passwords travel in the clear",
            "put TLS before it, and set MODELYARD_PUBLIC_URL=https://...",
        )
    elif "*" not in settings.allowed_hosts:
        yield ok("exposure", "this machine only" if settings.host in LOOPBACK else "over TLS")


def database(settings: Settings) -> Iterator[Finding]:
    """The database: answers, in the right mode, with this release's tables."""
    if settings.database_url is None and not (settings.home / "modelyard.sqlite3").exists():
        with suppress(Misconfigured):  # the home itself is looked at elsewhere
            check_home(settings.home)
            yield warning("database", "there is none yet", "modelyard init")
        return
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "modelyard.config.settings")
    import django
    from django.core.exceptions import ImproperlyConfigured
    from django.db import DatabaseError

    try:
        django.setup()
        yield from _tables()
    except (DatabaseError, ImproperlyConfigured) as error:
        yield bad(
            "database", f"it does not answer: {str(error).splitlines()[0]}", "start it, or mend MODELYARD_DATABASE_URL"
        )
    except ModelyardError as error:
        yield bad("database", error.message, "modelyard init")


def _tables() -> Iterator[Finding]:
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA journal_mode")
            mode = cursor.fetchone()[0]
            if mode != "wal":
                yield bad(
                    "database",
                    f"SQLite keeps its journal as {mode!r}: expected 'wal'",
                    "move the home folder to a local disk",
                )
    executor = MigrationExecutor(connection)
    waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if waiting:
        yield bad("database", f"{len(waiting)} changes of tables are waiting", "modelyard init")
    else:
        yield ok("database", f"{connection.display_name} answers, its tables are those of this release")
    connection.close()


def broker(settings: Settings) -> Iterator[Finding]:
    """The broker: a folder in the home, or a server."""
    if settings.broker_url is None:
        folder = settings.home / "broker"
        if folder.exists() and not os.access(folder, os.W_OK | os.X_OK):
            yield bad("broker", f"{folder} cannot be written to", f"chown -R $(id -un) {folder}")
        else:
            yield ok("broker", "messages are files in the home folder")
        return
    from kombu.connection import Connection

    host = urlsplit(settings.broker_url).hostname
    try:
        with Connection(settings.broker_url, connect_timeout=CONNECT_SECONDS) as connection:  # type: ignore[no-untyped-call]
            connection.ensure_connection(max_retries=1, timeout=CONNECT_SECONDS)
    except Exception as error:  # each transport raises its own
        yield bad("broker", f"{host} does not answer: {type(error).__name__}", "start it, or mend MODELYARD_BROKER_URL")
    else:
        yield ok("broker", f"{host} answers")
