"""Asking a fitted estimator: rows in the form that it was fitted with, its answer, the outputs that an answer shows.

This also runs in the interpreter of another environment: it needs the standard library of CPython 3.10, numpy and what
the estimator itself needs, and of this package only modules of which the same is true.
"""

import warnings
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from modelyard.core.errors import ModelFailed, ModelRefused
from modelyard.core.tensors import Answer, Batch, take
from modelyard.core.wording import one_line
from modelyard.runtimes.estimators import missing_as_none

PREDICTION, PROBABILITIES = "prediction", "probabilities"
_VERBS = {PREDICTION: "predict", PROBABILITIES: "predict_proba"}
_TYPES = frozenset(
    "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64".split()  # noqa: SIM905
)
_MOST_CLASSES = 1000
_FIRST_ROWS, _TRIED_SINGLY = 4, 64


class Taken(Protocol):
    """What is asked of a `core.signature.Column`, which needs packages that another environment may lack."""

    @property
    def name(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def shape(self) -> Sequence[int]: ...
    @property
    def optional(self) -> bool: ...


class Given(Protocol):
    """What is asked of a `core.signature.Output`."""

    @property
    def name(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def shape(self) -> Sequence[int]: ...
    @property
    def role(self) -> str: ...


class Asked:
    """An estimator with `predict`, and `predict_proba` where there is an output of that role."""

    def __init__(self, estimator: Any, columns: Sequence[Taken], outputs: Sequence[Given] = ()) -> None:
        self._estimator = estimator
        self._columns = columns
        self._outputs = [output for output in outputs if output.role in _VERBS]
        self._named = getattr(estimator, "feature_names_in_", None) is not None
        self._none = missing_as_none(estimator, [column.name for column in columns])

    def predict(self, batch: Batch) -> Answer:
        """Return the outputs, each with `batch.n_rows` rows.

        Raises:
            ModelFailed: when the estimator does, or answers with values of another type.
        """
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                rows = self._rows(batch)
                return {
                    output.name: _shaped(np.asarray(getattr(self._estimator, _VERBS[output.role])(rows)), output)
                    for output in self._outputs
                }
        except Exception as error:  # an estimator may raise anything
            raise ModelFailed(f"the model failed: {type(error).__name__}: {one_line(error, 500)}") from error

    def outputs(self, batch: Batch) -> list[dict[str, Any]]:
        """Return the outputs that the answer to the batch's first rows shows, as the JSON values of a signature's.

        Raises:
            ModelRefused: it answers none of them, or with what no signature can say.
        """
        answer = self._first_answer(batch)
        classes = getattr(self._estimator, "classes_", None)
        known = classes.tolist() if isinstance(classes, np.ndarray) and classes.ndim == 1 else None
        return [
            {
                "name": name,
                "type": _type_name(array),
                "shape": list(array.shape[1:]),
                "role": name,
                "classes": known if known is not None and len(known) <= _MOST_CLASSES else None,
            }
            for name, array in answer.items()
        ]

    def _first_answer(self, batch: Batch) -> dict[str, np.ndarray]:
        """Return the answer to the first rows; where one of them is in the way, to the first that has one."""
        singly = (slice(index, index + 1) for index in range(min(batch.n_rows, _TRIED_SINGLY)))
        reason: Exception | None = None
        for rows in (slice(0, _FIRST_ROWS), *singly):
            try:
                return self._plain_answer(take(batch, rows))
            except Exception as error:  # an estimator may raise anything
                reason = reason or error
        raise ModelRefused(
            "the model answers no row of its signature "
            f"({type(reason).__name__}: {one_line(reason, 300)}); send a sample of its input along"
        ) from reason

    def _plain_answer(self, few: Batch) -> dict[str, np.ndarray]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            rows = self._rows(few)
            answer = {PREDICTION: np.asarray(self._estimator.predict(rows))}
            try:
                shares = self._estimator.predict_proba(rows) if hasattr(self._estimator, "predict_proba") else None
            except Exception:  # then it has none: a vote by majority, say
                shares = None
        if isinstance(shares, np.ndarray) and shares.ndim == 2:
            answer[PROBABILITIES] = shares
        return answer

    def _rows(self, batch: Batch) -> Any:
        """Return what the estimator was fitted with: a DataFrame where it has names, else an array."""
        pandas = _pandas() if self._named else None
        if pandas is None and batch.matrix is not None and not any(self._none):
            return batch.matrix
        if batch.matrix is not None:
            values = {column.name: batch.matrix[:, index] for index, column in enumerate(self._columns)}
        else:
            values = {column.name: (batch.columns or {})[column.name] for column in self._columns}
        for column, none in zip(self._columns, self._none, strict=True):
            values[column.name] = _marked(values[column.name], none)
        if pandas is not None:
            return pandas.DataFrame(
                {
                    column.name: _series(pandas, values[column.name], column, none)
                    for column, none in zip(self._columns, self._none, strict=True)
                }
            )
        if len(self._columns) == 1 and self._columns[0].shape:
            return values[self._columns[0].name]
        return np.column_stack([values[column.name].astype(object) for column in self._columns])


def answered(predict: Callable[[Batch], Answer], batch: Batch, most_calls: int) -> tuple[np.ndarray, Answer]:
    """Return the places of the rows that are answered, and the answer to them. Where one row stops all of them it is
    looked for by halving, with at most so many calls: what is not told apart by then is left out.

    Raises:
        ModelRefused: no row is answered.
    """
    try:
        return np.arange(batch.n_rows), predict(batch)
    except ModelFailed as failure:
        first = failure
    kept: list[np.ndarray] = []
    pending = list(reversed(np.array_split(np.arange(batch.n_rows), 2)))
    for _ in range(most_calls):
        if not pending:
            break
        places = pending.pop()
        if len(places) and _answers(predict, take(batch, places)):
            kept.append(places)
        elif len(places) > 1:
            pending += reversed(np.array_split(places, 2))
    if not kept:
        raise ModelRefused(f"the model answers no row of its signature: {first.message}")
    chosen = np.concatenate(kept)
    return chosen, predict(take(batch, chosen))


def _answers(predict: Callable[[Batch], Answer], rows: Batch) -> bool:
    try:
        predict(rows)
    except ModelFailed:
        return False
    return True


def _pandas() -> Any:
    try:
        import pandas
    except ModuleNotFoundError:
        return None
    return pandas


def _marked(array: np.ndarray, none: bool) -> np.ndarray:
    """Return a column's values with the missing ones as they were in the training: None, else NaN."""
    if array.ndim != 1 or (array.dtype != object and not (none and array.dtype.kind == "f")):
        return array
    marked = np.empty(len(array), dtype=object)
    marked[:] = [(None if none else np.nan) if value is None or value != value else value for value in array.tolist()]
    return marked


def _series(pandas: Any, array: np.ndarray, column: Taken, none: bool) -> Any:
    """Return a column of the DataFrame: object where None is to stay, else texts of the type that pandas has for them,
    which it does not tell from missing values alone."""
    if none:
        return pandas.Series(_typed(array, column), dtype=object if array.dtype == object else None)
    texts = pandas.Series(["a"]).dtype if column.type == "string" else None
    return pandas.Series(_typed(array, column), dtype=texts)


def _typed(array: np.ndarray, column: Taken) -> np.ndarray:
    if array.dtype == object or column.optional or column.type == "string":
        return array
    return array.astype(str(column.type), copy=False)


def _shaped(array: np.ndarray, output: Given) -> np.ndarray:
    if not output.shape and array.ndim == 2 and array.shape[1] == 1:
        array = array.reshape(-1)
    return array.astype(object if output.type == "string" else str(output.type), copy=False)


def _type_name(array: np.ndarray) -> str:
    if array.dtype.kind in "OUS":
        return "string"
    if array.dtype.name not in _TYPES:
        raise ModelRefused(f"the model answers with {array.dtype} values: expected numbers, texts or truth values")
    return array.dtype.name
