from pathlib import Path

import pytest

from modelyard.config.database import database
from modelyard.core.errors import Misconfigured
from modelyard.core.settings import Settings


def test_sqlite_is_the_default(tmp_path: Path) -> None:
    described = database(Settings.read({}, home=tmp_path))
    assert described["NAME"] == tmp_path / "modelyard.sqlite3"
    assert described["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert "journal_mode = WAL" in described["OPTIONS"]["init_command"]


def test_postgresql_by_address() -> None:
    described = database(
        Settings.read({"MODELYARD_DATABASE_URL": "postgres://me:pa%20ss@db:5433/yard?sslmode=require"})
    )
    assert described["ENGINE"] == "django.db.backends.postgresql"
    assert (described["USER"], described["PASSWORD"], described["HOST"]) == ("me", "pa ss", "db")
    assert (described["PORT"], described["NAME"]) == (5433, "yard")
    assert described["OPTIONS"]["sslmode"] == "require"
    assert described["OPTIONS"]["pool"]["max_size"] >= 4


@pytest.mark.parametrize("url", ["sqlite:///x", "mysql://a@b/c", "yard", "http://x", "oracle://x"])
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(Misconfigured, match="expected postgres://"):
        database(Settings.read({"MODELYARD_DATABASE_URL": url}))


@pytest.mark.parametrize("url", ["postgres://me:hush@db:port/yard", "postgres://me:hu#sh@[db/yard"])
def test_an_address_that_cannot_be_read_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        database(Settings.read({"MODELYARD_DATABASE_URL": url}))
    assert "hu" not in str(refused.value)
    assert refused.value.__suppress_context__
