"""The form filled as an earlier version was trained."""

from typing import Any

from modelyard.control.console.training.fields import written
from modelyard.control.registry.models import Version


def texts_like(version: Version) -> tuple[dict[str, str], set[str] | None]:
    """Return the texts of the form that trained `version`, and the columns that were ticked (None: all were)."""
    parameters: dict[str, Any] = version.manifest.get("parameters") or {}
    texts = {"trainer": (version.training or {}).get("trainer", ""), "model": version.model.name}
    if version.dataset is not None:
        texts["dataset"] = version.dataset.name
    own, search = parameters.get("parameters"), parameters.get("search")
    in_parts = isinstance(own, dict) and "estimator" in parameters
    for name, value in parameters.items():
        if name not in ("features", "exclude", "columns", "search") and not (name == "parameters" and in_parts):
            texts[f"p-{name}"] = written(value)
    if in_parts and isinstance(own, dict):
        texts |= {f"e-{name}": "null" if value is None else written(value) for name, value in own.items()}
    if isinstance(search, dict):
        texts |= {f"search-{name}": written(value) for name, value in search.items() if name != "space"}
        texts |= {f"s-{name}": _tried(value) for name, value in search.get("space", {}).items()}
        texts.setdefault("search-method", "grid")
    return texts, _ticked(version, parameters)


def _tried(value: Any) -> str:
    if isinstance(value, dict):
        return f"{value['low']} to {value['high']}{' log' if value.get('log') else ''}"
    between = "; " if any(isinstance(item, list) for item in value) else ", "
    return between.join("null" if item is None else written(item) for item in value)


def _ticked(version: Version, parameters: dict[str, Any]) -> set[str] | None:
    taken = parameters.get("features") or parameters.get("columns")
    if taken:
        return set(taken)
    left_out = set(parameters.get("exclude") or ())
    if not left_out or version.dataset is None:
        return None
    return {column["name"] for column in version.dataset.columns} - left_out
