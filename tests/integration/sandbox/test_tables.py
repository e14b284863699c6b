"""Tables larger than the memory that reading them may take.

`TABLE_MEGABYTES=1024` tries the size at which the promise was made; the run takes minutes then.
"""

import os
from pathlib import Path
from typing import Any

import pytest

from modelyard.core.errors import InvalidInput, ModelRefused
from modelyard.core.settings import MIB
from modelyard.sandbox.limits import Limits
from modelyard.sandbox.run import run
from modelyard.tables.examining import PRELOAD, TABLE

MEGABYTES = int(os.environ.get("TABLE_MEGABYTES", "0"))
BROKEN, WHOLE = MEGABYTES or 400, MEGABYTES or 100
MEMORY = 320 * MIB
"""Of which the interpreter with numpy and Arrow takes a third, whatever the size of the file."""
ROWS = 50_000
pytestmark = pytest.mark.timeout(3000)


def write(path: Path, megabytes: int) -> int:
    """Write a CSV of about that size, and return the number of its rows."""
    rows = b"".join(
        b"%d,%.6f,2013-01-%02d 10:%02d:00,carrier-%d\n" % (n, n / 7, n % 28 + 1, n % 60, n % 16) for n in range(ROWS)
    )
    times = -(-megabytes * MIB // len(rows))
    with path.open("wb") as file:
        file.write(b"n,x,when,carrier\n")
        for _ in range(times):
            file.write(rows)
    return times * ROWS


def examine(path: Path, scratch: Path) -> dict[str, Any]:
    scratch.mkdir()
    arguments = {"path": str(path), "form": "csv", "types": {}, "scratch": str(scratch)}
    limits = Limits(seconds=2800, memory_bytes=MEMORY, scratch_bytes=4096 * MIB)
    target = "modelyard.tables.examining:examine"
    return run(target, arguments, read=[path], scratch=scratch, limits=limits, preload=PRELOAD)


def test_a_large_table_with_a_broken_line_is_refused_for_that_line(tmp_path: Path) -> None:
    rows = write(tmp_path / "broken.csv", BROKEN)
    with (tmp_path / "broken.csv").open("ab") as file:
        file.write(b"1,2,3\n")
    with pytest.raises(InvalidInput, match=f"^line {rows + 2:,} has 3 fields, the header has 4$"):
        examine(tmp_path / "broken.csv", tmp_path / "scratch")


def test_a_large_table_is_read_in_bounded_memory(tmp_path: Path) -> None:
    rows = write(tmp_path / "whole.csv", WHOLE)
    found = examine(tmp_path / "whole.csv", tmp_path / "scratch")
    assert found["n_rows"] == rows
    assert [column["type"] for column in found["columns"]] == ["int64", "float64", "timestamp", "string"]
    assert (tmp_path / "scratch" / TABLE).exists()


def test_the_memory_is_watched(tmp_path: Path) -> None:
    """One row group of long texts takes more than there is: the bound above is one that can be passed."""
    with (tmp_path / "long.csv").open("wb") as file:
        file.write(b"t\n")
        for place in range(700):
            file.write(b"%d" % place + b"x" * (900 << 10) + b"\n")
    with pytest.raises(ModelRefused, match="memory"):
        examine(tmp_path / "long.csv", tmp_path / "scratch")
