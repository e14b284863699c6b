"""The store of artifacts that the settings name."""

from functools import lru_cache
from pathlib import Path

from django.conf import settings

from modelyard.artifacts.filesystem import FilesystemStore
from modelyard.artifacts.store import ArtifactStore


def store() -> ArtifactStore:
    """Return the configured store; it may be used by several threads at once."""
    return _filesystem(settings.MODELYARD.artifacts)


@lru_cache(maxsize=8)
def _filesystem(root: Path) -> ArtifactStore:
    return FilesystemStore(root)
