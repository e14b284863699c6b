"""One-hot encoding and imputing in a graph: what scikit-learn gives for values seen, rare, unseen or missing."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from modelyard.core.errors import ModelFailed
from modelyard.core.signature import Column, DataType, Output, Role, Signature
from modelyard.core.tensors import Batch
from modelyard.runtimes.conversion import NotConvertible, convert
from modelyard.runtimes.missing import MISSING_TEXT
from modelyard.runtimes.onnx import OnnxRuntime

SEEN = ["a"] * 8 + ["b"] * 6 + ["", "\0x", "größe"]
WHOLE = [1, 2, 3, 3, 3, 3, 2, 2, 1, 1, 1, 9, 9, 9, 7, 8, 9]


def runtime(encoder: Any, path: Path, texts: list[Any], *, optional: bool = False) -> tuple[Any, OnnxRuntime]:
    """Return a pipeline fitted on a text and a whole number, each with a weight of its own, and its graph."""
    frame = pd.DataFrame({"text": pd.Series(texts, dtype=object), "whole": WHOLE})
    estimator = make_pipeline(make_column_transformer((encoder, ["text"]), ("passthrough", ["whole"])))
    estimator.steps.append(("regression", LinearRegression()))
    estimator.fit(frame, np.arange(len(frame)) ** 1.5)
    signature = Signature(
        (Column("text", DataType.STRING, optional=optional), Column("whole", DataType.INT64)),
        (Output("prediction", DataType.FLOAT64, role=Role.PREDICTION),),
    )
    path.write_bytes(convert(estimator, signature))
    return estimator, OnnxRuntime.load(path, signature)


def answers(graph: OnnxRuntime, texts: list[Any], whole: list[int]) -> np.ndarray:
    held = np.empty(len(texts), dtype=object)
    held[:] = texts
    return graph.predict(Batch(len(texts), columns={"text": held, "whole": np.array(whole)}))["prediction"]


def check(estimator: Any, graph: OnnxRuntime, texts: list[Any]) -> None:
    whole = list(range(len(texts)))
    frame = pd.DataFrame({"text": pd.Series(texts, dtype=object), "whole": whole})
    np.testing.assert_allclose(answers(graph, texts, whole), estimator.predict(frame), rtol=1e-9)


@pytest.mark.parametrize(
    "given",
    [
        {"handle_unknown": "ignore"},
        {"handle_unknown": "ignore", "max_categories": 3},
        {"handle_unknown": "infrequent_if_exist", "min_frequency": 3},
        {"handle_unknown": "infrequent_if_exist", "max_categories": 3, "drop": "first"},
        {"handle_unknown": "ignore", "drop": "first", "sparse_output": False, "dtype": np.int32},
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:Found unknown categories")
def test_texts_seen_rare_and_unseen(given: dict[str, Any], tmp_path: Path) -> None:
    estimator, graph = runtime(OneHotEncoder(**given), tmp_path / "model.onnx", SEEN)
    check(estimator, graph, ["a", "b", "", "\0x", "größe", "unseen", "A"])


def test_of_many_categories_the_graph_stays_small(tmp_path: Path) -> None:
    """A table of what each category is encoded as would have 32 MB."""
    texts = [f"text {number}" for number in range(2000)]
    frame = pd.DataFrame({"text": pd.Series(texts, dtype=object)})
    estimator = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LinearRegression())
    estimator.fit(frame, np.arange(2000.0))
    outputs = (Output("prediction", DataType.FLOAT64, role=Role.PREDICTION),)
    signature = Signature((Column("text", DataType.STRING),), outputs)
    (tmp_path / "graph").write_bytes(convert(estimator, signature))
    assert (tmp_path / "graph").stat().st_size < 200_000
    asked = np.array(["text 7", "text 1999", "unseen"], dtype=object)
    answer = OnnxRuntime.load(tmp_path / "graph", signature).predict(Batch(3, columns={"text": asked}))
    np.testing.assert_allclose(answer["prediction"], estimator.predict(pd.DataFrame({"text": asked})), rtol=1e-9)


def test_a_text_that_the_encoder_refuses_fails(tmp_path: Path) -> None:
    estimator, graph = runtime(OneHotEncoder(), tmp_path / "model.onnx", SEEN)
    check(estimator, graph, ["a", "größe"])
    with pytest.raises(ModelFailed, match="a_category_that_OneHotEncoder_has_not_seen"):
        answers(graph, ["unseen"], [1])


@pytest.mark.parametrize("mark", [None, np.nan, pd.NA, "a"], ids=repr)
def test_missing_texts_are_not_empty_ones(mark: Any, tmp_path: Path) -> None:
    none = [None if text == "b" else text for text in SEEN] if mark is None else SEEN
    imputer = SimpleImputer(missing_values=mark, strategy="constant", fill_value="filled")
    encoder = make_pipeline(imputer, OneHotEncoder(handle_unknown="ignore"))
    estimator, graph = runtime(encoder, tmp_path / "model.onnx", none, optional=mark is None)
    check(estimator, graph, ["a", "", "größe", "unseen", "filled", *([None] if mark is None else [])])


def test_missing_is_a_category_of_its_own(tmp_path: Path) -> None:
    texts = [None if text == "b" else text for text in SEEN]
    encoder = OneHotEncoder(handle_unknown="ignore")
    estimator, graph = runtime(encoder, tmp_path / "model.onnx", texts, optional=True)
    check(estimator, graph, ["a", None, "", "unseen"])


def test_a_text_like_the_mark_of_missing_ones_is_not_converted_beside_them(tmp_path: Path) -> None:
    texts = [{"a": MISSING_TEXT, "b": None}.get(text, text) for text in SEEN]
    with pytest.raises(NotConvertible, match="not all texts"):
        runtime(OneHotEncoder(handle_unknown="ignore"), tmp_path / "model.onnx", texts, optional=True)


@pytest.mark.parametrize("kind", ["int64", "float64", "bool"])
@pytest.mark.filterwarnings("ignore:Found unknown categories")
def test_numbers_and_truth_values(kind: str, tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": np.array(WHOLE).astype(kind), "y": [0.5, np.nan] * 8 + [2.0]})
    encoder = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=3)
    prepared = make_column_transformer((encoder, ["x"]), (SimpleImputer(), ["y"]))
    estimator = make_pipeline(prepared, LinearRegression()).fit(frame, np.arange(17) ** 1.5)
    signature = Signature(
        (Column("x", DataType(kind)), Column("y", DataType.FLOAT64, optional=True)),
        (Output("prediction", DataType.FLOAT64, role=Role.PREDICTION),),
    )
    (tmp_path / "model.onnx").write_bytes(convert(estimator, signature))
    tried = pd.DataFrame({"x": np.array([1, 3, 7, 8, 9, 5]).astype(kind), "y": [1.0, np.nan, 2, 3, np.nan, 4]})
    graph = OnnxRuntime.load(tmp_path / "model.onnx", signature)
    found = graph.predict(Batch(6, columns={name: tried[name].to_numpy() for name in tried.columns}))["prediction"]
    np.testing.assert_allclose(found, estimator.predict(tried), rtol=1e-9)
