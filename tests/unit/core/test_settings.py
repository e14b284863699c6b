"""Settings are read from one table; whatever does not fit is named at start."""

import copy
import re
import secrets
from pathlib import Path
from typing import Any

import pytest

from modelyard.core.errors import Misconfigured
from modelyard.core.settings import PREFIX, SECRET, TABLE, Settings


def refusal(**environment: str) -> str:
    with pytest.raises(Misconfigured) as caught:
        Settings.read(environment)
    return caught.value.message


def test_nothing_set_gives_the_defaults() -> None:
    settings = Settings.read({})
    assert settings.home == Path("var").absolute()
    assert settings.port == 8000
    assert settings.serve_port == 8001
    assert settings.public_url == "http://127.0.0.1:8000"
    assert settings.predict_url == settings.public_url
    assert settings.embedded is True
    assert settings.secret_key is None
    assert settings.unsafe_without_sandbox is False


def test_every_row_is_whole() -> None:
    names = [setting.name for setting in TABLE]
    assert len(names) == len(set(names))
    for setting in TABLE:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", setting.name)
        assert setting.variable == PREFIX + setting.name.upper()
        assert setting.help
        assert not setting.help.endswith(".")
        assert hasattr(Settings.read({}), setting.name)


def test_every_bound_has_a_default() -> None:
    settings = Settings.read({})
    for setting in TABLE:
        if setting.name.startswith("max_") or setting.name.endswith(("_seconds", "_bytes")):
            assert getattr(settings, setting.name) > 0


def test_folders_lie_beneath_home_unless_told(tmp_path: Path) -> None:
    settings = Settings.read({"MODELYARD_HOME": str(tmp_path), "MODELYARD_ARTIFACTS": "/nfs/models"})
    assert settings.spool == tmp_path / "spool"
    assert settings.exchange == tmp_path / "exchange"
    assert settings.artifacts == Path("/nfs/models")


def test_relative_folders_are_made_absolute() -> None:
    assert Settings.read({"MODELYARD_HOME": "here"}).home == Path.cwd() / "here"
    assert Settings.read({"MODELYARD_HOME": "~/yard"}).home == Path.home() / "yard"


def test_addresses_follow_host_and_ports() -> None:
    settings = Settings.read({"MODELYARD_HOST": "0.0.0.0", "MODELYARD_PORT": "9000"})
    assert settings.public_url == "http://127.0.0.1:9000"
    assert Settings.read({"MODELYARD_HOST": "::1"}).public_url == "http://[::1]:8000"
    assert Settings.read({"MODELYARD_HOST": "::"}).public_url == "http://[::1]:8000"
    assert Settings.read({"MODELYARD_PORT": "65535"}).serve_port == 65535


def test_a_data_plane_of_its_own_has_an_address_of_its_own() -> None:
    split = Settings.read({"MODELYARD_EMBEDDED": "false", "MODELYARD_SERVE_PORT": "9100"})
    assert split.predict_url == "http://127.0.0.1:9100"
    told = Settings.read({"MODELYARD_EMBEDDED": "no", "MODELYARD_PREDICT_URL": "https://predict.yard.test/"})
    assert told.predict_url == "https://predict.yard.test"


def test_the_port_of_a_platform_stands_in() -> None:
    assert Settings.read({"PORT": "5000"}).port == 5000
    assert Settings.read({"PORT": "5000", "MODELYARD_PORT": "6000"}).port == 6000
    assert refusal(PORT="http") == "PORT: 'http' does not fit, expected a port, 1 to 65535"


def test_an_empty_variable_is_as_none() -> None:
    assert Settings.read({"MODELYARD_PORT": "", "MODELYARD_SECRET_KEY": ""}).port == 8000


