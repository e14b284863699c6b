"""Columns may have any name: the converter changes names, and what it made must still take the signature's."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder, StandardScaler

from modelyard.core.signature import Signature
from modelyard.core.tensors import Batch
from modelyard.runtimes import parity
from modelyard.runtimes.conversion import NotConvertible, convert
from modelyard.runtimes.onnx import OnnxRuntime
from modelyard.runtimes.opening import describe_io
from modelyard.runtimes.sklearn import SklearnRuntime

ODD = [
    ["od280/od315_of_diluted_wines", "hue", "proline"],
    ["petal length (cm)", "petal width (cm)", "petal.width"],
    ["a/b", "a b", "a_b"],
    ["a_b", "a b", "a_b1"],
    ["größe", "名前", "é"],
    ["it's", 'say "it"', "`it`"],
    ["c1", "c0", "c2"],
    ["inner_prediction", "modelyard_output_0", "variable"],
    [" ", "  ", "1st"],
    ["a:b", "input", "shape_tensor"],
]


def fitted(names: Sequence[str], *, drop: bool = False) -> tuple[Any, dict[str, np.ndarray]]:
    """Return a pipeline that chooses columns by name, with text, whole and other numbers, and a sample of its input."""
    chance = np.random.default_rng(20_261_121)
    frame = pd.DataFrame(
        {
            names[0]: chance.choice(["red", "green", "blue"], 90).astype(object),
            names[1]: chance.integers(0, 50, 90),
            names[2]: chance.normal(size=90),
        }
    )
    target = (frame[names[1]] + 20 * (frame[names[0]] == "red") + frame[names[2]] > 25).astype(int)
    by_name = make_column_transformer(
        (StandardScaler(), [names[2]]),
        (OrdinalEncoder(dtype=np.float32), [names[0]]),
        ("drop" if drop else StandardScaler(), [names[1]]),
    )
    estimator = make_pipeline(by_name, StandardScaler(), LogisticRegression()).fit(frame, target)
    return estimator, {name: frame[name].to_numpy() for name in names}


def compared(estimator: Any, batch: Batch, signature: Signature, path: Path) -> parity.Comparison:
    path.write_bytes(convert(estimator, signature))
    expected = SklearnRuntime(estimator, signature).predict(batch)
    return parity.compare(expected, OnnxRuntime.load(path, signature).predict(batch), batch.n_rows)


@pytest.mark.parametrize("drop", [False, True])
@pytest.mark.parametrize("names", ODD, ids=repr)
def test_a_column_of_any_name_is_converted(names: list[str], drop: bool, tmp_path: Path) -> None:
    estimator, sample = fitted(names, drop=drop)
    batch, signature = describe_io(estimator, sample, None)
    assert list(signature.names) == names
    comparison = compared(estimator, batch, signature, tmp_path / "model.onnx")
    assert comparison.agrees, comparison


@pytest.mark.parametrize("name", ["prediction", "probabilities"])
def test_a_column_with_the_name_of_an_output_is_not(name: str) -> None:
    estimator, sample = fitted([name, "a", "b"])
    _, signature = describe_io(estimator, sample, None)
    with pytest.raises(NotConvertible, match="a column has the name of an output"):
        convert(estimator, signature)
