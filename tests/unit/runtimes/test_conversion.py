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
from sklearn.tree import DecisionTreeClassifier

from modelyard.core.signature import Signature
from modelyard.core.tensors import Batch
from modelyard.runtimes import parity
from modelyard.runtimes.asking import Asked
from modelyard.runtimes.conversion import NotConvertible, convert
from modelyard.runtimes.onnx import OnnxRuntime
from modelyard.runtimes.opening import describe_io

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
        (OrdinalEncoder(dtype=np.float32, handle_unknown="use_encoded_value", unknown_value=-1), [names[0]]),
        ("drop" if drop else StandardScaler(), [names[1]]),
    )
    estimator = make_pipeline(by_name, StandardScaler(), LogisticRegression()).fit(frame, target)
    return estimator, {name: frame[name].to_numpy() for name in names}


def compared(estimator: Any, batch: Batch, signature: Signature, path: Path) -> parity.Comparison:
    path.write_bytes(convert(estimator, signature))
    expected = Asked(estimator, signature.columns, signature.outputs).predict(batch)
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


@pytest.mark.parametrize("values", [["red", "green", "blue"], [1, 2, 7]])
def test_categories_that_were_not_seen(values: list[Any], tmp_path: Path) -> None:
    """The graph of an encoder that refuses them would give them a place; one that gives them a value gives the same."""
    frame = pd.DataFrame({"a": values * 30, "b": values[::-1] * 30})
    target = (frame["a"] == values[1]).astype(int)
    for refuses in (True, False):
        given = {} if refuses else {"handle_unknown": "use_encoded_value", "unknown_value": -1}
        encoder = make_column_transformer((OrdinalEncoder(**given), ["a"]), remainder=OrdinalEncoder(**given))
        estimator = make_pipeline(encoder, DecisionTreeClassifier(random_state=0)).fit(frame, target)
        _, signature = describe_io(estimator, None, None)
        if refuses:
            with pytest.raises(NotConvertible, match="refuses categories that it has not seen"):
                convert(estimator, signature)
            continue
        unknown: Any = "purple" if isinstance(values[0], str) else 5
        batch = parity.from_rows([{"a": unknown, "b": values[0]}, {"a": values[0], "b": unknown}], signature)
        assert compared(estimator, batch, signature, tmp_path / "model.onnx").agrees
