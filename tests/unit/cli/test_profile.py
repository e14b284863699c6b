"""Which server, and which key for it."""

from pathlib import Path

import pytest

from modelyard.cli.profile import Profile, current, profile_path, save, saved, with_key
from modelyard.core.errors import InvalidInput, Misconfigured, Unauthenticated


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name in ("MODELYARD_URL", "MODELYARD_KEY", "MODELYARD_PORT"):
        monkeypatch.delenv(name, raising=False)


def keep(url: str = "http://yard.example.com", key: str = "yard_kept") -> None:
    save(Profile(url=url, key=key, tenant="demo"), profile_path())


def test_the_file_is_where_the_specification_puts_it(tmp_path: Path) -> None:
    assert profile_path() == tmp_path / "modelyard" / "login.json"
    assert profile_path({"HOME": "/home/me"}) == Path("/home/me/.config/modelyard/login.json")
    assert profile_path({"HOME": "/home/me", "XDG_CONFIG_HOME": "relative"}) == Path(
        "/home/me/.config/modelyard/login.json"
    )


def test_only_the_owner_may_read_it() -> None:
    keep()
    assert profile_path().stat().st_mode & 0o777 == 0o600
    assert profile_path().parent.stat().st_mode & 0o777 == 0o700


def test_what_was_kept_comes_back_and_no_draft_stays() -> None:
    keep()
    keep(key="yard_newer")
    found = saved(profile_path())
    assert found is not None
    assert found.key == "yard_newer"
    assert [path.name for path in profile_path().parent.iterdir()] == ["login.json"]


def test_nothing_kept_means_this_machine() -> None:
    assert current() == Profile(url="http://127.0.0.1:8000")


def test_the_option_wins_over_the_variable_and_that_over_the_login(monkeypatch: pytest.MonkeyPatch) -> None:
    keep()
    assert current().url == "http://yard.example.com"
    monkeypatch.setenv("MODELYARD_URL", "http://other.example.com")
    assert current().url == "http://other.example.com"
    assert current("http://third.example.com/").url == "http://third.example.com"


def test_a_kept_key_is_for_its_own_server_only(monkeypatch: pytest.MonkeyPatch) -> None:
    keep()
    assert current("http://yard.example.com/").key == "yard_kept"
    assert current("http://elsewhere.example.com").key is None
    monkeypatch.setenv("MODELYARD_KEY", "yard_given")
    assert current("http://elsewhere.example.com").key == "yard_given"


def test_a_given_key_wins_and_its_tenant_is_not_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    keep()
    monkeypatch.setenv("MODELYARD_KEY", "yard_given")
    assert current() == Profile(url="http://yard.example.com", key="yard_given")


def test_without_a_key_it_says_how_to_get_one() -> None:
    with pytest.raises(Unauthenticated, match="modelyard login http://x"):
        with_key(Profile(url="http://x"))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"key": "x"}'])
def test_a_broken_file_is_named_with_the_mend(content: bytes) -> None:
    keep()
    profile_path().write_bytes(content)
    with pytest.raises(Misconfigured, match="modelyard login"):
        current()


def test_an_unknown_setting_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELYARD_KEYY", "x")
    with pytest.raises(Misconfigured, match="MODELYARD_KEYY is no setting"):
        current()


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(InvalidInput):
        current("yard.example.com")
