"""What is made on disk, and when."""

import stat
import subprocess
import sys
from pathlib import Path

from modelyard.config.folders import lay_out


def test_the_folders_are_for_their_owner_only(tmp_path: Path) -> None:
    home = tmp_path / "home"
    lay_out({"MODELYARD_HOME": str(home)})
    made = {str(path.relative_to(home)) for path in home.rglob("*")}
    assert made == {"uploads", "broker", "broker/messages", "broker/taken", "broker/control", "secret_key"}
    assert all(stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 for path in [home, *home.rglob("*")])


def test_a_broker_of_ones_own_needs_none_of_its_folders(tmp_path: Path) -> None:
    lay_out({"MODELYARD_HOME": str(tmp_path), "MODELYARD_BROKER_URL": "amqp://127.0.0.1:1//"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["secret_key", "uploads"]


def test_reading_the_settings_makes_nothing(tmp_path: Path) -> None:
    """A type checker reads them too, in whatever folder it stands."""
    environment = {"DJANGO_SETTINGS_MODULE": "modelyard.config.settings", "MODELYARD_HOME": str(tmp_path / "home")}
    code = "import django; django.setup()"
    subprocess.run([sys.executable, "-c", code], env=environment, cwd=Path(__file__).parents[3], check=True)
    assert not (tmp_path / "home").exists()
