"""`manage.py check`: each thing in a project that would keep us from working, with what mends it."""

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.checks import CheckMessage, Error, Warning
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections, router
from django.template import TemplateDoesNotExist, engines
from django.template.loader import get_template
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils.module_loading import import_string

from modelyard.control.tenancy.models import Tenant
from modelyard.core.metrics import nearest
from modelyard.embed.project import EXAMPLE, Unfit, adopted

OURS = Path(__file__).resolve().parent.parent
TEMPLATE = "console/base.html"
MARK = "modelyard-live"
NAMESPACE = "console"
PROCESSORS = ("django.template.context_processors.request", "django.contrib.auth.context_processors.auth")
MIDDLEWARE = (
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
)
OLDEST_SQLITE = (3, 35, 0)
MOST_TENANTS = 300
"""Names that a wrong one is compared with."""
FOLDERS = ("home", "artifacts", "exchange", "spool", "cache")


def check_settings(app_configs: Any = None, **_: Any) -> list[CheckMessage]:
    """`MODELYARD` is there, and each entry is known and fits."""
    found = adopted()
    if not isinstance(found, Unfit):
        return []
    return [
        Error(f"MODELYARD in the project's settings: {wrong}", hint=_settings_mend(str(wrong)), id="modelyard.E002")
        for wrong in found.error.details.get("settings", [found.error.message])
    ]


def _settings_mend(wrong: str) -> str:
    if "is missing" in wrong or "expected a dictionary" in wrong:
        return f"the least that is needed: {EXAMPLE}"
    if "is not set here" in wrong:
        return "take it out of MODELYARD"
    return "docs/django.md and docs/settings.md list the names, which are in upper case here"


def check_addresses(app_configs: Any = None, **_: Any) -> list[CheckMessage]:
    """Our addresses are included, once."""
    count = sum(1 for entry in _walk(get_resolver().url_patterns) if entry.name == MARK)
    if count == 1:
        return []
    line = 'path("ml/", include("modelyard.embed.urls"))'
    if count == 0:
        return [
            Error("no address leads to Modelyard", hint=f"in the project's urls.py: {line}", id="modelyard.E003"),
        ]
    return [
        Error(
            f"modelyard.embed.urls is included {count} times, so that its links may lead to the wrong one",
            hint=f"keep one line {line}",
            id="modelyard.E004",
        )
    ]


def check_namespaces(app_configs: Any = None, **_: Any) -> list[CheckMessage]:
    """The console's links lead to the console."""
    names = [entry.namespace for entry in _resolvers(get_resolver().url_patterns)]
    if names.count(NAMESPACE) < 2:
        return []
    return [
        Error(
            f"another include takes the URL namespace {NAMESPACE!r}, so that the console's links may lead there",
            hint="give the other one another `app_name`, or `include(..., namespace=...)`",
            id="modelyard.E017",
        )
    ]


def _resolvers(entries: Any) -> Iterator[URLResolver]:
    for entry in entries:
        if isinstance(entry, URLResolver):
            yield entry
            yield from _resolvers(entry.url_patterns)


def _walk(entries: Any) -> Iterator[URLPattern]:
    for entry in entries:
        if isinstance(entry, URLResolver):
            yield from _walk(entry.url_patterns)
        else:
            yield entry


def check_database(app_configs: Any = None, **_: Any) -> list[CheckMessage]:
    """The default database can hold our tables, and waits for its turn rather than fail."""
    if DEFAULT_DB_ALIAS not in settings.DATABASES:
        return []
    connection = connections[DEFAULT_DB_ALIAS]
    if connection.vendor not in ("sqlite", "postgresql"):
        return [
            Error(
                f"the default database is {connection.display_name}: expected PostgreSQL or SQLite",
                hint="let DATABASES['default'] be PostgreSQL, or run Modelyard beside the project (docs/deployment.md)",
                id="modelyard.E005",
            )
        ]
    if connection.vendor == "sqlite":
        return _check_sqlite(connection.settings_dict.get("OPTIONS", {}))
    return []


