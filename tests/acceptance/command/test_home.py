"""`modelyard init`, `keys` and `doctor`, on homes without servers."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.command.conftest import Said, command


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "home"
    first = command("init", "--home", folder, "--json").json
    assert first["made"]
    assert first["key"].startswith("yard_")
    assert len(first["password"]) >= 20
    return folder


def test_a_home_is_for_its_owner_only(home: Path) -> None:
    assert home.stat().st_mode & 0o777 == 0o700
    assert (home / "secret_key").stat().st_mode & 0o777 == 0o600
    assert (home / "modelyard.sqlite3").stat().st_mode & 0o777 == 0o600


def test_a_folder_of_other_files_becomes_no_home(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    said = command("init", "--home", tmp_path)
    assert said.code == 1
    assert "not empty (it holds thesis.tex): give an empty or a new folder" in said.err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_folder_that_only_looks_like_a_home_is_left_as_it_is(tmp_path: Path) -> None:
    """As /var does, which is `./var` to who stands in the root: it has a cache and a spool, and is everybody's."""
    for name in ("cache", "spool", "log"):
        (tmp_path / name).mkdir()
    tmp_path.chmod(0o755)
    said = command("init", "--home", tmp_path)
    assert said.code == 1
    assert "is no home of Modelyard, and not empty (it holds log)" in said.err
    assert tmp_path.stat().st_mode & 0o777 == 0o755
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "log", "spool"]


def test_a_home_that_is_a_file_or_the_kernels_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "file is a file, expected a folder" in command("init", "--home", tmp_path / "file").err
    assert "/proc is the kernel's" in command("init", "--home", "/proc/modelyard").err


def test_a_second_init_makes_and_shows_nothing(home: Path) -> None:
    assert command("init", "--home", home, "--json").json == {"home": str(home), "made": False}
    said = command("init", "--home", home)
    assert "nothing had to be made" in said.out
    assert "yard_" not in said.out


def test_a_password_can_be_made_anew(home: Path) -> None:
    first = command("init", "--home", home, "--reset-password", "--json").json
    second = command("init", "--home", home, "--reset-password", "--json").json
    assert first["user"] == second["user"] == "admin"
    assert first["password"] != second["password"]
    assert second["key"] is None


def test_keys_are_made_listed_and_revoked(home: Path) -> None:
    made = command(
        "keys", "create", "--tenant", "demo", "--name", "ci", "--scope", "admin", "--json", "--home", home
    ).json
    assert made["key"].startswith(f"yard_{made['prefix']}_")
    assert made["scopes"] == ["admin", "predict", "read", "write"]
    listed = command("keys", "list", "--home", home, "--json")
    assert made["key"] not in listed.out
    assert [row["state"] for row in listed.json if row["name"] == "ci"] == ["live"]
    said = command("keys", "create", "--name", "told", "--scope", "write", "--home", home)
    assert "  scopes   read, write; running servers know the key within a second\n" in said.out
    twice = command("keys", "create", "--name", "ci", "--home", home)
    assert twice.code == 1
    assert "is in use" in twice.err
    said = command("keys", "revoke", made["prefix"], "--home", home)
    assert "opens nothing any more" in said.out
    assert f"--tenant demo --scope admin --home {home}" in said.out
    assert "was already revoked" in command("keys", "revoke", made["prefix"], "--home", home).out
    assert "revoked" in command("keys", "list", "--home", home).out


def test_tenants_and_their_members_are_made_and_listed(home: Path) -> None:
    assert (
        command("tenants", "create", "acme", "--title", "Acme", "--home", home, "--json").json["result"]["name"]
        == "acme"
    )
    assert "a tenant called 'acme' already" in command("tenants", "create", "acme", "--home", home).err
    unnamed = command("tenants", "create", "A C M E", "--home", home)
    assert (unnamed.code, "cannot name a tenant" in unnamed.err) == (2, True)
    made = command("members", "add", "bea", "--tenant", "acme", "--role", "admin", "--home", home, "--json").json
    assert made["role"] == "admin"
    assert len(made["password"]) >= 20
    known = command("members", "add", "bea", "--tenant", "demo", "--home", home, "--json").json
    assert "password" not in known
    assert command("members", "list", "--tenant", "acme", "--home", home, "--json").json == [
        {"user": "bea", "role": "admin"}
    ]
    rows = {row["name"]: row for row in command("tenants", "list", "--home", home, "--json").json}
    assert (rows["acme"]["members"], rows["acme"]["keys"]) == (1, 0)


