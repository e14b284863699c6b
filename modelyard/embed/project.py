"""`MODELYARD` of the project's settings, read through the same table as the stand-alone product's environment."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed

from modelyard.core.errors import Misconfigured
from modelyard.core.settings import TABLE, Settings
from modelyard.embed import process

NAME = "MODELYARD"
THE_PROJECTS_OWN = {
    "DATABASE_URL": "DATABASES of the project says where its tables are",
    "SECRET_KEY": "SECRET_KEY of the project signs its sessions",
    "ALLOWED_HOSTS": "ALLOWED_HOSTS of the project says which names it answers to",
    "PORT": "the server that runs the project listens where it is told",
    "EMBEDDED": "in a project predictions are answered in process; `manage.py modelyard serve` may run beside it",
    "URL": "`manage.py modelyard` talks to the project itself",
    "KEY": "`manage.py modelyard` talks to the project itself",
}
"""Settings of the stand-alone product that a project says elsewhere, or that mean nothing in one."""
EXAMPLE = 'MODELYARD = {"HOME": BASE_DIR / "var" / "modelyard"}'


class Unfit:
    """Stands for settings that could not be read: whoever needs one is told why, and `manage.py check` can run."""

    def __init__(self, error: Misconfigured) -> None:
        self.error = error

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        raise Misconfigured(f"MODELYARD in the project's settings: {self.error.message}", **self.error.details)


def read(given: Any) -> Settings:
    """Read the project's dictionary.

    Raises:
        Misconfigured: with every entry that is unknown, does not fit, or is the project's own to say.
    """
    if given is None:
        raise Misconfigured(f"it is missing: {EXAMPLE}", settings=["it is missing"])
    if not isinstance(given, Mapping):
        kind = f"got {type(given).__name__}, expected a dictionary, as {EXAMPLE}"
        raise Misconfigured(kind, settings=[kind])
    wrong = [f"{name} is not set here: {why}" for name, why in THE_PROJECTS_OWN.items() if given.get(name) is not None]
    if not given.get("HOME"):
        near = get_close_matches("HOME", [str(name).upper() for name in given], 1)
        hint = "" if not near else f" (is that what {next(n for n in given if str(n).upper() == near[0])!r} means?)"
        wrong.append(f"HOME is missing: expected a folder on a local disk that the project may write to{hint}")
    try:
        found = Settings.of(
            {name: value for name, value in given.items() if name not in THE_PROJECTS_OWN}, public_url=""
        )
    except Misconfigured as error:
        wrong = [*(str(one) for one in error.details["settings"]), *wrong]
    if wrong:
        raise Misconfigured("; ".join(wrong), settings=wrong)
    return found


def adopt() -> None:
    """Put what was read in the place of the dictionary, for all of our code; also when a test overrides it."""
    _replace(getattr(settings, NAME, None))
    setting_changed.connect(_changed, dispatch_uid="modelyard.embed")


def adopted() -> Settings | Unfit:
    """Return what `adopt` made of the dictionary."""
    found: Settings | Unfit = settings.MODELYARD
    return found


def names() -> list[str]:
    """Return the entries that `MODELYARD` may have."""
    return [setting.name.upper() for setting in TABLE if setting.name.upper() not in THE_PROJECTS_OWN]


def _replace(given: Any) -> None:
    if isinstance(given, (Settings, Unfit)):
        return
    try:
        settings.MODELYARD = read(given)
    except Misconfigured as error:
        settings.MODELYARD = Unfit(error)


def _changed(*, setting: str, **_: Any) -> None:
    if setting == NAME:
        process.stop()
        _replace(getattr(settings, NAME, None))