def test_given_values_win() -> None:
    settings = Settings.read({"MODELYARD_PORT": "9000"}, port=7000, home=None)
    assert settings.port == 7000
    assert settings.serve_port == 7001


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("embedded", "1", True),
        ("embedded", "TRUE", True),
        ("embedded", "No", False),
        ("max_rows", "1", 1),
        ("inline_seconds", "1e-4", 1e-4),
        ("request_timeout_seconds", "2.5", 2.5),
        ("preload", "iris, wine,,", ("iris", "wine")),
        ("allowed_hosts", "yard.test", ("yard.test",)),
        ("public_url", "https://yard.test:8443/ml/", "https://yard.test:8443/ml"),
    ],
)
def test_texts_become_values(name: str, text: str, value: Any) -> None:
    assert getattr(Settings.read({PREFIX + name.upper(): text}), name) == value


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("port", "0", "a port"),
        ("port", "65536", "a port"),
        ("port", "-1", "a port"),
        ("port", "\u0664", "a port"),
        ("port", "9" * 5000, "a port"),
        ("max_rows", "0", "a whole number"),
        ("max_rows", "1.5", "a whole number"),
        ("max_rows", "ten", "a whole number"),
        ("max_body_bytes", "9" * 5000, "a whole number"),
        ("request_timeout_seconds", "0", "a number of seconds"),
        ("request_timeout_seconds", "-3", "a number of seconds"),
        ("request_timeout_seconds", "nan", "a number of seconds"),
        ("request_timeout_seconds", "inf", "a number of seconds"),
        ("request_timeout_seconds", "soon", "a number of seconds"),
        ("embedded", "maybe", "true or false"),
        ("public_url", "yard.test", "an address"),
        ("public_url", "ftp://yard.test", "an address"),
        ("public_url", "http://", "an address"),
        ("public_url", "http://yard.test:port", "an address"),
        ("public_url", "http://yard test", "an address"),
        ("predict_url", "http://yard.test/?a=b", "an address"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_was_expected(name: str, text: str, expected: str) -> None:
    variable = PREFIX + name.upper()
    assert refusal(**{variable: text}).startswith(f"{variable}: {text!r} does not fit, expected {expected}")


def test_everything_wrong_is_told_at_once() -> None:
    with pytest.raises(Misconfigured) as caught:
        Settings.read({"MODELYARD_PORT": "x", "MODELYARD_MAX_ROWS": "x", "MODELYARD_SHINE": "1"})
    assert len(caught.value.details["settings"]) == 3


def test_a_variable_that_is_no_setting_is_told_the_nearest() -> None:
    assert refusal(MODELYARD_PROT="1") == "MODELYARD_PROT is no setting; did you mean MODELYARD_PORT?"
    assert refusal(MODELYARD_QQQQQQ="1") == "MODELYARD_QQQQQQ is no setting; docs/settings.md lists them all"


def test_other_programs_variables_are_left_alone() -> None:
    assert Settings.read({"MODEL": "x", "PATH": "/bin", "modelyard_port": "1"}).port == 8000


@pytest.mark.parametrize(
    "secret",
    [
        "short",
        "a" * 64,
        "change-me-" + "0123456789abcdef" * 4,
        "django-insecure-0123456789abcdefghijklmnopqrstuvwxyz",
        "this-is-an-example-0123456789abcdefghijklmnop",
        "my-secret-key-0123456789abcdefghijklmnopqrst",
    ],
)
def test_a_weak_secret_is_refused_and_not_shown(secret: str) -> None:
    message = refusal(MODELYARD_SECRET_KEY=secret)
    assert "expected at least 32 random characters" in message
    assert secret not in message


def test_a_random_secret_is_taken() -> None:
    secret = secrets.token_hex(32)
    assert Settings.read({"MODELYARD_SECRET_KEY": secret}).secret_key == secret


def test_settings_that_may_hold_passwords_exist() -> None:
    assert {setting.name for setting in TABLE} >= SECRET


def test_settings_cannot_be_changed() -> None:
    settings = Settings.read({})
    with pytest.raises(AttributeError, match="port cannot be changed"):
        settings.port = 1
    assert settings.port == 8000
    with pytest.raises(AttributeError):
        settings.no_such_setting  # noqa: B018


def test_settings_can_be_copied() -> None:
    settings = Settings.read({"MODELYARD_PORT": "9000"})
    assert copy.deepcopy(settings).port == 9000
    assert copy.copy(settings).port == 9000
    assert "9000" not in repr(settings)


class TestOfADictionary:
    """As a Django project says them: names in upper case, values of Python's own types."""

    def test_values_of_every_kind_are_read_as_their_variables_would_be(self, tmp_path: Path) -> None:
        given = {
            "HOME": tmp_path,
            "MAX_ROWS": 7,
            "INLINE_SECONDS": 0.001,
            "UNSAFE_WITHOUT_SANDBOX": True,
            "PRELOAD": ["iris", "churn"],
            "BROKER_URL": None,
        }
        settings = Settings.of(given)
        assert settings.home == tmp_path
        assert settings.artifacts == tmp_path / "artifacts"
        assert (settings.max_rows, settings.inline_seconds, settings.unsafe_without_sandbox) == (7, 0.001, True)
        assert settings.preload == ("iris", "churn")
        assert settings.broker_url is None

    def test_defaults_stand_in_for_the_tables_own(self) -> None:
        assert Settings.of({"HOME": "/x"}, public_url="").predict_url == ""
        given = {"HOME": "/x", "PUBLIC_URL": "https://shop.example.com/ml/"}
        assert Settings.of(given, public_url="").public_url == "https://shop.example.com/ml"

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ({"MAX_ROW": 1}, "MAX_ROW is no setting; did you mean MAX_ROWS?"),
            ({"max_rows": 1}, "max_rows is no setting; did you mean MAX_ROWS?"),
            ({"MAX_ROW": None}, "MAX_ROW is no setting; did you mean MAX_ROWS?"),
            ({"MAX_ROWS": True}, "MAX_ROWS: 'true' does not fit, expected a whole number of 1 or more"),
            ({7: 1}, "7 is no setting"),
        ],
    )
    def test_what_does_not_fit_is_named_without_a_prefix(self, given: dict[Any, Any], said: str) -> None:
        with pytest.raises(Misconfigured) as caught:
            Settings.of(given)
        assert said in caught.value.message
        assert "MODELYARD_" not in caught.value.message

    def test_the_environment_is_not_asked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MODELYARD_MAX_ROWS", "3")
        assert Settings.of({}).max_rows == 10_000


