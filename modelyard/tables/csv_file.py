"""A CSV file, read twice as a stream: once to see what each column holds, once to give it.

pyarrow tells types from a file's first block alone, and fails at a later row that does not fit. So both passes read
texts; the first finds the narrowest type that all values of a column have, the second converts to it.
"""

import csv
import io
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from modelyard.core.errors import InvalidInput
from modelyard.core.table import DATE, TIMESTAMP
from modelyard.tables.csv_faults import MAX_LINE_BYTES, check_end, line_of_row, why_unread
from modelyard.tables.types import ARROW, UTC, check_names, settled

MISSING = ("", "NA", "NaN")
"""What stands for a missing value, quoted or not."""
_WIDER: dict[str, tuple[str, ...]] = {
    "": ("int64", "float64", "bool", DATE, TIMESTAMP, "string"),
    "int64": ("int64", "float64", "string"),
    "float64": ("float64", "string"),
    "bool": ("bool", "string"),
    DATE: (DATE, TIMESTAMP, "string"),
    TIMESTAMP: (TIMESTAMP, "string"),
    "string": ("string",),
}
"""By the type that a column had so far, those that it may have, the narrowest first."""

_TIMES = (UTC, pa.timestamp("us"), pa.timestamp("ns", tz="UTC"), pa.timestamp("ns"))
"""How times are written: with an offset, without one (then they are UTC), and both with more digits than are kept."""
_FEW = 64
_LONG = 17
_LONG_INTEGER = rf"^\s*[+-]?\d{{{_LONG},}}\s*$"


class CsvFile:
    """Commas between values, the columns' names in the first line, UTF-8. Texts may be quoted and hold line ends.

    `given` are types that somebody told, by column; the others are found.

    Raises (when made, and while it is read):
        InvalidInput: naming the line, and the column where it is one value.
    """

    def __init__(self, path: Path, given: Mapping[str, str]) -> None:
        self._path = path
        self.names = _header(path)
        check_names(self.names)
        for name in given:
            if name not in self.names:
                near = get_close_matches(name, self.names, 1)
                hint = f"; did you mean `{near[0]}`?" if near else ""
                raise InvalidInput.at("types", f"the file has no column `{name[:60]}`{hint}")
        self.types = self._found_types(given)
        self.schema = pa.schema([(name, ARROW[word]) for name, word in zip(self.names, self.types, strict=True)])

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Give the rows, converted."""
        first, last = 0, None
        for batch in self._texts():
            columns = []
            for name, word, texts in zip(self.names, self.types, batch.columns, strict=True):
                try:
                    columns.append(settled(read_texts(texts, word), word))
                except pa.ArrowInvalid:
                    raise self._misfit(name, word, texts, first) from None
            yield pa.RecordBatch.from_arrays(columns, schema=self.schema)
            first += batch.num_rows
            last = batch.columns[-1][-1].as_py() if batch.num_rows else last
        check_end(self._path, last)

    def _texts(self) -> Iterator[pa.RecordBatch]:
        options = {
            "read_options": arrow_csv.ReadOptions(use_threads=False, block_size=MAX_LINE_BYTES),
            "parse_options": arrow_csv.ParseOptions(newlines_in_values=True),
            "convert_options": arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(self.names, pa.string()),
                null_values=list(MISSING),
                strings_can_be_null=True,
            ),
        }
        try:
            with arrow_csv.open_csv(self._path, **options) as reader:
                yield from reader
        except pa.ArrowInvalid as error:
            if "Empty CSV file" in str(error):
                return
            raise InvalidInput(why_unread(self._path, len(self.names), str(error))) from None

    def _found_types(self, given: Mapping[str, str]) -> list[str]:
        found = ["" for _ in self.names]
        long: set[int] = set()
        for batch in self._texts():
            for place, (name, texts) in enumerate(zip(self.names, batch.columns, strict=True)):
                if name not in given and texts.null_count < len(texts):
                    wider = _WIDER[found[place]]
                    if "float64" in wider and _has_long_integers(texts):
                        long.add(place)
                    allowed = (word for word in wider if word != "float64" or place not in long)
                    found[place] = next(word for word in allowed if _fits(texts, word))
        # A column without a single value is one of numbers, as pandas has it.
        return [given.get(name, word or "float64") for name, word in zip(self.names, found, strict=True)]

    def _misfit(self, name: str, word: str, texts: pa.Array, first: int) -> InvalidInput:
        """Return the error for the first text of a batch that is not of the type; its first row is the `first`th."""
        for place in range(len(texts)):
            value = texts.slice(place, 1)
            if not _fits(value, word):
                line = line_of_row(self._path, first + place)
                return InvalidInput(f"line {line:,}, column `{name}`: got {value[0].as_py()[:80]!r}, expected {word}")
        return InvalidInput(f"column `{name}` holds values that are not of the type {word}")


def _header(path: Path) -> list[str]:
    """Return the names in the first line. Raises `InvalidInput` where there are none."""
    with path.open("rb") as file:
        start = file.read(MAX_LINE_BYTES)
    try:
        text = start.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if b"\n" not in start[: error.start]:
            raise InvalidInput("line 1 is no UTF-8: save the file as UTF-8, then send it again") from None
        text = start.decode("utf-8-sig", "replace")
    csv.field_size_limit(MAX_LINE_BYTES)
    names = next(csv.reader(io.StringIO(text, newline="")), [])
    if not text.strip():
        raise InvalidInput("the file is empty: expected a line of column names, and rows")
    if not names:
        raise InvalidInput("line 1 is empty: expected the columns' names in it")
    if len(names) == 1 and any(sign in names[0] for sign in (";", "\t", "|")):
        raise InvalidInput(f"line 1 names one column, {names[0][:60]!r}: expected commas between the columns")
    return names


def _has_long_integers(texts: pa.Array) -> bool:
    """Tell whether there are integers, ids mostly, that would change in their last digits as floats."""
    if pc.max(pc.binary_length(texts)).as_py() < _LONG:
        return False
    return bool(pc.any(pc.match_substring_regex(texts, _LONG_INTEGER)).as_py())


def _fits(texts: pa.Array, word: str) -> bool:
    try:
        settled(read_texts(texts, word), word)
    except pa.ArrowInvalid:
        return False
    return True


def read_texts(texts: pa.Array, word: str) -> pa.Array:
    """Return texts as values of a type.

    Raises:
        pa.ArrowInvalid: when one of them is none.
    """
    if word == "string":
        return texts
    texts = pc.utf8_trim_whitespace(texts)
    if word == "float16":
        return _cast(texts, pa.float32()).cast(pa.float16())
    if word != TIMESTAMP:
        return _cast(texts, ARROW[word])
    for kind in _TIMES[:-1]:
        try:
            return _cast(texts, kind)
        except pa.ArrowInvalid:
            continue
    return _cast(texts, _TIMES[-1])


def _cast(texts: pa.Array, kind: pa.DataType) -> pa.Array:
    """Cast, the first few alone before all: pyarrow writes an error for each value that does not fit."""
    texts.slice(0, _FEW).cast(kind)
    return texts.cast(kind)
