"""What every test shares: a Django of its own on SQLite or PostgreSQL, and the servers, started when first asked for.

Nothing of the developer's environment reaches a test, and no test reaches the developer's `./var`: each test process
has a home folder of its own.
"""

import os
import secrets
import signal
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as drawing
from xdist.scheduler import LoadScopeScheduling

from modelyard.config.folders import lay_out
from tests.servers import forked, shared
from tests.servers import postgresql as postgresql_server
from tests.servers import rabbitmq as rabbitmq_server
from tests.servers import redis as redis_server
from tests.servers import s3 as s3_server

# A machine that does much else is no fault of an example's.
drawing.register_profile("shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
drawing.load_profile("shared machine")
BEGAN = pytest.StashKey[bool]()
SHARING = ("acceptance/embed", "acceptance/browser")
LONG = ("jobs/test_processes", "jobs/test_rabbitmq")
DATABASE_FIXTURES = {"db", "transactional_db", "django_db_setup", "live_server"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--database",
        choices=("sqlite", "postgresql"),
        default="sqlite",
        help="database of the tests; with postgresql, only tests that use the database run",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Set up Django before any test module is imported, with settings that hold for this process alone."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A shell starts what runs in its background so, and the servers that tests end by Ctrl-C would inherit it.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.stash[BEGAN] = shared.begin_run()
    if config.stash[BEGAN]:
        # A run that is told to end, by a build machine say, stops its servers as after Ctrl-C.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    for name in [name for name in os.environ if name.startswith("MODELYARD_") or name == "PORT"]:
        del os.environ[name]
    home = Path(tempfile.mkdtemp(prefix="home-", dir=os.environ[shared.VARIABLE]))
    os.environ["MODELYARD_HOME"] = str(home)
    os.environ["MODELYARD_SECRET_KEY"] = secrets.token_hex(32)
    if config.getoption("database") == "postgresql":
        os.environ["MODELYARD_DATABASE_URL"] = shared.running("postgresql", postgresql_server.start).url
    os.environ["DJANGO_SETTINGS_MODULE"] = "modelyard.config.settings"
    lay_out(os.environ)
    from django.conf import settings

    databases = settings.DATABASES
    if databases["default"]["ENGINE"].endswith("sqlite3"):
        # A file, as in production: in memory, SQLite locks and journals in another way.
        databases["default"].setdefault("TEST", {})["NAME"] = str(home / "test.sqlite3")
    # The processes that xdist starts must come here too before they read the settings, and what a test starts
    # must not meet the test's own database.
    del os.environ["DJANGO_SETTINGS_MODULE"]
    os.environ.pop("MODELYARD_DATABASE_URL", None)


def pytest_unconfigure(config: pytest.Config) -> None:
    if config.stash.get(BEGAN, False):
        shared.end_run()
    shared.let_go()
    forked.end()


class Together(LoadScopeScheduling):
    """Lets one process run what shares fixtures: the tests of a file, or of a folder whose session has a server."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return next((folder for folder in SHARING if folder in path), path)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together:
    return Together(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Generator[None]:
    """Put what waits for processes first, for others to run beside it."""
    yield
    items.sort(key=lambda item: not any(name in item.path.as_posix() for name in LONG))
    if config.getoption("database") == "postgresql":
        config.hook.pytest_deselected(items=[item for item in items if not _uses_database(item)])
        items[:] = [item for item in items if _uses_database(item)]


def _uses_database(item: pytest.Item) -> bool:
    fixtures = set(getattr(item, "fixturenames", ()))
    return item.get_closest_marker("django_db") is not None or bool(fixtures & DATABASE_FIXTURES)


@pytest.fixture(scope="session")
def postgresql() -> str:
    """The address of an empty PostgreSQL database, shared by the test run."""
    return shared.running("postgresql", postgresql_server.start).url


@pytest.fixture(scope="session")
def rabbitmq() -> str:
    """The address of RabbitMQ, shared by the test run."""
    return shared.running("rabbitmq", rabbitmq_server.start).url


@pytest.fixture(scope="session")
def redis() -> str:
    """The address of Redis, shared by the test run."""
    return shared.running("redis", redis_server.start).url


@pytest.fixture(scope="session")
def s3() -> str:
    """The address of an S3-compatible endpoint, shared by the test run; any access key and secret will do."""
    return shared.running("s3", s3_server.start).url


@pytest.fixture
def free_port() -> int:
    """A port that nobody listens on."""
    return shared.free_port()
