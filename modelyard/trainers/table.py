"""The trainers that there are: alias to trainer."""

from collections.abc import Iterable, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from modelyard.core.errors import InvalidInput, Misconfigured
from modelyard.core.metrics import nearest
from modelyard.core.settings import Settings
from modelyard.trainers.function import FunctionTrainer
from modelyard.trainers.tabular.trainer import TabularTrainer
from modelyard.trainers.trainer import Trainer

GROUP = "modelyard.trainers"
"""The group of entry points by which installed packages add trainers."""

Trainers = Mapping[str, Trainer[Any]]


def trainers(paths: Iterable[str] = (), functions: Iterable[str] = ()) -> Trainers:
    """Return the built-in trainers, those of installed packages, and those at `paths` ("package.module:Class").

    `functions` are those that the trainer `function` may run.

    Raises:
        Misconfigured: when one cannot be imported, is no trainer, or has the alias of another.
    """
    found: dict[str, Trainer[Any]] = {}
    for built_in in (TabularTrainer(), FunctionTrainer(functions)):
        _add(found, built_in, f"the built-in `{built_in.name}`")
    for point in sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value)):
        trainer = _made(point.value)
        if trainer.name != point.name:
            raise Misconfigured(f"the entry point `{point.name}` names the trainer `{trainer.name}`: expected one name")
        _add(found, trainer, point.value)
    for path in paths:
        _add(found, _made(path), path)
    return found


def trainers_of(settings: Settings) -> Trainers:
    """Return the trainers that the operator's settings name, and the others.

    Raises:
        Misconfigured: see `trainers`.
    """
    return trainers(settings.trainers, settings.training_functions)


def find(known: Trainers, name: str) -> Trainer[Any]:
    """Return the trainer of that name.

    Raises:
        InvalidInput: with the nearest name, when there is none.
    """
    if name not in known:
        raise InvalidInput.at("trainer", f"there is no trainer `{name[:100]}`; {nearest(name[:100], known)}", "unknown")
    return known[name]


def version_of(trainer: Trainer[Any]) -> str:
    """Return what a trainer calls its own version; empty where it says nothing."""
    return str(getattr(trainer, "version", ""))[:100]


def modules_of(trainer: Trainer[Any], parameters: Any) -> list[str]:
    """Return the modules whose code trains: the trainer's own, and those that it names."""
    named = getattr(trainer, "modules", None)
    return [type(trainer).__module__, *(named(parameters) if named is not None else ())]


def _add(found: dict[str, Trainer[Any]], trainer: Trainer[Any], origin: str) -> None:
    if trainer.name in found:
        raise Misconfigured(f"two trainers are called `{trainer.name}`: {origin} is the second; rename one")
    found[trainer.name] = trainer


def _made(path: str) -> Trainer[Any]:
    module, colon, name = path.partition(":")
    if not colon or not module or not name:
        raise Misconfigured(f"{path!r} names no trainer: expected 'package.module:Class'")
    try:
        made: Any = getattr(import_module(module), name)()
    except Exception as error:  # a module of somebody else's may raise anything
        raise Misconfigured(f"the trainer `{path}` cannot be loaded: {type(error).__name__}: {error}") from error
    lacking = [word for word in ("name", "title", "Parameters", "check", "fit") if not hasattr(made, word)]
    if lacking:
        raise Misconfigured(f"`{path}` is no trainer: it lacks {', '.join(lacking)}")
    trainer: Trainer[Any] = made
    return trainer
