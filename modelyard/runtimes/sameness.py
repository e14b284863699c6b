"""Two fitted models beside each other on the same rows: exactly equal, or how far apart. A target of `sandbox.run`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from modelyard.core.signature import Signature
from modelyard.core.tensors import Answer, Batch
from modelyard.runtimes.asking import Asked
from modelyard.runtimes.formats import Format
from modelyard.runtimes.inference import read_sample
from modelyard.runtimes.loading import load_estimator
from modelyard.runtimes.onnx import OnnxRuntime
from modelyard.runtimes.parity import batch_of
from modelyard.runtimes.pipeline import join
from modelyard.runtimes.samples import held


def compare_models(
    before: list[list[str]], now: list[list[str]], sample: list[str], signature: dict[str, Any]
) -> dict[str, Any]:
    """Ask both models (files: [client's name, path, format] each) for the sample's rows.

    Returns:
        `rows`, and of each output `name`, `differing` (rows) and `largest` (absolute difference of numbers; None of
        texts and where a number stands against none). Missing values are equal to each other.
    """
    whole = msgspec.convert(signature, Signature)
    table, _ = read_sample(sample[0], Path(sample[1])).taken([column.name for column in whole.columns])
    there = np.ones(len(next(iter(table.values()))), dtype=bool)
    for column in whole.columns:
        there &= column.optional | _there(table[column.name])
    rows = {name: values[there] for name, values in table.items()}
    batch = batch_of({column.name: held(rows[column.name], column) for column in whole.columns}, whole)
    first, second = _predictor(before, whole)(batch), _predictor(now, whole)(batch)
    outputs = [{"name": name, **_apart(first[name], second[name])} for name in first]
    return {"rows": batch.n_rows, "outputs": outputs}


def _there(values: np.ndarray) -> np.ndarray:
    """Tell of each value whether it is there: what takes no missing ones was not tried with them."""
    if values.dtype.kind == "f":
        return np.asarray(~np.isnan(values))
    return np.array([value is not None for value in values.tolist()])


def _predictor(files: list[list[str]], signature: Signature) -> Callable[[Batch], Answer]:
    if Format(files[0][2]) is Format.ONNX:
        return OnnxRuntime.load(Path(files[0][1]), signature).predict
    estimator = join([(name, load_estimator(Path(path), Format(kind), name)) for name, path, kind in files])
    return Asked(estimator, signature.columns, signature.outputs).predict


def _apart(first: np.ndarray, second: np.ndarray) -> dict[str, Any]:
    if first.shape != second.shape:
        return {"differing": max(len(first), len(second)), "largest": None}
    if first.dtype.kind in "fiub" and second.dtype.kind in "fiub":
        old, new = first.astype(np.float64), second.astype(np.float64)
        same = (first == second) | (np.isnan(old) & np.isnan(new))
        with np.errstate(invalid="ignore"):  # infinity from infinity
            apart = np.abs(old[~same] - new[~same])
        largest = float(apart.max()) if apart.size and np.isfinite(apart).all() else (None if apart.size else 0.0)
        return {"differing": _rows(same), "largest": largest}
    return {"differing": _rows(np.asarray(first == second)), "largest": None}


def _rows(same: np.ndarray) -> int:
    return int((~same.reshape(len(same), -1).all(axis=1)).sum())
