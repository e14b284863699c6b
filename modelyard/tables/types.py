"""Columns as pyarrow has them, and the types that they have in a dataset."""

from collections import Counter
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from modelyard.core.errors import InvalidInput
from modelyard.core.table import DATE, MAX_COLUMN_NAME, MAX_COLUMNS, TIMESTAMP

UTC = pa.timestamp("us", tz="UTC")
ARROW: dict[str, pa.DataType] = {
    "bool": pa.bool_(),
    **{f"{sign}int{bits}": getattr(pa, f"{sign}int{bits}")() for sign in ("", "u") for bits in (8, 16, 32, 64)},
    "float16": pa.float16(),
    "float32": pa.float32(),
    "float64": pa.float64(),
    "string": pa.string(),
    DATE: pa.date32(),
    TIMESTAMP: UTC,
}
WORDS = {kind: word for word, kind in ARROW.items()}
BATCH_ROWS = 65_536
_GROUP_CELLS = 16 << 20


def rows_per_group(n_columns: int) -> int:
    """Return the rows of a row group: 65,536, less in a wide table, so that a group fits in memory."""
    return max(1024, min(BATCH_ROWS, _GROUP_CELLS // max(n_columns, 1)))


def check_names(names: Sequence[str]) -> None:
    """Let pass the names of a dataset's columns.

    Raises:
        InvalidInput: when there are none or too many, or one is empty, given twice, too long or not printable.
    """
    if not 1 <= len(names) <= MAX_COLUMNS:
        raise InvalidInput(f"the file has {len(names)} columns, expected 1 to {MAX_COLUMNS}")
    for place, name in enumerate(names, 1):
        if not name.strip():
            raise InvalidInput(f"column {place} has no name: was the file written with its index?")
        if len(name) > MAX_COLUMN_NAME or not name.isprintable():
            raise InvalidInput(
                f"column {place} is called {name[:60]!r}: expected at most {MAX_COLUMN_NAME} printable characters"
            )
    name, times = Counter(names).most_common(1)[0]
    if times > 1:
        places = [str(place) for place, other in enumerate(names, 1) if other == name]
        raise InvalidInput(f"columns {' and '.join(places[:3])} are both called `{name}`: expected each name once")


def word_of(name: str, kind: pa.DataType) -> str:
    """Return the type that a column of `kind` has in a dataset.

    Raises:
        InvalidInput: when it has none.
    """
    if pa.types.is_dictionary(kind):
        return word_of(name, kind.value_type)
    if pa.types.is_large_string(kind) or kind == pa.string_view():
        return "string"
    if pa.types.is_null(kind) or pa.types.is_decimal(kind):
        return "float64"
    if pa.types.is_timestamp(kind):
        return TIMESTAMP
    if pa.types.is_date(kind):
        return DATE
    if kind in WORDS:
        return WORDS[kind]
    what = "nested values" if pa.types.is_nested(kind) else "values"
    raise InvalidInput(
        f"column `{name}` holds {what} of the type {str(kind)[:100]}: expected numbers, texts, truth values, dates or "
        "timestamps"
    )


def settled(array: pa.Array, word: str) -> pa.Array:
    """Return a column as a dataset holds it: of the type `word`, with NaN as a missing value, texts checked as UTF-8.

    Raises:
        pa.ArrowException: when a value does not fit.
    """
    kind = ARROW[word]
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if word == "string" and array.type != kind:
        array = array.cast(kind)
    elif pa.types.is_timestamp(array.type) or pa.types.is_decimal(array.type):
        array = array.cast(kind, safe=False)  # finer than a microsecond, or than a float64: cut
    elif array.type != kind:
        array = array.cast(kind)
    if word == "string":
        array.validate(full=True)
    if pa.types.is_floating(kind):
        wide = array.cast(pa.float32()) if word == "float16" else array
        array = pc.if_else(pc.is_nan(wide), pa.scalar(None, kind), array) if pc.any(pc.is_nan(wide)).as_py() else array
    return array
