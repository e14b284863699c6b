"""Every setting of Modelyard: one table, read once, checked at start, documented from here."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from modelyard.core.errors import Misconfigured

PREFIX = "MODELYARD_"
SECRET = {"secret_key", "key", "database_url", "broker_url", "dataset_databases"}
"""Settings whose values may hold a password, and are never shown."""
STORES = ("filesystem", "database")
"""Where artifacts may be kept."""
MIB = 1 << 20
DRAIN_SECONDS = 5
"""Past the time that a request may take: so long a server that shall end waits for those it has accepted."""
ENVIRONMENT = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}\Z")
"""A name of a Python environment, or of a place that datasets come from."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A row of the table.

    Attributes:
        name: lower case; the environment variable is `MODELYARD_` and the name in upper case.
        read: turns the variable's text into the value; raises `ValueError` with what was expected.
        default: the value, or a function of the settings read so far (those above this row).
        help: one sentence, with the unit.
    """

    name: str
    read: Callable[[str], Any]
    default: Any
    help: str

    @property
    def variable(self) -> str:
        return PREFIX + self.name.upper()


def _path(text: str) -> Path:
    return Path(text).expanduser().absolute()


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 18 or int(text) < 1:
        raise ValueError("expected a whole number of 1 or more")
    return int(text)


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 5 or not 0 < int(text) < 65536:
        raise ValueError("expected a port, 1 to 65535")
    return int(text)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0
    if not 0 < value < 1e9:
        raise ValueError("expected a number of seconds above 0")
    return value


def _flag(text: str) -> bool:
    choices = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    if text.lower() not in choices:
        raise ValueError("expected true or false")
    return choices[text.lower()]


def _one_of(*choices: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"expected one of {', '.join(choices)}")
        return text

    return read


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _named(begins: tuple[str, ...], expected: str) -> Callable[[str], dict[str, str]]:
    """Return what reads `name=value` with commas between, where each value begins in one of these ways."""

    def read(text: str) -> dict[str, str]:
        found: dict[str, str] = {}
        for item in _names(text):
            name, _, value = (part.strip() for part in item.partition("="))
            if not ENVIRONMENT.match(name) or not value.startswith(begins):
                raise ValueError(f"expected {expected}")
            if name in found:
                raise ValueError(f"expected the name {name!r} once")
            found[name] = value
        return found

    return read


def _named_paths(expected: str) -> Callable[[str], dict[str, Path]]:
    read = _named(("/", "~/"), expected)
    return lambda text: {name: _path(value) for name, value in read(text).items()}


_environments = _named_paths("names with the absolute path of an interpreter, as in 'old=/opt/old/bin/python'")
_folders = _named_paths("names with absolute paths of folders, as in 'exports=/srv/exports'")
_buckets = _named(
    ("s3://",), "names with buckets, as in 'lake=s3://bucket/prefix' or '...?endpoint=https://s3.example'"
)
_databases = _named(("postgres://", "postgresql://"), "names with addresses, as in 'warehouse=postgresql://...'")


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        fits = False
    if not fits or text != "".join(text.split()) or "?" in text or "#" in text:
        raise ValueError("expected an address, as in 'https://yard.example.com'")
    return text.rstrip("/")


def _secret(text: str) -> str:
    tell_tale = any(word in text.lower() for word in ("secret", "change", "example", "insecure"))
    if len(text) < 32 or len(set(text)) < 10 or tell_tale:
        raise ValueError("expected at least 32 random characters; `openssl rand -base64 48` makes some")
    return text


def _beneath_home(name: str) -> Callable[[Mapping[str, Any]], Path]:
    return lambda read: read["home"] / name


def _serving_artifacts(read: Mapping[str, Any]) -> Path:
    """Return the store's own folder, or, where the store is none, one in the medium, which the publisher fills."""
    place: Path = read["artifacts"] if read["artifact_store"] == "filesystem" else read["exchange"] / "artifacts"
    return place


def _own_url(port: str) -> Callable[[Mapping[str, Any]], str]:
    """Return the address at which a process that listens on `host` is reached from the same machine."""

    def url(read: Mapping[str, Any]) -> str:
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(read["host"], read["host"])  # noqa: S104
        return f"http://[{host}]:{read[port]}" if ":" in host else f"http://{host}:{read[port]}"

    return url


