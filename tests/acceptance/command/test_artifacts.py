"""Models kept in the database, as real processes; and `modelyard artifacts move`, there and back."""

from pathlib import Path

import pytest

from tests.acceptance.command.conftest import command
from tests.servers.modelyard import up

STORE = "MODELYARD_ARTIFACT_STORE"


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_model_in_the_database_answers_and_moves_to_files(home: Path, tmp_path: Path) -> None:
    first = up(home, **{STORE: "database"})
    assert first.told["prediction"]["predictions"] == ["setosa"]
    known = {"MODELYARD_URL": first.url, "MODELYARD_KEY": first.told["key"], "XDG_CONFIG_HOME": str(tmp_path)}
    assert command("download", "iris:1", "--to", tmp_path / "files.zip", **known).code == 0
    assert (tmp_path / "files.zip").stat().st_size > 0
    assert first.stop() == 0
    assert not (home / "artifacts").exists()
    assert files_in(home / "exchange" / "artifacts")

    moved = command("artifacts", "move", "--to", "filesystem", "--home", home, "--json", **{STORE: "database"}).json
    assert (moved["result"]["copied"], moved["result"]["failed"]) == (4, [])
    assert moved["next"] == f"set {STORE}=filesystem, start anew, then call this again"
    assert len(files_in(home / "artifacts")) == 4
    too_early = command("artifacts", "move", "--to", "filesystem", "--forget", "--home", home, **{STORE: "database"})
    assert too_early.code == 1
    assert "database is the store in use" in too_early.err

    said = command("artifacts", "move", "--to", "filesystem", "--home", home)
    assert "copied 0 artifacts" in said.out
    assert "4 were there" in said.out
    assert (
        "deleted 4 artifacts from database"
        in command("artifacts", "move", "--to", "filesystem", "--forget", "--home", home).out
    )
    second = up(home)
    rows = '[{"sepal_length": 6.3, "sepal_width": 3.3, "petal_length": 6, "petal_width": 2.5}]'
    asked = command("predict", "iris", "--rows", rows, "--json", **{**known, "MODELYARD_URL": second.url})
    assert asked.json["predictions"] == ["virginica"]
    assert second.stop() == 0


def test_a_rotten_artifact_is_named_and_the_exit_code_says_so(home: Path) -> None:
    running = up(home)
    assert running.stop() == 0
    rotten = files_in(home / "artifacts")[0]
    rotten.chmod(0o640)
    rotten.write_bytes(b"rot")
    said = command("artifacts", "move", "--to", "database", "--home", home)
    assert said.code == 1
    assert rotten.name in said.err
    assert "1 artifacts stayed in filesystem alone" in said.err
    assert "copied 3 artifacts" in said.out
    served = {STORE: "database", "MODELYARD_SERVING_ARTIFACTS": str(home / "artifacts")}
    refused = command("artifacts", "move", "--to", "database", "--forget", "--home", home, **served)
    assert refused.code == 1
    assert "set MODELYARD_SERVING_ARTIFACTS to another folder" in refused.err
    assert len(files_in(home / "artifacts")) == 4


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--to", "s4"], "--to 's4': expected one of filesystem, database"),
        (["--to", "database", "--from", "disk"], "--from 'disk': expected one of filesystem, database"),
        (["--to", "database", "--from", "database"], "--from and --to are both database"),
    ],
)
def test_stores_are_named_right(arguments: list[str], expected: str, tmp_path: Path) -> None:
    said = command("artifacts", "move", *arguments, "--home", tmp_path / "none")
    assert said.code == 2
    assert expected in said.err
    assert not (tmp_path / "none").exists()
