"""Where a download may be written, and in which format."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from modelyard.client import Client
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


@pytest.fixture
def client() -> Iterator[Client]:
    """A server whose scoring came to Parquet, and that answers a download with what it was asked for."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/jobs/0a21a1a9/"):
            told = {"id": "0a21a1a9", "kind": "scoring", "state": "succeeded", "outcome": {"format": "parquet"}}
            return httpx2.Response(200, json=told)
        return httpx2.Response(200, content=f"{request.url.path} {request.url.query.decode()}".encode())

    with Client("http://yard", through=httpx2.MockTransport(answer)) as found:
        yield found


@pytest.mark.parametrize(
    ("name", "format", "asked"),
    [
        ("a.csv", "", "csv"),
        ("a.CSV", "", "csv"),
        ("a.parquet", "", "parquet"),
        ("a", "", "parquet"),
        ("a", "csv", "csv"),
    ],
)
def test_a_dataset_is_written_as_its_file_is_called(
    client: Client, tmp_path: Path, name: str, format: str, asked: str
) -> None:
    path = client.download_dataset("flights:1", to=tmp_path / name, format=format)
    assert path.read_text().endswith(f"download format={asked}")


def test_nothing_is_written_under_a_name_that_promises_another_format(client: Client, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"a\.csv would hold parquet: name it a\.parquet"):
        client.download_dataset("flights:1", to=tmp_path / "a.csv", format="parquet")
    with pytest.raises(InvalidInput, match=r"a\.csv would hold parquet: name it a\.parquet"):
        client.download_result("0a21a1a9", to=tmp_path / "a.csv")
    with pytest.raises(InvalidInput, match=r"a\.csv would hold jsonl: name it a\.jsonl"):
        client.download_result("0a21a1a9", to=tmp_path / "a.csv", failed=True)
    assert not list(tmp_path.iterdir())
    assert client.download_result("0a21a1a9", to=tmp_path / "a.parquet").read_text().startswith("/api/v1/jobs")
    assert client.download_result("0a21a1a9", to=tmp_path / "failed", failed=True).exists()
