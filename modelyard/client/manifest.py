"""What is needed to make a version again, as far as this process knows it."""

import locale
import math
import os
import platform
import subprocess
import time
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from modelyard.core.errors import InvalidInput
from modelyard.core.manifest import Manifest

DISTRIBUTIONS = (
    "catboost", "cloudpickle", "joblib", "lightgbm", "modelyard", "numpy", "onnx", "onnxruntime", "pandas", "polars",
    "pyarrow", "scikit-learn", "scipy", "skl2onnx", "skops", "statsmodels", "threadpoolctl", "torch", "xgboost",
)  # fmt: skip
"""What a model's behaviour commonly depends on; those that are installed are named."""

REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION", "GOOGLE_CLOUD_REGION", "AZURE_REGION")
GIT_SECONDS = 3


def capture(estimator: Any = None, folder: Path | None = None) -> Manifest:
    """Return the manifest of this process.

    Args:
        estimator: a fitted one, for its parameters, seed and packages.
        folder: where the code is; the working directory by default.
    """
    parameters = _parameters(estimator)
    seed = parameters.get("random_state")
    return Manifest(
        code=_commit(folder or Path.cwd()),
        parameters=parameters,
        seed=seed if isinstance(seed, int) and not isinstance(seed, bool) else None,
        packages=_packages(estimator),
        python=platform.python_version(),
        platform=platform.platform(),
        time_zone=time_zone(),
        locale=".".join(part for part in locale.getlocale() if part) or "C",
        region=next((os.environ[name] for name in REGIONS if os.environ.get(name)), None),
    )


def facts(models: Sequence[Any], given: Manifest | Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the captured manifest with the given facts in place of its own."""
    first = models[0] if models else None
    if isinstance(first, (str, Path)):
        captured = capture(folder=Path(first).expanduser().absolute().parent)
    else:
        captured = capture(first)
    facts = msgspec.to_builtins(given) if isinstance(given, Manifest) else dict(given or {})
    merged: dict[str, Any] = {**msgspec.to_builtins(captured), **facts}
    try:
        msgspec.convert(merged, Manifest)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"the manifest does not fit: {error}") from error
    return merged


def time_zone() -> str:
    """Return the IANA name of the local time zone where the system tells it, else its abbreviation."""
    given = os.environ.get("TZ", "").removeprefix(":")
    if "/" in given or given == "UTC":
        return given
    link = Path("/etc/localtime")
    if link.is_symlink():
        name = str(link.readlink()).partition("zoneinfo/")[2]
        if name:
            return name.removeprefix("Etc/")
    return time.tzname[0]


def _packages(estimator: Any) -> dict[str, str]:
    names = set(DISTRIBUTIONS)
    if estimator is not None:
        steps = [step for _, step in getattr(estimator, "steps", ())]
        modules = {type(part).__module__.partition(".")[0] for part in [estimator, *steps]}
        owners = metadata.packages_distributions()
        names |= {owner for module in modules for owner in owners.get(module, ())}
    found = {}
    for name in sorted(names, key=str.lower):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _parameters(estimator: Any) -> dict[str, Any]:
    if not callable(getattr(estimator, "get_params", None)):
        return {}
    try:
        told = estimator.get_params()
    except Exception:  # an estimator of somebody's own, and no reason not to push it
        return {}
    return {
        name: _shown(value)
        for name, value in sorted(told.items())
        if not callable(getattr(value, "get_params", None)) and not isinstance(value, list)
    }


def _shown(value: Any) -> Any:
    """Return a parameter as JSON can carry it: a plain value as it is, another as Python shows it."""
    if getattr(value, "ndim", None) == 0:  # a number of numpy's
        value = value.tolist()
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    return value if isinstance(value, (str, int, float, bool, type(None))) else repr(value)[:200]


def _commit(folder: Path) -> str | None:
    """Return `repository@commit`, with `-dirty` when files were changed since; None outside a git repository."""
    commit = _git(folder, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    if not commit:
        return None
    origin = urlsplit(_git(folder, "config", "--get", "remote.origin.url") or "")
    if origin.scheme in ("http", "https", "ssh") and origin.hostname:
        return f"{origin.hostname}{origin.path}@{commit}"
    top = _git(folder, "rev-parse", "--show-toplevel") or ""
    return f"{Path(top).name}@{commit}"


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=GIT_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None
