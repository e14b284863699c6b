"""The typed columns (or tensors) that a version takes and gives."""

from collections import Counter
from enum import StrEnum
from functools import cached_property

import msgspec
import numpy as np

from modelyard.core.errors import InvalidInput

MAX_COLUMNS = 10_000
MAX_CATEGORIES = 1_000
ANY_LENGTH = -1


class DataType(StrEnum):
    """Element types, by numpy's names; the Open Inference Protocol's names are in `protocol_name`."""

    BOOL = "bool"
    INT8 = "int8"
    INT16 = "int16"
    INT32 = "int32"
    INT64 = "int64"
    UINT8 = "uint8"
    UINT16 = "uint16"
    UINT32 = "uint32"
    UINT64 = "uint64"
    FLOAT16 = "float16"
    FLOAT32 = "float32"
    FLOAT64 = "float64"
    STRING = "string"

    @property
    def protocol_name(self) -> str:
        """Return the name in the Open Inference Protocol, version 2, "Tensor Data Types"."""
        if self is DataType.STRING:
            return "BYTES"
        return self.value.replace("float", "FP").upper()

    @property
    def is_integer(self) -> bool:
        return "int" in self.value

    @property
    def is_floating(self) -> bool:
        return self.value.startswith("float")

    @property
    def is_numeric(self) -> bool:
        return self is not DataType.STRING

    @property
    def dtype(self) -> np.dtype:
        """Return the numpy type of an array without missing values; strings are Python objects."""
        return np.dtype(object) if self is DataType.STRING else np.dtype(self.value)


class Column(msgspec.Struct, frozen=True, omit_defaults=True):
    """One input.

    Attributes:
        name: unique among the inputs.
        type: of one element.
        shape: of one row's value: `()` is a scalar, `(28, 28)` a small picture; -1 is any length.
        optional: a missing value (JSON null, NaN) is allowed.
        categories: the usual values, when they are few: those that the fitted estimator knows, or the sample has;
            others are allowed, as the model decides.
        minimum: the smallest usual value: of the sample, else as the fitted estimator tells it; not a bound.
        maximum: the largest, likewise.
    """

    name: str
    type: DataType
    shape: tuple[int, ...] = ()
    optional: bool = False
    categories: tuple[str | int | float | bool, ...] | None = None
    minimum: float | None = None
    maximum: float | None = None

    @property
    def dtype(self) -> np.dtype:
        """Return the numpy type of this column's arrays.

        A missing number is NaN, so an optional integer is held as float64; a missing string or bool is None in
        an object array.
        """
        if not self.optional or self.type.is_floating:
            return self.type.dtype
        return np.dtype(np.float64) if self.type.is_integer else np.dtype(object)


class Role(StrEnum):
    """What an output is for: `prediction` and `probabilities` have their own place in an answer."""

    PREDICTION = "prediction"
    PROBABILITIES = "probabilities"
    OTHER = "other"


class Output(msgspec.Struct, frozen=True, omit_defaults=True):
    """One output.

    Attributes:
        name: unique among the outputs.
        type: of one element.
        shape: of one row's value; -1 is any length.
        role: what it is for.
        classes: of a classifier, in the order of the probabilities' last axis.
    """

    name: str
    type: DataType
    shape: tuple[int, ...] = ()
    role: Role = Role.OTHER
    classes: tuple[str | int | float | bool, ...] | None = None


class Signature(msgspec.Struct, frozen=True, dict=True):
    """What a version takes and gives, in the model's own order."""

    columns: tuple[Column, ...]
    outputs: tuple[Output, ...]

    def __post_init__(self) -> None:
        for what, items in (("input", self.columns), ("output", self.outputs)):
            names = [item.name for item in items]
            if not 1 <= len(names) <= MAX_COLUMNS:
                raise InvalidInput(f"{len(names)} {what}s: expected 1 to {MAX_COLUMNS}")
            name, times = Counter(names).most_common(1)[0]
            if times > 1:
                raise InvalidInput(f"{what} `{name}` is named twice: expected each name once")
            for item in items:
                if not item.name:
                    raise InvalidInput(f"an {what} has no name: expected one")
                if any(size < 1 and size != ANY_LENGTH for size in item.shape):
                    raise InvalidInput(f"{what} `{item.name}`: got shape {item.shape}, expected sizes above 0, or -1")

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Return the names of the inputs, in order."""
        return tuple(column.name for column in self.columns)

    @cached_property
    def is_matrix(self) -> bool:
        """Tell whether a batch is one float64 matrix `(n_rows, n_columns)`: every input is a numeric scalar."""
        return all(column.type.is_numeric and not column.shape for column in self.columns)

    @cached_property
    def prediction(self) -> Output:
        """Return the output that is the prediction: the one with that role, else the first."""
        return next((output for output in self.outputs if output.role is Role.PREDICTION), self.outputs[0])

    @cached_property
    def probabilities(self) -> Output | None:
        """Return the output that holds class probabilities, if there is one."""
        return next((output for output in self.outputs if output.role is Role.PROBABILITIES), None)


def label(value: str | int | float | bool) -> str:
    """Return a class as the name of a member of a JSON object."""
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