def test_a_tenant_is_deleted_when_it_holds_nothing(home: Path) -> None:
    made = command("tenants", "create", "brief", "--home", home, "--json").json
    assert made["undo"] == f"modelyard tenants delete brief --home {home}"
    command("members", "add", "dan", "--tenant", "brief", "--home", home)
    command("keys", "create", "--name", "ci", "--tenant", "brief", "--home", home)
    kept = command("tenants", "delete", "brief", "--home", home, stdin="n\n")
    assert (kept.code, "Delete brief, with its members, its keys and its log?" in kept.err) == (1, True)
    gone = command("tenants", "delete", "brief", "--home", home, stdin="y\n")
    assert (gone.code, gone.out.splitlines()[0].strip()) == (0, "brief is deleted")
    again = command("tenants", "delete", "brief", "--yes", "--home", home)
    assert (again.code, "there is no tenant 'brief': expected one of" in again.err) == (1, True)
    own = command("tenants", "delete", "operator", "--yes", "--home", home)
    assert (own.code, "is the operator's own, and stays" in own.err) == (1, True)


def test_a_member_that_cannot_be_is_told_why_and_leaves_no_account(home: Path) -> None:
    wrong = command("members", "add", "cleo", "--role", "king", "--home", home)
    assert wrong.code == 2
    assert "--role 'king': expected one of viewer, editor, admin" in wrong.err
    assert "password" in command("members", "add", "cleo", "--home", home, "--json").json
    assert "cannot name a user" in command("members", "add", "two words", "--home", home).err
    assert "there is no tenant 'nobody'" in command("members", "list", "--tenant", "nobody", "--home", home).err
    removed = command("members", "remove", "cleo", "--home", home)
    assert "modelyard members add cleo --tenant demo --role viewer" in removed.out
    assert command("members", "remove", "cleo", "--home", home).code == 1


def test_a_key_has_the_least_scope_and_may_expire(home: Path) -> None:
    made = command("keys", "create", "--name", "short", "--expires", "2999-01-31", "--home", home, "--json").json
    assert made["scopes"] == ["predict"]
    assert made["expires_at"] == "2999-01-31T00:00:00+00:00"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["create", "--name", "x", "--tenant", "nobody"], "there is no tenant 'nobody': expected one of"),
        (["create", "--name", "x", "--scope", "everything"], "--scope 'everything': expected one of predict, read,"),
        (["create", "--name", "x", "--expires", "tomorrow"], "expected ISO 8601"),
        (["create", "--name", "x", "--expires", "2001-01-01"], "is past"),
        (["create", "--name", ""], "expected 1 to 100"),
        (["revoke", "nosuchkey"], "`modelyard keys list`"),
    ],
)
def test_wrong_keys_are_refused(home: Path, arguments: list[str], expected: str) -> None:
    said = command("keys", *arguments, "--home", home)
    assert said.code == (2 if {"tomorrow", "everything"} & set(arguments) else 1)
    assert expected in said.err
    assert said.out == ""


def test_keys_of_no_home_make_none(tmp_path: Path) -> None:
    said = command("keys", "list", "--home", tmp_path / "none", "--json")
    assert json.loads(said.err)["error"]["code"] == "misconfigured"
    assert "modelyard init" in said.err
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("process", ["web", "worker", "tend"])
def test_a_process_of_no_home_does_not_start_and_makes_none(tmp_path: Path, process: str) -> None:
    said = command(process, "--home", tmp_path / "none")
    assert said.code == 1
    assert f"{tmp_path}/none is no home of Modelyard: `modelyard init` makes one" in said.err
    assert not (tmp_path / "none").exists()


def examined(home: Path, **environment: str) -> tuple[Said, dict[str, dict[str, Any]]]:
    said = command("doctor", "--home", home, "--json", XDG_CONFIG_HOME=str(home / "config"), **environment)
    report = json.loads(said.out)
    assert report["healthy"] is (said.code == 0)
    worst = ["ok", "warning", "bad"]
    found: dict[str, dict[str, Any]] = {}
    for finding in sorted(report["findings"], key=lambda finding: worst.index(finding["state"])):
        found[finding["check"]] = finding
    return said, found


def test_doctor_finds_a_whole_home_healthy(home: Path, free_port: int) -> None:
    said, found = examined(home, MODELYARD_PORT=str(free_port))
    assert said.code == 0, said.out
    assert found["database"]["state"] == "ok"
    assert found["secret key"]["state"] == "ok"
    assert found["packages"]["state"] == "ok"


def test_doctor_names_what_is_open_to_others_with_the_mend(home: Path) -> None:
    (home / "secret_key").chmod(0o644)
    home.chmod(0o755)
    try:
        said, found = examined(home)
        assert said.code == 1
        assert "chmod 600" in found["secret key"]["mend"]
        assert found["home"]["mend"] == f"chmod 700 {home}"
    finally:
        (home / "secret_key").chmod(0o600)
        home.chmod(0o700)


