"""What another environment's interpreter says of itself. Run as a script by it; standard library of any Python 3."""

import json
import platform
import sys


def releases() -> "dict[str, str]":
    try:
        from importlib import metadata
    except ImportError:
        return {}
    found = {}
    for name in ("numpy", "scikit-learn", "joblib", "pandas"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


if __name__ == "__main__":
    said = {"python": platform.python_version(), "kind": sys.implementation.name, "machine": platform.machine()}
    print(json.dumps(dict(said, packages=releases())))
