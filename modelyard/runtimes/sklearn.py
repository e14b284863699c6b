"""Fitted scikit-learn estimators. Loading one runs code that its file names: only ever in a sandboxed child."""

import warnings
from pathlib import Path
from typing import Any, Self

import numpy as np

from modelyard.core.errors import ModelFailed
from modelyard.core.signature import Column, Role, Signature
from modelyard.core.tensors import Answer, Batch
from modelyard.core.wording import one_line
from modelyard.runtimes.loading import load_estimator

PREDICTION, PROBABILITIES = "prediction", "probabilities"


def feature_names(estimator: Any) -> list[str] | None:
    """Return the column names that the estimator was fitted with, None when it saw an array."""
    names = getattr(estimator, "feature_names_in_", None)
    return None if names is None else [str(name) for name in names]


class SklearnRuntime:
    """An estimator with `predict`, and `predict_proba` where the signature has probabilities."""

    def __init__(self, estimator: Any, signature: Signature) -> None:
        self._estimator = estimator
        self._signature = signature
        self._names = feature_names(estimator)
        self._probabilities = signature.probabilities

    @classmethod
    def load(cls, path: Path, signature: Signature, threads: int = 1) -> Self:
        """Load the estimator; see `Runtime.load`."""
        return cls(load_estimator(path), signature)

    def predict(self, batch: Batch) -> Answer:
        """Call the estimator; see `Runtime.predict`."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                rows = self._rows(batch)
                answer = {self._signature.prediction.name: np.asarray(self._estimator.predict(rows))}
                if self._probabilities is not None:
                    answer[self._probabilities.name] = np.asarray(self._estimator.predict_proba(rows))
        except Exception as error:  # an estimator may raise anything
            raise ModelFailed(f"the model failed: {type(error).__name__}: {one_line(error, 500)}") from error
        return {
            output.name: _shaped(answer[output.name], output.shape, output.type.dtype)
            for output in self._signature.outputs
            if output.role is not Role.OTHER
        }

    def _rows(self, batch: Batch) -> Any:
        """Return what the estimator was fitted with: a DataFrame, or an array."""
        columns = self._signature.columns
        if self._names is None:
            if batch.matrix is not None:
                return batch.matrix
            values = batch.columns or {}
            if len(columns) == 1 and columns[0].shape:
                return values[columns[0].name]
            return np.column_stack([values[column.name].astype(object) for column in columns])
        import pandas as pd

        if batch.matrix is not None:
            typed = {column.name: _typed(batch.matrix[:, index], column) for index, column in enumerate(columns)}
        else:
            typed = {column.name: _typed((batch.columns or {})[column.name], column) for column in columns}
        return pd.DataFrame(typed, columns=[column.name for column in columns])

    def unload(self) -> None:
        """Let the estimator go."""
        self._estimator = None

    def metadata(self) -> dict[str, Any]:
        """Return the library's release."""
        import sklearn

        return {"framework": "scikit-learn", "release": sklearn.__version__, "threads": 1}


def _typed(array: np.ndarray, column: Column) -> np.ndarray:
    if array.dtype != object and not column.optional and column.dtype != object:
        return array.astype(column.dtype, copy=False)
    return array


def _shaped(array: np.ndarray, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    if shape == () and array.ndim == 2 and array.shape[1] == 1:
        array = array.reshape(-1)
    return array.astype(dtype, copy=False)
