"""What a process of the control plane needs in the home folder; reading the settings alone makes nothing."""

from collections.abc import Mapping
from pathlib import Path

from modelyard.config.secret import make_secret_key
from modelyard.core.settings import Settings

UPLOADS = "uploads"
BROKER = "broker"
MESSAGES, TAKEN, CONTROL = f"{BROKER}/messages", f"{BROKER}/taken", f"{BROKER}/control"


def lay_out(environment: Mapping[str, str]) -> None:
    """Make the home's folders, for their owner's eyes only, and the key that signs sessions. Called by what starts."""
    settings = Settings.read(environment)
    make_folders(settings)
    make_secret_key(settings)


def make_folders(settings: Settings) -> None:
    """Make the home's folders, for their owner's eyes only."""
    home: Path = settings.home
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in (UPLOADS,) if settings.broker_url else (UPLOADS, BROKER, MESSAGES, TAKEN, CONTROL):
        (home / name).mkdir(mode=0o700, exist_ok=True)
