"""A place of its own for each test's artifacts and documents, and a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from modelyard.control.registry.models import Model
    from modelyard.control.tenancy.services import Actor


@pytest.fixture(autouse=True)
def home(settings: Any, tmp_path: Path) -> Path:
    from modelyard.core.settings import Settings

    given = {"artifacts": tmp_path / "artifacts", "exchange": tmp_path / "exchange", "max_upload_bytes": 1 << 20}
    settings.MODELYARD = Settings.read({}, home=settings.MODELYARD.home, **given)
    return tmp_path


@pytest.fixture
def model(admin: Actor) -> Model:
    from modelyard.control.registry import services

    return services.create_model(actor=admin, name="iris", problem="Which iris is it?")