def _check_sqlite(options: dict[str, Any]) -> list[CheckMessage]:
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        return [Error(f"SQLite {sqlite3.sqlite_version} is too old", hint="3.35 or newer", id="modelyard.E005")]
    if str(options.get("transaction_mode") or "").upper() == "IMMEDIATE":
        return []
    return [
        Warning(
            "the server, the worker and the housekeeper write to the same SQLite file: without immediate transactions "
            "one that must wait fails at once with 'database is locked'",
            hint="DATABASES['default']['OPTIONS'] = {'transaction_mode': 'IMMEDIATE', 'timeout': 20, "
            "'init_command': 'PRAGMA journal_mode = WAL'}",
            id="modelyard.W006",
        )
    ]


def check_routers(app_configs: Any = None, **_: Any) -> list[CheckMessage]:
    """Our tables, and the people that they refer to, are in the default database."""
    models = [
        model for app in apps.get_app_configs() if app.name.startswith("modelyard.") for model in app.get_models()
    ]
    strays: dict[str, str] = {}
    for model in (*models, get_user_model()):
        for alias in {router.db_for_read(model), router.db_for_write(model)} - {DEFAULT_DB_ALIAS}:
            strays[model._meta.label] = alias
    return [
        Error(
            f"a database router sends {label} to {alias!r}: Modelyard's tables, and the people whom they name, "
            f"must be in {DEFAULT_DB_ALIAS!r}, since one transaction writes them together",
            hint="let DATABASE_ROUTERS return None for apps whose label begins with 'modelyard_', and for the users",
            id="modelyard.E007",
        )
        for label, alias in strays.items()
    ]


def check_folders(app_configs: Any = None, **_: Any) -> list[CheckMessage]:
    """What we keep can be written."""
    found = adopted()
    if isinstance(found, Unfit):
        return []
    reasons = {name: reason for name in FOLDERS if (reason := _unwritable(getattr(found, name)))}
    wrong = [
        (name, reason)
        for name, reason in reasons.items()
        if name == "home" or "home" not in reasons or not getattr(found, name).is_relative_to(found.home)
    ]
    return [
        Error(
            f"MODELYARD[{name.upper()!r}]: {getattr(found, name)} cannot be written to: {reason}",
            hint="name a folder of the user that runs the project, or mend its owner: chown -R USER FOLDER",
            id="modelyard.E008",
        )
        for name, reason in wrong
    ]


def _unwritable(folder: Path) -> str:
    """Return why a folder, or the first one above it that there is, takes no files."""
    there = next((path for path in (folder, *folder.parents) if path.exists()), Path("/"))
    if not there.is_dir():
        return f"{there} is a file"
    try:
        with tempfile.TemporaryFile(dir=there):
            return ""
    except OSError as error:
        return f"{there}: {(error.strerror or type(error).__name__).lower()}"


def check_time(app_configs: Any = None, **_: Any) -> list[CheckMessage]:
    """Times are aware."""
    if settings.USE_TZ:
        return []
    mend = "USE_TZ = True (Django's default since 5.0); TIME_ZONE stays as it is"
    return [
        Error("USE_TZ is False: Modelyard's times are aware, and leases compare them", hint=mend, id="modelyard.E009")
    ]


def check_people(app_configs: Any = None, **_: Any) -> list[CheckMessage]:
    """The model of users has what signing in and naming people needs."""
    model: Any = get_user_model()
    lacking = [
        name for name in ("USERNAME_FIELD", "get_username", "is_authenticated", "is_active") if not hasattr(model, name)
    ]
    lacking += [] if hasattr(model, "check_password") else ["check_password"]
    if not lacking and (issubclass(model, AbstractBaseUser) or hasattr(model, "last_login")):
        return []
    what = f"has no {', '.join(lacking)}" if lacking else "is no AbstractBaseUser"
    return [
        Error(
            f"AUTH_USER_MODEL {settings.AUTH_USER_MODEL} {what}: by these people are named, and known to be active",
            hint="derive it from django.contrib.auth.base_user.AbstractBaseUser",
            id="modelyard.E010",
        )
    ]


