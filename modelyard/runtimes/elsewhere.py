"""An estimator in the interpreter of another environment: opened, described, asked.

This runs in a sandboxed child of that interpreter, so it needs the standard library of CPython 3.10, numpy and what
the estimator itself needs; of this package only modules of which the same is true.
"""

import pickle
import platform
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from modelyard.core.errors import ModelRefused
from modelyard.core.wording import one_line
from modelyard.runtimes.asking import Asked, answered
from modelyard.runtimes.estimators import describe, facts_of
from modelyard.runtimes.frames import read_batch, read_file
from modelyard.runtimes.packages import releases
from modelyard.runtimes.pipeline import join

JOINED = "joined.pkl"
_PACKAGES = ("scikit-learn", "numpy", "scipy", "pandas", "joblib")
_MOST_CALLS = 200
_SHOWN_ROWS, _PLANNED_ROWS = 8, 64
_OTHER_RELEASE = re.compile(r"from version (\S{1,32}) when using version (\S{1,32}?)[. ]")


def open_files(files: Sequence[Sequence[str]]) -> Any:
    """Return the estimator of `files` ([client's name, path] each), joined where there are several.

    Raises:
        ModelRefused: it cannot be opened here, was written by another release than this one, or is no estimator.
    """
    return join([(name, _load(Path(path), name)) for name, path in files])


def _load(path: Path, filename: str) -> Any:
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            loaded = _loaded(path)
    except MemoryError:
        raise ModelRefused(f"`{filename}` needs more memory than it may use") from None
    except ModuleNotFoundError as error:
        raise ModelRefused(f"`{filename}` needs the Python module `{error.name}`, which is not in it") from None
    except PermissionError:
        raise ModelRefused(f"`{filename}` tried to do what a model's file may not") from None
    except BaseException as error:  # a file may raise anything
        said = f"{type(error).__name__}: {one_line(error, 300)}"
        raise ModelRefused(f"`{filename}` cannot be opened ({said})") from None
    for warning in caught:
        found = _OTHER_RELEASE.search(str(warning.message) + " ")
        if found and found[1].split(".")[:2] != found[2].split(".")[:2]:
            raise ModelRefused(f"`{filename}` was written by scikit-learn {found[1]}, and it has {found[2]}")
    return loaded


def _loaded(path: Path) -> Any:
    try:
        import joblib
    except ModuleNotFoundError:
        with path.open("rb") as file:
            return pickle.load(file)  # noqa: S301 - this is a sandboxed child
    return joblib.load(path)


def describe_files(files: list[list[str]], scratch: str) -> dict[str, Any]:
    """Open the files, leave `JOINED` where there are several, and return what is known, as JSON values."""
    estimator = open_files(files)
    if len(files) > 1:
        (Path(scratch) / JOINED).write_bytes(pickle.dumps(estimator, protocol=4))
    fitted = getattr(estimator, "feature_names_in_", None)
    names = None if fitted is None else [str(name) for name in fitted]
    width = getattr(estimator, "n_features_in_", None if names is None else len(names))
    width = None if width is None else int(width)
    facts = facts_of(estimator, names if names is not None else [f"x{index}" for index in range(width or 0)])
    return {
        "names": names,
        "width": width,
        "facts": [{**asdict(fact), "optional": bool(fact.optional)} for fact in facts],
        "estimator": " ".join(repr(estimator).split())[:2000],
        "steps": describe(estimator)[:100],
        "packages": releases(_PACKAGES),
        "python": platform.python_version(),
    }


@dataclass(frozen=True)
class Value:
    """A column or an output, as far as `Asked` needs it; `core.signature` needs packages that may not be here."""

    name: str
    type: str
    shape: tuple[int, ...] = ()
    optional: bool = False
    role: str = "other"

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> "Value":
        """Return it from the JSON values of a signature's."""
        known = {field.name: said[field.name] for field in fields(cls) if field.name in said}
        return cls(**{**known, "shape": tuple(said.get("shape", ()))})


class Estimator(Asked):
    """An estimator that this environment opens; `columns` and `outputs` are a signature's, as JSON values."""

    def __init__(
        self, estimator: Any, columns: Sequence[Mapping[str, Any]], outputs: Sequence[Mapping[str, Any]] = ()
    ) -> None:
        super().__init__(estimator, [Value.of(said) for said in columns], [Value.of(said) for said in outputs])

    def metadata(self) -> dict[str, Any]:
        """Return the releases."""
        return {
            "framework": "scikit-learn",
            "release": releases(_PACKAGES).get("scikit-learn", ""),
            "python": platform.python_version(),
        }


def compute() -> dict[str, Any]:
    """Compute something with numpy: whether a locked-down child of this interpreter can."""
    return {"sum": float(np.arange(10.0).sum())}


def answer_rows(files: list[list[str]], rows: str, columns: list[dict[str, Any]]) -> dict[str, Any]:
    """Open the files and ask for the rows of a frame's file; return the outputs, the first rows that are answered, and
    how many of all are.

    Raises:
        ModelRefused: no row is answered.
    """
    estimator = open_files(files)
    batch = read_batch(*read_file(Path(rows)))
    outputs = Estimator(estimator, columns).outputs(batch)
    places, _ = answered(Estimator(estimator, columns, outputs).predict, batch, _MOST_CALLS)
    shown = [place for place in places.tolist() if place < _PLANNED_ROWS]
    return {"outputs": outputs, "answered": len(places), "shown": shown[:_SHOWN_ROWS]}
