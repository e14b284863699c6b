"""Where bytes live: immutable, named by their sha256, a place of its own for each tenant."""

from modelyard.artifacts.store import ArtifactStore, Stored

__all__ = ["ArtifactStore", "Stored"]
