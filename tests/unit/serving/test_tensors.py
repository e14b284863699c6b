"""Tensors of the Open Inference Protocol: every value arrives as it was sent, or is refused."""

import msgspec
import numpy as np
import pytest

from modelyard.core.errors import InvalidInput
from modelyard.core.signature import Column, DataType
from modelyard.serving.protocols import tensors

INT64 = Column("id", DataType.INT64)


def column(data: bytes, datatype: str, column: Column) -> np.ndarray:
    read = tensors.read(column.name, datatype, [data.count(b",") + 1], msgspec.Raw(data))
    return tensors.as_column(read, column)


@pytest.mark.parametrize("number", [2**53 + 1, 2**63 - 1, -(2**63), 0])
def test_a_whole_number_keeps_every_bit(number: int) -> None:
    assert column(b"[%d]" % number, "INT64", INT64).tolist() == [number]


def test_a_whole_number_of_uint64_keeps_every_bit() -> None:
    unsigned = Column("id", DataType.UINT64)
    assert column(b"[%d,1]" % (2**64 - 1), "UINT64", unsigned).tolist() == [2**64 - 1, 1]


@pytest.mark.parametrize(
    ("data", "datatype", "type_"),
    [
        (b"[9223372036854775808]", "UINT64", DataType.INT64),
        (b"[9223372036854775807.0]", "FP64", DataType.INT64),
        (b"[18446744073709551616.0]", "FP64", DataType.UINT64),
        (b"[-1]", "INT64", DataType.UINT64),
        (b"[128]", "INT64", DataType.INT8),
        (b"[1.5]", "FP64", DataType.INT64),
        (b"[null]", "INT64", DataType.INT64),
    ],
)
def test_what_does_not_fit_the_column_is_refused(data: bytes, datatype: str, type_: DataType) -> None:
    with pytest.raises(InvalidInput):
        column(data, datatype, Column("id", type_))


def test_a_missing_whole_number_is_nan() -> None:
    given = column(b"[1,null]", "INT64", Column("id", DataType.INT64, optional=True))
    assert given.dtype == np.float64
    assert np.isnan(given[1])
