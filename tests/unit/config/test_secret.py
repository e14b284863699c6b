import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from modelyard.config.secret import make_secret_key, secret_key
from modelyard.core.errors import Misconfigured
from modelyard.core.settings import Settings


def test_a_key_is_made_once_and_kept_private(tmp_path: Path) -> None:
    settings = Settings.read({}, home=tmp_path)
    make_secret_key(settings)
    first = secret_key(settings, {})
    assert len(first) >= 64
    make_secret_key(settings)
    assert secret_key(settings, {}) == first
    assert stat.S_IMODE((tmp_path / "secret_key").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["secret_key"]


def test_asking_for_a_key_makes_none(tmp_path: Path) -> None:
    assert secret_key(Settings.read({}, home=tmp_path), {}) == ""
    assert list(tmp_path.iterdir()) == []


def test_processes_that_start_at_once_agree(tmp_path: Path) -> None:
    settings = Settings.read({}, home=tmp_path)

    def key(_: int) -> str:
        make_secret_key(settings)
        return secret_key(settings, {})

    with ThreadPoolExecutor(16) as pool:
        keys = set(pool.map(key, range(64)))
    assert len(keys) == 1


def test_a_given_key_wins_and_is_not_kept(tmp_path: Path) -> None:
    given = "kT9wq3Zx7Lm2Vb8Nc4Rf6Yh1Jd5Gs0Pa-Qe_Wu"
    environment = {"MODELYARD_SECRET_KEY": given}
    settings = Settings.read(environment, home=tmp_path)
    make_secret_key(settings)
    assert secret_key(settings, environment) == given
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "given",
    [
        "x", "short", "a" * 64, "changeme" * 8, "django-insecure-kT9wq3Zx7Lm2Vb8Nc4Rf6Yh1Jd5Gs0Pa",
        "example-kT9wq3Zx7Lm2Vb8Nc4Rf6Yh1Jd5Gs0Pa", "my-secret-key-kT9wq3Zx7Lm2Vb8Nc4Rf6Yh1", "12345678" * 8,
    ],
)  # fmt: skip
def test_weak_keys_are_refused_without_being_shown(tmp_path: Path, given: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        Settings.read({"MODELYARD_SECRET_KEY": given}, home=tmp_path)
    assert given not in caught.value.message or given == "x"


def test_an_empty_key_is_refused(tmp_path: Path) -> None:
    environment = {"MODELYARD_SECRET_KEY": ""}
    with pytest.raises(Misconfigured, match="empty"):
        secret_key(Settings.read(environment, home=tmp_path), environment)


@pytest.mark.parametrize("kept", ["", "short", "changeme" * 8, "\n"])
def test_a_weak_kept_key_is_refused(tmp_path: Path, kept: str) -> None:
    (tmp_path / "secret_key").write_text(kept)
    with pytest.raises(Misconfigured, match="remove the file"):
        secret_key(Settings.read({}, home=tmp_path), {})
