"""The steps of a fitted estimator, for people who compare two: names, classes, parameters, features."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

MOST_STEPS = 100
MOST_PARAMETERS = 100
MOST_FEATURES = 10_000
_MOST_ITEMS = 20
_MOST_CHARACTERS = 200
_DEPTH = 3

Step = dict[str, Any]


def outline(estimator: Any) -> list[Step]:
    """Return `{"name", "class", "parameters"}` of each step, in the order in which a row passes through.

    Steps of pipelines within are named by their path (`columns.numbers.scale`). One that takes some columns only says
    which, as the parameter `columns`. A step that does nothing (`passthrough`) is left out.
    """
    return [step for _, step in zip(range(MOST_STEPS), _walk("", estimator), strict=False)]


def features(estimator: Any, names: Sequence[str]) -> list[str] | None:
    """Return the features that reach the predictor; None where the steps before it cannot name them.

    What a column transformer or a union puts before a name (`numbers__age`) is taken away where names stay different:
    a column is the same one whatever the part is called that lets it through.
    """
    steps = getattr(estimator, "steps", None)
    if not steps or len(steps) < 2:
        return list(names)[:MOST_FEATURES]
    try:
        given: Any = np.asarray(names, dtype=object)
        for _, step in steps[:-1]:
            if step is not None and step != "passthrough":
                given = step.get_feature_names_out(_named(step, given))
        return _bare(
            [str(name) for name in given][:MOST_FEATURES], {part for _, step in steps for part in _parts(step)}
        )
    except Exception:  # a step of somebody's own may raise anything
        return None


def _bare(names: list[str], parts: set[str]) -> list[str]:
    bare = []
    for name in names:
        head, mark, rest = name.partition("__")
        while mark and head in parts:
            name = rest
            head, mark, rest = name.partition("__")
        bare.append(name)
    return bare if len(set(bare)) == len(bare) else names


def _parts(step: Any) -> set[str]:
    """Return the names of the parts of a column transformer or a union, those within its parts too."""
    inner = [(name, part) for name, part, _ in _inner(step)]
    return {name for name, _ in inner}.union(*(_parts(part) for _, part in inner))


def _named(step: Any, given: Any) -> Any:
    fitted = getattr(step, "feature_names_in_", None)
    return given if fitted is None or len(fitted) != len(given) else fitted


def _walk(path: str, part: Any) -> Iterator[Step]:
    if part is None or isinstance(part, str):
        return
    inner = list(_inner(part))
    if inner and type(part).__name__ == "Pipeline":
        for name, step, _ in inner:
            yield from _walk(f"{path}.{name}" if path else name, step)
        return
    yield _step(path or type(part).__name__.lower(), part)
    for name, step, columns in inner:
        for found in _walk(f"{path}.{name}" if path else name, step):
            if columns is not None:
                found["parameters"] = {"columns": _chosen(columns), **found["parameters"]}
            yield found


def _inner(part: Any) -> Iterator[tuple[str, Any, Any]]:
    """Give (name, estimator, columns) of what a pipeline, a union or a column transformer is made of."""
    for name, step in getattr(part, "steps", None) or ():
        yield str(name), step, None
    if hasattr(part, "output_indices_") and hasattr(part, "transformers_"):
        for name, step, columns in part.transformers_:
            if step != "drop":
                yield str(name), step, columns
    elif hasattr(part, "transformer_list"):
        for name, step in part.transformer_list:
            yield str(name), step, None


def parts_of(part: Any) -> Iterator[Any]:
    """Give the estimator and all that it is made of, at any depth."""
    yield part
    for _, inner, _ in _inner(part):
        yield from parts_of(inner)


def _chosen(columns: Any) -> Any:
    """Return which columns a part takes; all of them, where other lists are cut."""
    if isinstance(columns, slice):
        return str(columns)
    if isinstance(columns, list | tuple | np.ndarray):
        return [plain(column) for column in list(columns)[:MOST_FEATURES]]
    return plain(columns)


def _step(name: str, part: Any) -> Step:
    kind = type(part)
    return {"name": name[:_MOST_CHARACTERS], "class": f"{kind.__module__}.{kind.__qualname__}"[:_MOST_CHARACTERS],
            "parameters": _parameters(part)}  # fmt: skip


def _parameters(part: Any) -> dict[str, Any]:
    try:
        given = part.get_params(deep=False)
    except Exception:  # an estimator of somebody's own may raise anything, or have none
        return {}
    shown = {name: value for name, value in sorted(given.items()) if name not in _MADE_OF}
    return {str(name)[:100]: plain(value) for name, value in list(shown.items())[:MOST_PARAMETERS]}


_MADE_OF = frozenset({"steps", "transformers", "transformer_list", "memory", "verbose"})
"""Parameters that are steps themselves, or change no answer."""


def plain(value: Any, depth: int = _DEPTH) -> Any:
    """Return a parameter as a JSON value that says the same in every process: no addresses in memory, bounded."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, str):
        return value[:_MOST_CHARACTERS]
    if isinstance(value, np.ndarray):
        if value.ndim != 1:
            return f"array {value.shape}"
        value = value.tolist()
    if depth and isinstance(value, list | tuple | set | frozenset):
        items = sorted(value, key=str) if isinstance(value, set | frozenset) else value
        return [plain(item, depth - 1) for item in list(items)[:_MOST_ITEMS]]
    if depth and isinstance(value, Mapping):
        return {str(name)[:100]: plain(item, depth - 1) for name, item in list(value.items())[:_MOST_ITEMS]}
    if isinstance(value, type) or (callable(value) and hasattr(value, "__qualname__")):
        return f"{value.__module__}.{value.__qualname__}"[:_MOST_CHARACTERS]
    return f"{type(value).__module__}.{type(value).__qualname__}"[:_MOST_CHARACTERS]
