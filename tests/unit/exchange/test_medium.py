"""What a medium promises: whole bytes or none, no client's path, no lost edit."""

import threading
from pathlib import Path

import pytest

from modelyard.exchange.medium import FolderMedium


@pytest.fixture
def medium(tmp_path: Path) -> FolderMedium:
    return FolderMedium(tmp_path / "medium")


def test_gives_back_what_was_written(medium: FolderMedium) -> None:
    medium.write("models/1/a.json", b"one")
    medium.write("models/1/a.json", b"two")
    assert medium.read("models/1/a.json") == b"two"
    assert medium.read("models/1/b.json") is None
    assert medium.read("models/1/a.json/below") is None


def test_leaves_no_temporary_behind(medium: FolderMedium, tmp_path: Path) -> None:
    medium.write("a", b"x")
    with pytest.raises(TypeError):
        medium.write("b", "not bytes")  # type: ignore[arg-type]
    assert [path.name for path in (tmp_path / "medium").iterdir()] == ["a"]


def test_lists_keys_below_a_prefix_without_hidden_files(medium: FolderMedium) -> None:
    for key in ("models/2/b", "models/1/a", "models/1/c/d", "tenants/1/a"):
        medium.write(key, b"")
    (medium.root / "models" / "1" / ".a.1234").write_bytes(b"half")
    assert list(medium.keys("models/1/")) == ["models/1/a", "models/1/c/d"]
    assert list(medium.keys("")) == ["models/1/a", "models/1/c/d", "models/2/b", "tenants/1/a"]
    assert list(medium.keys("none/")) == []


def test_deletes_once_and_twice(medium: FolderMedium) -> None:
    medium.write("a", b"x")
    medium.delete("a")
    medium.delete("a")
    assert medium.read("a") is None


@pytest.mark.parametrize(
    "key", ["", "/a", "a/", "../a", "a/../b", "a//b", ".a", "a/.b", "a\0b", "a\n", "ä", "-a", "a" * 401]
)
def test_refuses_what_is_no_key(medium: FolderMedium, key: str) -> None:
    for verb in (medium.read, medium.delete, lambda text: medium.write(text, b"")):
        with pytest.raises(ValueError):
            verb(key)


def test_refuses_what_is_no_prefix(medium: FolderMedium) -> None:
    for prefix in ("models", "../", "/"):
        with pytest.raises(ValueError):
            list(medium.keys(prefix))


def test_edits_of_many_threads_are_all_kept(medium: FolderMedium) -> None:
    others = [FolderMedium(medium.root) for _ in range(4)]

    def count(mine: FolderMedium) -> None:
        for _ in range(20):
            mine.edit("count", lambda old: str(int(old or b"0") + 1).encode())

    threads = [threading.Thread(target=count, args=(mine,)) for mine in [medium, medium, medium]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert medium.read("count") == b"60"
    assert all(other.read("count") == b"60" for other in others)


def test_an_edit_that_fails_or_gives_none_changes_nothing(medium: FolderMedium) -> None:
    medium.write("a", b"x")
    medium.edit("a", lambda old: None)
    with pytest.raises(ZeroDivisionError):
        medium.edit("a", lambda old: bytes(1 // 0))
    assert medium.read("a") == b"x"
