"""Where a download may be written."""

from pathlib import Path

import pytest

from modelyard.client.downloading import check_folder
from modelyard.core.errors import InvalidInput


def test_a_folder_that_can_be_written_to_is_taken(tmp_path: Path) -> None:
    check_folder(tmp_path)


def test_a_missing_folder_is_named_with_the_mend(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"there is no folder .*mkdir -p"):
        check_folder(tmp_path / "none")


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidInput, match="is no folder"):
        check_folder(tmp_path / "file")


def test_a_closed_folder_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: False)  # the tests may run as root, whom nothing is closed to
    with pytest.raises(InvalidInput, match="may not write"):
        check_folder(tmp_path)