# fmt: off
TABLE: tuple[Setting, ...] = (
    Setting("home", _path, lambda read: Path("var").absolute(), "folder of all that the embedded default keeps"),
    Setting("host", str, "127.0.0.1", "address that the servers listen on"),
    Setting("port", _port, 8000, "port of the control plane, and of both planes when embedded"),
    Setting("serve_port", _port, lambda read: min(read["port"] + 1, 65535),
            "port of the data plane when it runs alone"),
    Setting("embedded", _flag, True, "the web process answers predictions too; false where the data plane runs alone"),
    Setting("public_url", _url, _own_url("port"), "address of the control plane as users see it"),
    Setting("predict_url", _url, lambda read: read["public_url"] if read["embedded"] else _own_url("serve_port")(read),
            "address of the data plane as users see it"),
    Setting("url", _url, None, "address of the server that the command talks to; `modelyard login` keeps one"),
    Setting("key", str, None, "API key that the command uses; no server reads it"),
    Setting("allowed_hosts", _names, ("localhost", "127.0.0.1", "[::1]"),
            "host names that the control plane answers to, with commas"),
    Setting("secret_key", _secret, None,
            "signs sessions; the embedded default makes one and keeps it in the home folder"),
    Setting("database_url", str, None,
            "postgres://... ; without it SQLite in the home folder, which must be a local disk"),
    Setting("broker_url", str, None, "amqp://... ; without it messages are files in the home folder"),
    Setting("artifact_store", _one_of(*STORES), "filesystem",
            "where artifacts are kept: `filesystem` or `database`; `modelyard artifacts move` copies them over"),
    Setting("artifacts", _path, _beneath_home("artifacts"),
            "folder of the artifacts, where they are kept as files; may be on NFS"),
    Setting("exchange", _path, _beneath_home("exchange"),
            "folder in which the planes exchange snapshots and predictions; may be on NFS"),
    Setting("serving_artifacts", _path, _serving_artifacts,
            "folder from which the data plane takes artifacts; where it is not the store's, the publisher fills it"),
    Setting("spool", _path, _beneath_home("spool"), "folder of predictions not yet handed over; must be a local disk"),
    Setting("cache", _path, _beneath_home("cache"), "folder of the last good snapshot; must be a local disk"),
    Setting("tenant", str, None,
            "tenant that `modelyard.predict` asks in a Django project; needed where there are several"),
    Setting("preload", _names, ("all",),
            "models that the data plane loads at start: `all`, `none`, or names with commas"),
    Setting("max_loaded_bytes", _count, 4096 * MIB,
            "bytes of memory for all models that were loaded on demand; past it those go that were used least lately"),
    Setting("idle_seconds", _seconds, 120.0,
            "seconds after which the data plane unloads a version that no plan names, when nobody asked for it"),
    Setting("max_upload_bytes", _count, 512 * MIB, "bytes of an uploaded model, all files together"),
    Setting("max_dataset_bytes", _count, 4096 * MIB, "bytes of a file, or of a query's rows, that becomes a dataset"),
    Setting("dataset_timeout_seconds", _seconds, 1800.0,
            "seconds in which a dataset must be read, written and described"),
    Setting("dataset_folders", _folders, {},
            "folders whose files may become datasets, for every tenant, as `exports=/srv/exports`, with commas"),
    Setting("dataset_buckets", _buckets, {},
            "S3 buckets whose objects may become datasets, as `lake=s3://bucket/prefix`, with commas; "
            "`?endpoint=https://...` after it where it is not Amazon's"),
    Setting("dataset_databases", _databases, {},
            "PostgreSQL databases whose rows may become datasets, as `warehouse=postgresql://...`, with commas; "
            "the role in the address should see nothing else, and change nothing"),
    Setting("dataset_query_seconds", _seconds, 600.0, "seconds after which a query for a dataset is given up"),
    Setting("max_body_bytes", _count, 8 * MIB, "bytes of a prediction request's body"),
    Setting("max_rows", _count, 10_000, "rows of a prediction request"),
    Setting("max_queue", _count, 256, "requests that may wait for one version"),
    Setting("request_timeout_seconds", _seconds, 30.0, "seconds after which a prediction is given up"),
    Setting("inline_seconds", _seconds, 200e-6,
            "a batch measured to cost less than this many seconds runs in the server's own thread"),
    Setting("max_spool_bytes", _count, 1024 * MIB,
            "bytes of predictions kept on local disk before the oldest are dropped and counted"),
    Setting("job_lease_seconds", _seconds, 30.0,
            "seconds without a sign of life after which a worker has lost its job"),
    Setting("job_resend_seconds", _seconds, 30.0,
            "seconds after which a job that nobody took is announced again"),
    Setting("job_retry_seconds", _seconds, 5.0,
            "seconds before a job whose work failed is tried again; the last time four times as long"),
    Setting("job_timeout_seconds", _seconds, 24 * 3600.0, "seconds that one run of a job may take"),
    Setting("job_memory_bytes", _count, 4096 * MIB, "bytes of memory that the process which does a job may use"),
    Setting("job_output_bytes", _count, 4096 * MIB, "bytes that a job may leave on disk"),
    Setting("register_timeout_seconds", _seconds, 120.0,
            "seconds in which an uploaded model must be opened, converted and tried"),
    Setting("sandbox_memory_bytes", _count, 2048 * MIB, "bytes of memory that one sandboxed child may use"),
    Setting("trainers", _names, (),
            "trainers besides the built-in and the installed ones, as `package.module:Class`, with commas"),
    Setting("training_functions", _names, (),
            "functions that the trainer `function` may run, as `package.module:function`, with commas"),
    Setting("environments", _environments, {},
            "other Python environments for old pickles, as `old=/opt/old/bin/python`, with commas; `modelyard doctor` "
            "looks at each"),
    Setting("unsafe_without_sandbox", _flag, False,
            "run files that carry code although a layer of the sandbox is missing; each start warns"),
)
# fmt: on


