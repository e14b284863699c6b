"""The stores of artifacts that the settings name."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from django.conf import settings

from modelyard.artifacts.database import DatabaseStore
from modelyard.artifacts.filesystem import FilesystemStore
from modelyard.artifacts.store import ArtifactStore
from modelyard.control.registry.payloads import PayloadTable
from modelyard.core.settings import STORES

SCRATCH = "scratch"


def store() -> ArtifactStore:
    """Return the configured store; it may be used by several threads at once."""
    return named_store(settings.MODELYARD.artifact_store)


def named_store(name: str) -> ArtifactStore:
    """Return the store of that name in `core.settings.STORES`."""
    return KINDS[name]()


def serving_store() -> FilesystemStore | None:
    """Return where the data plane takes artifacts from; None where that is the store itself."""
    place: Path = settings.MODELYARD.serving_artifacts
    if settings.MODELYARD.artifact_store == "filesystem" and place == settings.MODELYARD.artifacts:
        return None
    return _folder(place)


def _filesystem() -> FilesystemStore:
    return _folder(settings.MODELYARD.artifacts)


def _database() -> DatabaseStore:
    return DatabaseStore(PayloadTable(), settings.MODELYARD.home / SCRATCH)


@lru_cache(maxsize=8)
def _folder(root: Path) -> FilesystemStore:
    return FilesystemStore(root)


KINDS: dict[str, Callable[[], ArtifactStore]] = {"filesystem": _filesystem, "database": _database}
if tuple(KINDS) != STORES:
    raise AssertionError("the table of stores and the setting that chooses one name different stores")
