"""What every test shares: a Django of its own on SQLite or PostgreSQL, and the servers, started when first asked for.

Nothing of the developer's environment reaches a test, and no test reaches the developer's `./var`: each test process
has a home folder of its own.
"""

import os
import secrets
import signal
import tempfile
from pathlib import Path

import pytest

from modelyard.config.folders import lay_out
from tests.servers import postgresql as postgresql_server
from tests.servers import rabbitmq as rabbitmq_server
from tests.servers import redis as redis_server
from tests.servers import s3 as s3_server
from tests.servers import shared

BEGAN = pytest.StashKey[bool]()
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


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("database") == "sqlite":
        return
    kept = [item for item in items if _uses_database(item)]
    config.hook.pytest_deselected(items=[item for item in items if not _uses_database(item)])
    items[:] = kept


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