def check_templates(app_configs: Any = None, **_: Any) -> list[CheckMessage]:
    """The console's pages are found, are ours, and get what they show."""
    try:
        template: Any = get_template(TEMPLATE)
    except TemplateDoesNotExist:
        mend = 'an entry of TEMPLATES with the DjangoTemplates backend and "APP_DIRS": True'
        return [Error("the console's pages are not found", hint=mend, id="modelyard.E011")]
    origin = Path(str(template.origin.name))
    if OURS not in origin.resolve().parents:
        return [
            Error(
                f"{origin} stands in the way of the console's own page {TEMPLATE}",
                hint="put modelyard.embed.APPS before the app that has it, or let that one call its folder otherwise",
                id="modelyard.E012",
            )
        ]
    used = engines[template.backend.name].engine.context_processors  # type: ignore[attr-defined]
    return [
        Error(
            f"the console's pages need the context processor {name}",
            hint="add it to OPTIONS['context_processors'] of the entry of TEMPLATES that has APP_DIRS",
            id="modelyard.E013",
        )
        for name in PROCESSORS
        if name not in used
    ]


def check_middleware(app_configs: Any = None, **_: Any) -> list[CheckMessage]:
    """People can sign in."""
    used = list(settings.MIDDLEWARE)
    found = [
        Error(
            f"MIDDLEWARE lacks {name}: nobody could sign in to the console",
            hint="Django's own order: sessions, common, csrf, authentication",
            id="modelyard.E014",
        )
        for name in MIDDLEWARE
        if not any(name == one or _derives(one, name) for one in used)
    ]
    places = [used.index(name) for name in MIDDLEWARE if name in used]
    if not found and places != sorted(places):
        found.append(
            Error(
                f"{MIDDLEWARE[1]} stands before {MIDDLEWARE[0]}, and finds no session",
                hint="put the sessions first in MIDDLEWARE",
                id="modelyard.E015",
            )
        )
    return list(found)


def _derives(path: str, base: str) -> bool:
    """Tell whether a middleware of the project's stands for one of Django's."""
    try:
        one, other = import_string(path), import_string(base)
    except ImportError:
        return False
    return isinstance(one, type) and issubclass(one, other)


def check_environments(app_configs: Any = None, **_: Any) -> list[CheckMessage]:
    """The other Python environments are there. What they hold, `manage.py modelyard doctor` looks at."""
    found = adopted()
    if isinstance(found, Unfit):
        return []
    return [
        Warning(
            f"MODELYARD['ENVIRONMENTS']: {name!r} is {path}, which is no program: versions that need it are not served",
            hint="name the environment's interpreter, as /opt/old/bin/python, or take the entry out",
            id="modelyard.W018",
        )
        for name, path in found.environments.items()
        if not (path.is_file() and os.access(path, os.X_OK))
    ]


def check_tenant(app_configs: Any = None, databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """`MODELYARD['TENANT']` is there. Asked only where Django may ask the database: `check --database default`."""
    found = adopted()
    if isinstance(found, Unfit) or not found.tenant or DEFAULT_DB_ALIAS not in (databases or ()):
        return []
    try:
        names = list(Tenant.objects.order_by("name").values_list("name", flat=True)[:MOST_TENANTS])
        is_there = Tenant.objects.filter(name=found.tenant).exists()
    except DatabaseError:
        return []  # not migrated yet, which migrations say themselves
    if is_there or not names:
        return []
    return [
        Warning(
            f"MODELYARD['TENANT']: there is no tenant {found.tenant!r}, {nearest(found.tenant, names)}",
            hint=f"`manage.py modelyard tenants create {found.tenant}` makes it",
            id="modelyard.W019",
        )
    ]


ALL: tuple[Callable[..., list[CheckMessage]], ...] = (
    check_settings,
    check_addresses,
    check_namespaces,
    check_database,
    check_routers,
    check_folders,
    check_time,
    check_people,
    check_templates,
    check_middleware,
    check_environments,
)
