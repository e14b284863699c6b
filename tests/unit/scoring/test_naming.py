"""What is added to a table, and which tables a version takes."""

import pytest

from modelyard.core.errors import InvalidInput
from modelyard.core.signature import Column, DataType, Output, Role, Signature
from modelyard.scoring.fitting import check_columns
from modelyard.scoring.naming import column_names

X = (Column("age", DataType.FLOAT64), Column("plan", DataType.STRING), Column("vip", DataType.BOOL, optional=True))
LABEL = Output("label", DataType.INT64, role=Role.PREDICTION, classes=(0, 1))
SHARES = Output("probabilities", DataType.FLOAT32, shape=(2,), role=Role.PROBABILITIES)


@pytest.mark.parametrize(
    ("outputs", "names"),
    [
        ((LABEL,), ["prediction"]),
        ((LABEL, SHARES), ["prediction", "probability_0", "probability_1"]),
        (
            (Output("label", DataType.BOOL, role=Role.PREDICTION, classes=(False, True)), SHARES),
            ["prediction", "probability_false", "probability_true"],
        ),
        ((Output("both", DataType.FLOAT64, shape=(2,)),), ["prediction_0", "prediction_1"]),
        ((LABEL, Output("leaves", DataType.INT64, shape=(9,))), ["prediction"]),
    ],
)
def test_columns_are_called_after_what_they_hold(outputs: tuple[Output, ...], names: list[str]) -> None:
    assert column_names(Signature(X, outputs)) == names


def test_a_prediction_that_is_no_column_is_refused() -> None:
    with pytest.raises(InvalidInput, match="one value a row"):
        column_names(Signature(X, (Output("pictures", DataType.FLOAT64, shape=(28, 28)),)))


def test_all_that_does_not_fit_is_named_at_once() -> None:
    check_columns(Signature(X, (LABEL,)), {"age": "int64", "plan": "string", "more": "date"})
    with pytest.raises(InvalidInput) as refused:
        check_columns(Signature(X, (LABEL,)), {"agee": "int64", "plan": "timestamp", "vip": "string"})
    said = refused.value.message
    assert "column `age` is missing, expected float64 (there is `agee`)" in said
    assert "column `plan` holds timestamp, expected string" in said
    assert "column `vip` holds string, expected bool" in said
    assert refused.value.details["missing"] == ["age"]
    assert refused.value.details["wrong"] == ["plan", "vip"]


def test_a_table_without_anything_that_the_version_takes_is_another_ones() -> None:
    """Where every column may lack, as after imputation, nothing lacks: it would all be told from nothing."""
    optional = Signature((Column("age", DataType.FLOAT64, optional=True), X[2]), (LABEL,))
    check_columns(optional, {"vip": "bool"})
    with pytest.raises(InvalidInput, match="none of the columns that the version takes: expected some of `age`, `vip`"):
        check_columns(optional, {"mileage": "int64"})