def test_places_that_datasets_come_from_are_named() -> None:
    read = Settings.read(
        {
            "MODELYARD_DATASET_FOLDERS": "exports=/srv/exports, more=/srv/more",
            "MODELYARD_DATASET_BUCKETS": "lake=s3://bucket/prefix?endpoint=https://s3.example",
            "MODELYARD_DATASET_DATABASES": "warehouse=postgresql://me:hidden@there/db?sslmode=require",
        }
    )
    assert read.dataset_folders == {"exports": Path("/srv/exports"), "more": Path("/srv/more")}
    assert read.dataset_buckets == {"lake": "s3://bucket/prefix?endpoint=https://s3.example"}
    assert read.dataset_databases == {"warehouse": "postgresql://me:hidden@there/db?sslmode=require"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("FOLDERS", "exports"),
        ("FOLDERS", "exports=relative"),
        ("FOLDERS", "a=/x,a=/y"),
        ("FOLDERS", "Upper=/x"),
        ("BUCKETS", "lake=https://bucket"),
        ("DATABASES", "warehouse=mysql://me:hidden@there/db"),
    ],
)
def test_places_that_do_not_fit_are_refused_and_no_password_is_shown(name: str, text: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        Settings.read({f"MODELYARD_DATASET_{name}": text})
    assert f"MODELYARD_DATASET_{name}" in refused.value.message
    assert "hidden" not in refused.value.message
