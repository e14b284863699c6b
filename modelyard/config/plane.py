"""The embedded data plane: one core beside Django, in the same process."""

from modelyard.artifacts.filesystem import FilesystemStore
from modelyard.core.settings import Settings
from modelyard.exchange.medium import FolderMedium
from modelyard.serving.core import Core


def embedded_core(settings: Settings) -> Core | None:
    """Return a core that is not started yet; None where the data plane runs alone."""
    if not settings.embedded:
        return None
    return Core(settings, FolderMedium(settings.exchange), FilesystemStore(settings.artifacts))