class Settings:
    """The values, as attributes named like the rows. Read once by `Settings.read`; never changed."""

    _values: dict[str, Any]

    def __init__(self, values: Mapping[str, Any]) -> None:
        object.__setattr__(self, "_values", dict(values))

    def __getattr__(self, name: str) -> Any:
        # Copying asks for attributes before there are values.
        if name.startswith("_") or name not in self._values:
            raise AttributeError(name)
        return self._values[name]

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"settings are read once: {name} cannot be changed")

    @property
    def drain_seconds(self) -> int:
        """Return how long a server that shall end waits for the requests that it has accepted."""
        longest: float = self.request_timeout_seconds
        return math.ceil(longest) + DRAIN_SECONDS

    @classmethod
    def read(cls, environment: Mapping[str, str], **given: Any) -> "Settings":
        """Read the table from `environment` (as `os.environ`); `given` values win over it.

        `PORT` stands in for `MODELYARD_PORT`, as platforms that start a Procfile expect.

        Raises:
            Misconfigured: naming every variable that is unknown or does not fit.
        """
        wrong = _unknown(environment)
        values: dict[str, Any] = {}
        for setting in TABLE:
            default = setting.default(values) if callable(setting.default) else setting.default
            values[setting.name] = default
            variable = setting.variable
            if setting.name == "port" and not environment.get(variable):
                variable = "PORT"
            text = environment.get(variable, "")
            if given.get(setting.name) is not None:
                values[setting.name] = given[setting.name]
            elif text:
                try:
                    values[setting.name] = setting.read(text)
                except ValueError as error:
                    shown = "the value" if setting.name in SECRET else repr(text)
                    wrong.append(f"{variable}: {shown} does not fit, {error}")
        if wrong:
            raise Misconfigured("; ".join(wrong), settings=wrong)
        return cls(values)

    @classmethod
    def of(cls, given: Mapping[str, Any], **defaults: Any) -> "Settings":
        """Read the table from a dictionary whose keys are the names in upper case, as `{"HOME": BASE_DIR / "var"}`.

        Values are what the variables hold, or what these mean: paths, numbers, booleans, lists of names. None leaves
        a setting out. `defaults` are values that stand in for the table's own.

        Raises:
            Misconfigured: naming every entry that is unknown or does not fit.
        """
        texts = {f"{PREFIX}{name}": _text(value) for name, value in given.items()}
        stray = [repr(name) for name in given if not isinstance(name, str)]
        if stray:
            raise Misconfigured(f"{stray[0]} is no setting: expected names in upper case, as 'HOME'", settings=stray)
        left = {name: value for name, value in defaults.items() if given.get(name.upper()) is None}
        try:
            return cls.read(texts, **left)
        except Misconfigured as error:
            wrong = [str(one).replace(PREFIX, "") for one in error.details["settings"]]
            raise Misconfigured("; ".join(wrong), settings=wrong) from None


def _text(value: Any) -> str:
    """Return a value as its variable would hold it; None leaves it out."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple, set, frozenset)):
        return ",".join(str(one) for one in value)
    return str(value)


def _unknown(environment: Mapping[str, str]) -> list[str]:
    known = {setting.variable.removeprefix(PREFIX) for setting in TABLE}
    wrong = []
    for variable in sorted(environment):
        name = variable.removeprefix(PREFIX)
        if variable.startswith(PREFIX) and name not in known:
            near = get_close_matches(name.upper(), known, n=1)
            hint = f"did you mean {PREFIX}{near[0]}?" if near else "docs/settings.md lists them all"
            wrong.append(f"{variable} is no setting; {hint}")
    return wrong
