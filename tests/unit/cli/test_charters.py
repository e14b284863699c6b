"""A charter from a file."""

import io
from pathlib import Path

import pytest

from modelyard.cli.charters import write
from modelyard.core.errors import InvalidInput


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"there is no file .*charter\.json: expected a charter as JSON"):
        write("iris", file=tmp_path / "charter.json")


def test_what_is_no_charter_names_where_it_came_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b'{"problemm": "x"}')))
    with pytest.raises(InvalidInput, match=r"standard input is no charter: .*`problemm`"):
        write("iris", file=Path("-"))
