"""What a fit depends on besides its parameters and its data."""

import importlib.metadata
import platform
from collections.abc import Iterable
from typing import Any

from modelyard import __version__

_PACKAGES = ("scikit-learn", "numpy", "scipy", "pandas", "pyarrow", "joblib", "lightgbm", "xgboost", "xgboost-cpu")


def surroundings(modules: Iterable[str] = ()) -> dict[str, Any]:
    """Return Python, platform, and the releases of packages; of those that `modules` belong to, too."""
    releases = {}
    for name in [*_PACKAGES, *distributions_of(modules)]:
        try:
            releases[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {"python": platform.python_version(), "platform": platform.platform(), "packages": releases}


def distributions_of(modules: Iterable[str]) -> list[str]:
    """Return the installed distributions that modules belong to, ours left out. Imports none of them."""
    tops = {module.partition(".")[0] for module in modules} - {"modelyard"}
    if not tops:
        return []
    known = importlib.metadata.packages_distributions()
    return sorted({name for top in tops for name in known.get(top, ())})


def code_of(trainer: str) -> str:
    """Return what a manifest says of the code that trains."""
    return f"modelyard.trainers {__version__}: {trainer}"
