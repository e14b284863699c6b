"""What the first child says of an estimator, and of one that answers nothing or not all."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from modelyard.core.errors import InvalidInput, ModelRefused
from modelyard.runtimes.opening import describe_io, open_estimator

SENTENCES = [f"Sentence number {number} is about what is wrong, and as long as such are." for number in range(9)]


class Wordy(BaseEstimator):  # type: ignore[misc]
    n_features_in_ = 2

    def predict(self, rows: np.ndarray) -> np.ndarray:
        raise ValueError("\n".join(SENTENCES))


def test_a_long_reason_is_told_in_whole_sentences() -> None:
    with pytest.raises(ModelRefused) as refused:
        describe_io(Wordy(), None, None)
    told = " ".join(SENTENCES[:4])
    assert refused.value.message.endswith(f"(ValueError: {told}); send a sample of its input along")


X = np.random.default_rng(7).normal(size=(60, 2))


def opened(folder: Path, estimator: Any, sample: str, **given: Any) -> dict[str, Any]:
    (folder / "model").write_bytes(pickle.dumps(estimator.fit(X, X[:, 0])))
    (folder / "sample").write_text(sample)
    files = [["m.pkl", str(folder / "model"), "sklearn-pickle"]]
    return open_estimator(files, ["s.csv", str(folder / "sample")], given.get("signature"), str(folder))


@pytest.mark.parametrize("estimator", [LinearRegression(), GradientBoostingRegressor(n_estimators=3)])
def test_what_the_model_refuses_is_no_optional_column(estimator: Any, tmp_path: Path) -> None:
    """The sample lacks a value, and the estimator has no answer to that: the graph would have one, of its own."""
    told = opened(tmp_path, estimator, "a,b\n,2\n1,2\n")
    assert [column.get("optional", False) for column in told["signature"]["columns"]] == [False, False]
    assert told["sample"][0] == {"a": 1.0, "b": 2}
    assert told["unconverted"] is None
    assert told["rows"] > 200


def test_what_the_model_answers_is(tmp_path: Path) -> None:
    told = opened(tmp_path, make_pipeline(SimpleImputer(), LinearRegression()), "a,b\n,2\n1,2\n")
    assert [column.get("optional", False) for column in told["signature"]["columns"]] == [True, True]


def test_optional_as_declared_but_not_answered(tmp_path: Path) -> None:
    columns = [{"name": "a", "type": "float64", "optional": True}, {"name": "b", "type": "float64"}]
    signature = {"columns": columns, "outputs": [{"name": "prediction", "type": "float64"}]}
    with pytest.raises(InvalidInput, match=r"`a` is declared as optional, but the model answers no row that lacks it"):
        opened(tmp_path, LinearRegression(), "a,b\n3,2\n1,2\n", signature=signature)


def test_one_row_that_is_not_answered_takes_no_other_with_it(tmp_path: Path) -> None:
    """Forests take no number beyond float32; the rows on thresholds are still compared."""
    whole = opened(tmp_path, RandomForestRegressor(5, random_state=0), "a,b\n1,2\n3,2\n")["rows"]
    told = opened(tmp_path, RandomForestRegressor(5, random_state=0), "a,b\n1,2\n3,1e300\n")
    assert told["rows"] > whole / 2
    assert told["sample"][0] == {"a": 1, "b": 2.0}


def texts_of(folder: Path, sample: str) -> dict[str, Any]:
    colours = pd.DataFrame({"colour": ["red", "blue", "red"]})
    estimator = make_pipeline(OneHotEncoder(), LinearRegression()).fit(colours, [1, 2, 3])
    (folder / "model").write_bytes(pickle.dumps(estimator))
    (folder / "sample").write_text(sample)
    files = [["m.pkl", str(folder / "model"), "sklearn-pickle"]]
    return open_estimator(files, ["s.csv", str(folder / "sample")], None, str(folder), convert=False)


def test_a_sample_of_which_no_row_is_answered_refuses_the_model_in_its_own_words(tmp_path: Path) -> None:
    """Rows that were made would be answered; those that somebody sent are what it is for."""
    with pytest.raises(ModelRefused, match=r"answers no row of the sample: .*Found unknown categories \['green'\]"):
        texts_of(tmp_path, "colour\ngreen\ngreen\n")


def test_rows_of_the_sample_that_are_not_answered_are_told(tmp_path: Path) -> None:
    told = texts_of(tmp_path, "colour\nred\ngreen\nblue\n")
    (warning,) = told["warnings"]
    assert warning.startswith(
        "the model answers 2 of the sample's 3 rows; to row 1 it says: the model failed: ValueError"
    )
    assert "['green']" in warning
    assert [row["colour"] for row in told["sample"][:2]] == ["red", "blue"]
    assert texts_of(tmp_path, "colour\nred\nblue\n")["warnings"] == []