@pytest.mark.parametrize("kind", ["kernel", "file", "strange"])
def test_doctor_says_of_a_home_what_up_says(tmp_path: Path, kind: str, free_port: int) -> None:
    place = Path("/proc/foo") if kind == "kernel" else tmp_path / "place"
    if kind == "file":
        place.touch()
    elif kind == "strange":
        place.mkdir()
        (place / "thesis.tex").touch()
    refused = command("up", "--home", place, "--port", free_port, "--json")
    said = command("doctor", "--home", place, "--json", XDG_CONFIG_HOME=str(tmp_path / "config"))
    assert said.code == refused.code == 1
    found = [finding for finding in json.loads(said.out)["findings"] if finding["check"] in ("home", "database")]
    assert [finding["check"] for finding in found] == ["home"]
    assert f"{found[0]['text']}: {found[0]['mend']}" == json.loads(refused.err)["error"]["message"]


def test_a_new_key_is_told_with_the_login_that_takes_it(home: Path) -> None:
    known = {"MODELYARD_PUBLIC_URL": "https://yard.example.com"}
    said = command("keys", "create", "--name", "me", "--home", home, **known)
    assert "  login    modelyard login https://yard.example.com\n" in said.out


def test_doctor_names_wrong_settings(home: Path) -> None:
    said, found = examined(home, MODELYARD_PROT="1")
    assert said.code == 1
    assert found["settings"]["text"].startswith("MODELYARD_PROT is no setting")
    assert "unset MODELYARD_PROT" in found["settings"]["mend"]


@pytest.mark.parametrize(
    ("variable", "value", "check", "state"),
    [
        ("MODELYARD_ALLOWED_HOSTS", "*", "exposure", "bad"),
        ("MODELYARD_HOST", "0.0.0.0", "exposure", "warning"),
        ("MODELYARD_BROKER_URL", "amqp://nobody:x@127.0.0.1:1//", "broker", "bad"),
        ("MODELYARD_DATABASE_URL", "postgres://nobody@127.0.0.1:1/none", "database", "bad"),
    ],
)
def test_doctor_looks_at_what_settings_name(
    home: Path, free_port: int, variable: str, value: str, check: str, state: str
) -> None:
    said, found = examined(home, **{variable: value, "MODELYARD_PORT": str(free_port)})
    assert found[check]["state"] == state
    assert found[check]["mend"]
    assert (said.code == 1) is (state == "bad")


def test_doctor_speaks_to_people(home: Path) -> None:
    said = command("doctor", "--home", home)
    assert "database" in said.out
    assert "Traceback" not in said.out + said.err


def test_doctor_of_no_home_makes_none(tmp_path: Path) -> None:
    _, found = examined(tmp_path / "none")
    assert found["home"]["mend"] == "modelyard init"
    assert found["database"]["mend"] == "modelyard init"
    assert not (tmp_path / "none").exists()


def test_front_ends_are_allowed_listed_and_removed(home: Path) -> None:
    assert (
        "none: `modelyard tenants origins add` allows one" in command("tenants", "origins", "list", "--home", home).out
    )
    made = command("tenants", "origins", "add", "HTTPS://App.example/", "--home", home, "--json").json
    assert made["result"] == {"origin": "https://app.example", "tenant": "demo"}
    assert made["undo"] == f"modelyard tenants origins remove https://app.example --tenant demo --home {home}"
    listed = command("tenants", "origins", "list", "--home", home, "--json").json
    assert [(row["origin"], row["created_by"]) for row in listed] == [("https://app.example", "system:command")]
    twice = command("tenants", "origins", "add", "https://app.example", "--home", home)
    assert (twice.code, "is allowed already" in twice.err) == (1, True)
    removed = command("tenants", "origins", "remove", "https://APP.example", "--home", home)
    assert "modelyard tenants origins add https://app.example --tenant demo" in removed.out
    again = command("tenants", "origins", "remove", "https://app.example", "--home", home)
    assert (again.code, "does not allow https://app.example" in again.err) == (1, True)
    assert command("tenants", "origins", "list", "--home", home, "--json").json == []


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["*"], "pages of strangers"),
        (["null"], "sandboxed frames"),
        (["http://app.example"], "plain http"),
        (["https://app.example/x"], "expected https://app.example"),
        (["https://app.example", "--tenant", "nobody"], "there is no tenant 'nobody'"),
    ],
)
def test_what_is_no_origin_is_refused(home: Path, arguments: list[str], expected: str) -> None:
    said = command("tenants", "origins", "add", *arguments, "--home", home)
    assert said.code == (1 if "nobody" in arguments else 2)
    assert expected in said.err
    assert said.out == ""
