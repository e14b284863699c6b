"""Why a CSV file could not be read, with the line: looked for only once it failed, in a stream of its own."""

import csv
from collections.abc import Iterator
from pathlib import Path

from modelyard.core.errors import InvalidInput

MAX_LINE_BYTES = 1 << 20
"""Of one row. What is longer is a quote that nobody closed, or no CSV."""


def why_unread(path: Path, n_columns: int, said: str) -> str:
    """Return what is wrong with the first line that does not fit; where none is found, what the reader said."""
    try:
        for line, row in _rows(path):
            if len(row) != n_columns:
                fields = f"{len(row)} field{'s' * (len(row) != 1)}"
                return f"line {line:,} has {fields}, the header has {n_columns}{_running_on(line, row)}"
    except InvalidInput as fault:
        return fault.message
    return f"the file cannot be read as CSV: {said[:300]}"


def _running_on(line: int, row: list[str]) -> str:
    """Return what is said of a value with line ends in a row that does not fit: its quote may have taken in others."""
    ends = sum(value.rstrip("\r\n").count("\n") for value in row)
    return f"; one of them runs on to line {line + ends:,}: is a quote missing?" if ends else ""


def check_end(path: Path, last: str | None) -> None:
    """Let pass a file whose last value is `last`. A quote that nobody closed makes one value of all that follows it.

    Raises:
        InvalidInput: naming the line of the quote.
    """
    if last is None or "\n" not in last:
        return
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, 2) - MAX_LINE_BYTES))
        if file.read().rstrip().endswith(b'"'):
            return
    line = max(begins for begins, _ in _rows(path))
    raise InvalidInput(f"line {line:,} begins a value in quotes that is never closed: is a quote missing?")


def line_of_row(path: Path, row: int) -> int:
    """Return the line, from 1, in which a row begins; rows are counted from 0, without the header."""
    for place, (line, _) in enumerate(_rows(path)):
        if place == row + 1:
            return line
    return row + 2


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Give each row that is not empty, the header too, with the line that it begins in.

    Raises:
        InvalidInput: at the first line that is no CSV.
    """
    csv.field_size_limit(MAX_LINE_BYTES)
    reader = csv.reader(_lines(path))
    begins = 1
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            long = "limit" in str(error)
            what = f"begins a value that does not end within {MAX_LINE_BYTES >> 20} MiB: is a quote missing?"
            raise InvalidInput(f"line {begins:,} {what if long else f'is no CSV: {error}'}") from None
        if row is None:
            return
        if row:
            yield begins, row
        begins = reader.line_num + 1


def _lines(path: Path) -> Iterator[str]:
    with path.open("rb") as file:
        number = 0
        while line := file.readline(MAX_LINE_BYTES + 1):
            number += 1
            if len(line) > MAX_LINE_BYTES:
                raise InvalidInput(f"line {number:,} is longer than {MAX_LINE_BYTES >> 20} MiB")
            try:
                yield line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                byte = line[error.start]
                raise InvalidInput(
                    f"line {number:,} is no UTF-8 (byte {byte:#04x}): save the file as UTF-8, then send it again"
                ) from None
