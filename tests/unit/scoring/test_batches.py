"""Columns of a table become the batch that `/predict` makes of the same rows, and the same rows are refused."""

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from modelyard.core.errors import InvalidInput
from modelyard.core.signature import Column, DataType, Output, Signature
from modelyard.scoring.batches import batch_of
from modelyard.serving.protocols.decoder import Decoder

OUT = (Output("label", DataType.INT64),)


def table(**columns: Any) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(columns)


@pytest.mark.parametrize(
    ("column", "values"),
    [
        (Column("x", DataType.FLOAT64), pa.array([1.5, None, -2.0])),
        (Column("x", DataType.FLOAT64), pa.array([1, 2, None])),
        (Column("x", DataType.FLOAT64, optional=True), pa.array([1.5, None])),
        (Column("x", DataType.FLOAT32), pa.array([1.5, 1e300, -1e39, 3e38])),
        (Column("x", DataType.INT64), pa.array([1, None, 2**60])),
        (Column("x", DataType.INT64), pa.array([1.0, 2.5, 2.0**63, -(2.0**63), None])),
        (Column("x", DataType.INT64, optional=True), pa.array([1.0, 2.5, None])),
        (Column("x", DataType.INT8), pa.array([127, 128, -128, -129])),
        (Column("x", DataType.INT8), pa.array([127.0, 128.0, 1.5])),
        (Column("x", DataType.UINT16), pa.array([0, -1, 65535, 65536])),
        (Column("x", DataType.BOOL), pa.array([True, False, None])),
        (Column("x", DataType.BOOL, optional=True), pa.array([True, None])),
        (Column("x", DataType.STRING), pa.array(["a", None, "", "ä"])),
        (Column("x", DataType.STRING, optional=True), pa.array(["a", None, "a"])),
    ],
    ids=str,
)
@pytest.mark.parametrize("matrix", [True, False])
def test_each_value_is_taken_or_refused_as_predict_does(column: Column, values: pa.Array, matrix: bool) -> None:
    other = Column("y", DataType.FLOAT64 if matrix else DataType.STRING)
    signature = Signature((column, other), OUT)
    beside = [1.0 if matrix else "a"] * len(values)
    batch, refused = batch_of(table(x=values, y=pa.array(beside)), signature)
    mask = np.zeros(len(values), bool) if refused.mask is None else refused.mask
    assert set(np.flatnonzero(mask).tolist()) == set(refused.reasons)
    decoder = Decoder(signature)
    for row, value in enumerate(values.to_pylist()):
        body = json.dumps({"rows": [{"x": value, "y": beside[row]}]}).encode()
        try:
            wanted = decoder.decode(body, 10).batch
        except InvalidInput:
            assert mask[row], value
            assert "column `x`: got " in refused.reasons[row]
            continue
        assert not mask[row], (value, refused.reasons)
        if batch.matrix is not None:
            assert wanted.matrix is not None
            np.testing.assert_array_equal(batch.matrix[row], wanted.matrix[0])
        else:
            assert batch.columns is not None
            assert wanted.columns is not None
            got, want = batch.columns["x"][row : row + 1], wanted.columns["x"]
            np.testing.assert_array_equal(got.astype(want.dtype), want)


def test_infinity_is_refused_and_an_optional_column_may_lack() -> None:
    signature = Signature((Column("x", DataType.FLOAT64), Column("y", DataType.FLOAT64, optional=True)), OUT)
    batch, refused = batch_of(table(x=[1.0, float("inf")]), signature)
    assert refused.reasons == {1: "column `x`: got inf, expected float64"}
    assert batch.matrix is not None
    assert np.isnan(batch.matrix[:, 1]).all()
