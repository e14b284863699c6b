"""The words in which a dataset's columns are told, and what is kept of those that a model learnt from: the same; and
how a dataset is named."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from modelyard.core.errors import InvalidInput
from modelyard.core.reference import Reference, check_name, parse_reference

DATE, TIMESTAMP = "date", "timestamp"
TYPES = (
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64",
    "string", DATE, TIMESTAMP,
)  # fmt: skip
"""Of a column: the words of `signature.DataType` (which needs numpy, and the client has none), and two of time. A
timestamp is UTC, to the microsecond."""
MAX_COLUMNS = 2_000
MAX_COLUMN_NAME = 200
SUFFIXES = {".csv": "csv", ".parquet": "parquet"}
"""Of files that become datasets, and the format that each means."""

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
BINS = 20
TOP = 20
MAX_TEXT = 1_000
"""What a summary tells: which quantiles, bins of a histogram, most frequent values, characters of a text."""

Name = Annotated[str, Meta(min_length=1, max_length=MAX_COLUMN_NAME)]
Count = Annotated[int, Meta(ge=0, lt=1 << 62)]


class TableColumn(msgspec.Struct, frozen=True):
    """A column of a dataset.

    Attributes:
        type: one of `TYPES`.
        optional: values are missing.
        categories: every value there is, in order, where they are few.
    """

    name: str
    type: str
    optional: bool = False
    categories: list[str | bool] | None = None


class Bins(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A histogram: one edge more than counts."""

    edges: Annotated[list[float], Meta(min_length=2, max_length=101)]
    counts: Annotated[list[Count], Meta(min_length=1, max_length=100)]


class Frequent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A value, and how often it is there."""

    value: str | bool
    count: Count


class Summary(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a column holds; of numbers, texts and times each its own part.

    Attributes:
        type: one of `TYPES`.
        count: values that are there.
        exact: false where a part is estimated; `method` then says which, and how.
        infinite: of the values, how many are.
        quantiles: `"0.5"` is the median.
        top: the most frequent values.
    """

    name: Name
    type: str
    count: Count
    missing: Count
    exact: bool = True
    method: Annotated[str, Meta(max_length=500)] = ""
    infinite: Count = 0
    mean: float | None = None
    std: float | None = None
    min: int | float | str | None = None
    max: int | float | str | None = None
    quantiles: Annotated[dict[str, float | None], Meta(max_length=20)] | None = None
    histogram: Bins | None = None
    distinct: Count | None = None
    top: Annotated[list[Frequent], Meta(max_length=20)] | None = None


def format_of(filename: str) -> str | None:
    """Return the format that a file's name promises, None where it is none that is taken."""
    return next((form for suffix, form in SUFFIXES.items() if filename.lower().endswith(suffix)), None)


def check_dataset_name(name: str) -> str:
    """Return `name` if it may name a dataset.

    Raises:
        InvalidInput: with the rule, when it may not; `sources` is an address of its own.
    """
    if name == "sources":
        raise InvalidInput("'sources' cannot name a dataset: the API lists there where datasets may come from")
    return check_name(name, "a dataset")


def parse_dataset(text: str) -> Reference:
    """Read `flights`, the newest ready one of that name, or `flights:2`.

    Raises:
        InvalidInput: when it is neither.
    """
    name, colon, number = text.partition(":")
    check_dataset_name(name)
    return parse_reference(f"{name}:{number}") if colon else Reference(name)


def check_types(value: Any) -> dict[str, str]:
    """Return column types that somebody gave: column name to one of `TYPES`.

    Raises:
        InvalidInput: naming the column whose type is none.
    """
    if not isinstance(value, dict) or len(value) > MAX_COLUMNS:
        raise InvalidInput.at("types", 'expected an object of column names and types, as {"zip": "string"}')
    for name, word in value.items():
        if not isinstance(word, str) or word not in TYPES:
            raise InvalidInput.at(f"types.{name}", f"got {str(word)[:40]!r}, expected one of {', '.join(TYPES)}")
    return dict(value)
