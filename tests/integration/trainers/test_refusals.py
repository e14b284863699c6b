"""What only the rows show to be wrong: refused with the place and the likely mend."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from modelyard.core.errors import InvalidInput
from modelyard.trainers.parameters import read
from modelyard.trainers.tabular.trainer import TabularTrainer
from tests.integration.trainers.conftest import real, write

TRAINER = TabularTrainer()
Refused = Callable[..., tuple[str, str]]


@pytest.fixture
def refused(tmp_path: Path) -> Refused:
    """Fit without asking `check` before, and return place and message of the refusal; nothing may be left."""

    def call(frame: Any, **given: Any) -> tuple[str, str]:
        out = tmp_path / "out"
        out.mkdir()
        dataset = write(frame, tmp_path / "data.parquet")
        with pytest.raises(InvalidInput) as caught:
            TRAINER.fit(dataset, read(TRAINER.Parameters, given), lambda *said, **metrics: None, out)
        assert list(out.iterdir()) == []
        return caught.value.details["places"][0]["place"], caught.value.message

    return call


def rows(**columns: Any) -> Any:
    return pd.DataFrame({"x": np.arange(40) * 0.5, "y": ["a", "b"] * 20} | columns)


@pytest.mark.parametrize(
    ("frame", "given", "place", "said"),
    [
        (rows(), {"target": "yy"}, "parameters.target", "did you mean `y`"),
        (rows(), {"target": "y", "exclude": ["z"]}, "parameters.exclude", "no column `z`"),
        (rows().iloc[:0], {"target": "x"}, "dataset", "it has 0 rows"),
        (rows(y=["a"] * 40), {"target": "y"}, "parameters.target", "one class only"),
        (rows(y=["a\0", "b"] * 20), {"target": "y"}, "parameters.target", "a class with a zero character"),
        (rows(), {"target": "y", "task": "regression"}, "parameters.target", "holds no numbers"),
        (rows(), {"target": "x", "task": "classification"}, "parameters.target", "holds fractions"),
        (rows(y=[1.0] * 40), {"target": "y", "task": "regression"}, "parameters.target", "one value only"),
        (rows(y=[np.inf] + [1.0] * 39), {"target": "y"}, "parameters.target", "infinite values"),
        (rows(x=[np.inf] + [1.0] * 39), {"target": "y"}, "dataset", "column `x` has 1 infinite values"),
        (rows(y=["a"] * 39 + ["b"]), {"target": "y"}, "parameters.holdout", "class `b` has 1 row, too few"),
        (rows(y=["a"] * 36 + ["b"] * 4), {"target": "y", "folds": 5}, "parameters.folds", "class `b` has 3 rows"),
        (rows(y=["a"] * 36 + ["b"] * 4), {"target": "y", "estimator": "SVC", "search": {"space": {"C": [1]}}},
         "parameters.search.folds", "class `b` has 3 rows, too few for 5 folds"),
        (rows(y=["a", "b", "c", "d"] * 10), {"target": "y", "holdout": 0.05}, "parameters.holdout", "2 of 40 rows"),
        (rows(), {"target": "y", "estimator": "Ridge"}, "parameters.estimator", "`Ridge` is for a regression"),
        (rows(x=[None] * 40), {"target": "y"}, "dataset", "no column is left to learn from (`x`: all values are"),
        (rows(x=[np.nan] + [1.0, 2.0, 3.0] * 13), {"target": "y", "estimator": "SVC", "impute_numbers": "none"},
         "parameters.impute_numbers", "column `x` lacks values"),
        (rows(), {"target": "y", "estimator": "KNeighborsClassifier", "parameters": {"n_neighbors": 99}},
         "parameters.parameters", "`KNeighborsClassifier` refuses: Expected n_neighbors <= n_samples"),
        (rows(), {"target": "y", "estimator": "KNeighborsClassifier",
                  "search": {"space": {"n_neighbors": [98, 99]}}},
         "parameters.search", "no candidate could be measured: Expected n_neighbors"),
        (rows(), {"target": "y", "search": {"space": {"n_trees": [1]}}}, "parameters.search.space.n_trees", "takes no"),
        (rows(y=pd.Timestamp("2026-01-01")), {"target": "y"}, "parameters.target", "holds date and timestamps"),
    ],
)  # fmt: skip
def test_rows_that_do_not_fit_are_refused(
    refused: Refused, frame: Any, given: dict[str, Any], place: str, said: str
) -> None:
    found = refused(frame, **given)
    assert found[0] == place
    assert said in found[1]


def test_too_many_classes_are_refused(refused: Refused) -> None:
    names = [f"class {number}" for number in range(1_001)] * 2
    frame = pd.DataFrame({"x": np.arange(2_002) * 0.5, "y": names})
    assert "1001 classes, expected at most 1000" in refused(frame, target="y")[1]


def test_a_class_of_one_row_is_refused_on_real_rows_too(refused: Refused) -> None:
    frame = real("iris").iloc[:101]
    assert refused(frame, target="target")[0] == "parameters.holdout"
