"""The releases of the packages that an environment has. Standard library alone: other environments are asked too."""

import importlib.metadata
from collections.abc import Sequence


def releases(names: Sequence[str]) -> dict[str, str]:
    """Return distribution name to release of those that are installed."""
    found = {}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
