"""An estimator in the interpreter of another environment: opened, described, asked.

This runs in a sandboxed child of that interpreter, so it needs the standard library of CPython 3.10, numpy and what
the estimator itself needs; of this package only modules of which the same is true.
"""

import importlib.metadata
import pickle
import platform
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from modelyard.core.errors import ModelFailed, ModelRefused
from modelyard.core.tensors import Batch
from modelyard.runtimes.estimators import describe, facts_of
from modelyard.runtimes.frames import PREFIX, decode, read_batch
from modelyard.runtimes.pipeline import join

JOINED = "joined.pkl"
PREDICTION, PROBABILITIES = "prediction", "probabilities"
_TYPES = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
_FLOATS = ("float16", "float32", "float64")
_PACKAGES = ("scikit-learn", "numpy", "scipy", "pandas", "joblib")
_MAX_CLASSES = 1000
_MOST_TRIED_SINGLY = 64
_SHOWN_ROWS = 8
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
        said = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
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
        "packages": _packages(),
        "python": platform.python_version(),
    }


def _packages() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


class Estimator:
    """The estimator behind the verbs of `runtimes.runtime.Runtime`; `columns` and `outputs` are a signature's, as JSON
    values."""

    def __init__(self, estimator: Any, columns: Sequence[Mapping[str, Any]], outputs: Sequence[Mapping[str, Any]]):
        self._estimator = estimator
        self._columns = columns
        self._outputs = outputs
        self._named = getattr(estimator, "feature_names_in_", None) is not None

    def predict(self, batch: Batch) -> dict[str, np.ndarray]:
        """Return the outputs, each with `batch.n_rows` rows.

        Raises:
            ModelFailed: when the estimator does.
        """
        wanted = [str(output["name"]) for output in self._outputs]
        roles = [output.get("role", "other") for output in self._outputs]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                rows = self.rows(batch)
                answer = {
                    name: np.asarray(
                        (self._estimator.predict_proba if role == PROBABILITIES else self._estimator.predict)(rows)
                    )
                    for name, role in zip(wanted, roles, strict=True)
                    if role in (PREDICTION, PROBABILITIES)
                }
        except Exception as error:  # an estimator may raise anything
            raise ModelFailed(
                f"the model failed: {type(error).__name__}: {' '.join(str(error).split())[:500]}"
            ) from error
        return {
            output["name"]: _shaped(answer[output["name"]], output)
            for output in self._outputs
            if output["name"] in answer
        }

    def rows(self, batch: Batch) -> Any:
        """Return what the estimator was fitted with: a DataFrame where there is pandas, or an array."""
        if batch.matrix is not None:
            values = {str(column["name"]): batch.matrix[:, index] for index, column in enumerate(self._columns)}
        else:
            values = dict(batch.columns or {})
        pandas = _pandas() if self._named else None
        if pandas is None:
            if batch.matrix is not None:
                return batch.matrix
            if len(self._columns) == 1 and self._columns[0].get("shape"):
                return values[str(self._columns[0]["name"])]
            return np.column_stack([values[str(column["name"])].astype(object) for column in self._columns])
        return pandas.DataFrame(
            {str(column["name"]): _typed(values[column["name"]], column) for column in self._columns}
        )

    def metadata(self) -> dict[str, Any]:
        """Return the releases."""
        releases = _packages()
        return {
            "framework": "scikit-learn",
            "release": releases.get("scikit-learn", ""),
            "python": platform.python_version(),
        }


def compute() -> dict[str, Any]:
    """Compute something with numpy: whether a locked-down child of this interpreter can."""
    return {"sum": float(np.arange(10.0).sum())}


def _pandas() -> Any:
    try:
        import pandas
    except ModuleNotFoundError:
        return None
    return pandas


def _typed(array: np.ndarray, column: Mapping[str, Any]) -> np.ndarray:
    if array.dtype != object and not column.get("optional") and column["type"] != "string":
        return array.astype(column["type"], copy=False)
    return array


def _shaped(array: np.ndarray, output: Mapping[str, Any]) -> np.ndarray:
    if not output.get("shape") and array.ndim == 2 and array.shape[1] == 1:
        array = array.reshape(-1)
    return array.astype(object if output["type"] == "string" else output["type"], copy=False)


def answer_rows(files: list[list[str]], rows: str, columns: list[dict[str, Any]]) -> dict[str, Any]:
    """Open the files and ask for the rows of a frame's file; return the outputs, the first rows that are answered, and
    how many of all are.

    Raises:
        ModelRefused: no row is answered.
    """
    estimator = open_files(files)
    batch = read_batch(*_frame(Path(rows)))
    outputs = _outputs(estimator, columns, _take(batch, slice(0, 4)), batch)
    model = Estimator(estimator, columns, outputs)
    try:
        model.predict(batch)
        return {"outputs": outputs, "answered": batch.n_rows, "shown": list(range(min(batch.n_rows, _SHOWN_ROWS)))}
    except ModelFailed as failure:
        first = failure
    kept = []
    for index in range(min(batch.n_rows, _MOST_TRIED_SINGLY)):
        try:
            model.predict(_take(batch, slice(index, index + 1)))
        except ModelFailed:
            continue
        kept.append(index)
    if not kept:
        raise ModelRefused(f"the model answers no row of its signature: {first.message}")
    return {"outputs": outputs, "answered": len(kept), "shown": kept[:_SHOWN_ROWS]}


def _outputs(estimator: Any, columns: list[dict[str, Any]], few: Batch, batch: Batch) -> list[dict[str, Any]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        given = Estimator(estimator, columns, []).rows(few)
        try:
            answer = {PREDICTION: np.asarray(estimator.predict(given))}
        except Exception as error:
            raise ModelRefused(
                "the model answers no row of its signature "
                f"({type(error).__name__}: {' '.join(str(error).split())[:300]}); send a sample of its input along"
            ) from error
        try:
            probabilities = estimator.predict_proba(given) if hasattr(estimator, "predict_proba") else None
        except Exception:
            probabilities = None
    if isinstance(probabilities, np.ndarray) and probabilities.ndim == 2:
        answer[PROBABILITIES] = probabilities
    classes = getattr(estimator, "classes_", None)
    known = classes.tolist() if isinstance(classes, np.ndarray) and classes.ndim == 1 else None
    return [
        {
            "name": name,
            "type": _type_name(array),
            "shape": list(array.shape[1:]),
            "role": name,
            "classes": known if known is not None and len(known) <= _MAX_CLASSES else None,
        }
        for name, array in answer.items()
    ]


def _type_name(array: np.ndarray) -> str:
    if array.dtype.kind in "OUS":
        return "string"
    if array.dtype.name not in (*_TYPES, *_FLOATS):
        raise ModelRefused(f"the model answers with {array.dtype} values: expected numbers, texts or truth values")
    return array.dtype.name


def _take(batch: Batch, chosen: slice) -> Batch:
    if batch.matrix is not None:
        matrix = batch.matrix[chosen]
        return Batch(len(matrix), matrix=matrix)
    columns = {name: array[chosen] for name, array in (batch.columns or {}).items()}
    return Batch(len(next(iter(columns.values()))), columns=columns)


def _frame(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    data = memoryview(path.read_bytes())
    header_size, _ = PREFIX.unpack(data[: PREFIX.size])
    start = PREFIX.size + header_size
    return decode(bytes(data[PREFIX.size : start]), data[start:])
