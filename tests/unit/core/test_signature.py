"""Signatures name each column once and know which numpy types hold their values."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.core.errors import InvalidInput
from modelyard.core.signature import MAX_COLUMNS, Column, DataType, Output, Role, Signature

OUTPUT = (Output("label", DataType.INT64),)

columns = st.builds(
    Column,
    name=st.text(min_size=1, max_size=20),
    type=st.sampled_from(DataType),
    shape=st.lists(st.one_of(st.just(-1), st.integers(1, 64)), max_size=3).map(tuple),
    optional=st.booleans(),
    categories=st.none() | st.lists(st.text(max_size=5), max_size=4).map(tuple),
    minimum=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    maximum=st.none() | st.floats(allow_nan=False, allow_infinity=False),
)
signatures = st.builds(
    Signature,
    columns=st.lists(columns, min_size=1, max_size=8, unique_by=lambda column: column.name).map(tuple),
    outputs=st.just(OUTPUT),
)


@pytest.mark.parametrize(
    ("type_", "name"),
    [
        (DataType.BOOL, "BOOL"),
        (DataType.INT8, "INT8"),
        (DataType.INT64, "INT64"),
        (DataType.UINT16, "UINT16"),
        (DataType.FLOAT16, "FP16"),
        (DataType.FLOAT32, "FP32"),
        (DataType.FLOAT64, "FP64"),
        (DataType.STRING, "BYTES"),
    ],
)
def test_types_have_the_names_of_the_open_inference_protocol(type_: DataType, name: str) -> None:
    assert type_.protocol_name == name


@pytest.mark.parametrize("type_", DataType)
def test_kinds_of_types_do_not_overlap(type_: DataType) -> None:
    kind = np.dtype(type_.value).kind if type_ is not DataType.STRING else "O"
    assert type_.is_integer == (kind in "iu")
    assert type_.is_floating == (kind == "f")
    assert type_.is_numeric == (kind in "iufb")
    assert type_.dtype.kind == kind


@pytest.mark.parametrize(
    ("column", "dtype"),
    [
        (Column("a", DataType.INT32), "int32"),
        (Column("a", DataType.INT32, optional=True), "float64"),
        (Column("a", DataType.UINT8, optional=True), "float64"),
        (Column("a", DataType.FLOAT32, optional=True), "float32"),
        (Column("a", DataType.BOOL), "bool"),
        (Column("a", DataType.BOOL, optional=True), "object"),
        (Column("a", DataType.STRING), "object"),
        (Column("a", DataType.STRING, optional=True), "object"),
    ],
)
def test_missing_values_have_a_place(column: Column, dtype: str) -> None:
    assert column.dtype == np.dtype(dtype)


@given(signatures)
def test_a_signature_survives_json(signature: Signature) -> None:
    assert msgspec.json.decode(msgspec.json.encode(signature), type=Signature) == signature


@given(signatures)
def test_names_are_in_the_models_order(signature: Signature) -> None:
    assert signature.names == tuple(column.name for column in signature.columns)


@given(signatures)
def test_a_matrix_is_numeric_scalars_alone(signature: Signature) -> None:
    scalars = [column.shape == () and column.type is not DataType.STRING for column in signature.columns]
    assert signature.is_matrix == all(scalars)


def test_the_prediction_is_the_output_with_that_role_else_the_first() -> None:
    label = Output("label", DataType.STRING, role=Role.PREDICTION)
    odds = Output("odds", DataType.FLOAT64, (3,), Role.PROBABILITIES, ("a", "b", "c"))
    other = Output("score", DataType.FLOAT64)
    column = (Column("a", DataType.FLOAT64),)
    assert Signature(column, (odds, label)).prediction is label
    assert Signature(column, (odds, label)).probabilities is odds
    assert Signature(column, (other,)).prediction is other
    assert Signature(column, (other,)).probabilities is None


@pytest.mark.parametrize("what", ["input", "output"])
def test_there_is_at_least_one_of_each(what: str) -> None:
    columns = () if what == "input" else (Column("a", DataType.FLOAT64),)
    with pytest.raises(InvalidInput, match=f"0 {what}s: expected 1 to"):
        Signature(columns, OUTPUT if what == "input" else ())


def test_columns_are_bounded_and_counting_them_is_quick() -> None:
    many = tuple(Column(f"x{number}", DataType.FLOAT64) for number in range(MAX_COLUMNS))
    assert Signature(many, OUTPUT).is_matrix
    with pytest.raises(InvalidInput, match="`x0` is named twice"):
        Signature((*many[:-1], many[0]), OUTPUT)
    with pytest.raises(InvalidInput, match=f"expected 1 to {MAX_COLUMNS}"):
        Signature((*many, Column("one more", DataType.FLOAT64)), OUTPUT)


def test_each_output_is_named_once() -> None:
    with pytest.raises(InvalidInput, match="output `label` is named twice"):
        Signature((Column("a", DataType.FLOAT64),), OUTPUT * 2)


def test_a_column_has_a_name() -> None:
    with pytest.raises(InvalidInput, match="an input has no name"):
        Signature((Column("", DataType.FLOAT64),), OUTPUT)


@pytest.mark.parametrize("shape", [(0,), (-2,), (3, 0), (3, -7)])
def test_a_size_is_positive_or_any(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInput, match="expected sizes above 0, or -1"):
        Signature((Column("a", DataType.FLOAT64, shape),), OUTPUT)


def test_decoding_from_json_checks_as_building_does() -> None:
    with pytest.raises(InvalidInput, match="0 inputs"):
        msgspec.json.decode(b'{"columns": [], "outputs": [{"name": "a", "type": "bool"}]}', type=Signature)
    with pytest.raises(msgspec.ValidationError, match=r"columns\[0\].type"):
        msgspec.json.decode(b'{"columns": [{"name": "a", "type": "complex"}], "outputs": []}', type=Signature)
