"""What a sandboxed child does with a dataset: the parsers are native code, and the bytes are a stranger's.

Each function is a target of `sandbox.run`, so it takes and gives JSON.
"""

from pathlib import Path
from typing import Any

from modelyard.core.errors import InvalidInput
from modelyard.tables.csv_file import CsvFile
from modelyard.tables.describing import describe, head, read_rows
from modelyard.tables.parquet_file import ParquetFile, open_parquet
from modelyard.tables.writing import write_table

TABLE, PART = "table.parquet", "part.csv"
"""Names of what is left in the scratch folder."""
KINDS: dict[str, type[CsvFile] | type[ParquetFile]] = {"csv": CsvFile, "parquet": ParquetFile}
PRELOAD = ("numpy", "msgspec", "pyarrow", "pyarrow.compute", "pyarrow.csv", "pyarrow.parquet")


def examine(path: str, form: str, types: dict[str, str], scratch: str, query: bool = False) -> dict[str, Any]:
    """Write a file as a canonical table into `scratch`, and return what it holds: a `facts.Examined` as JSON.

    With `query` it holds what a query gave, of which messages speak then.

    Raises:
        InvalidInput: when it cannot become a dataset.
    """
    source, target = KINDS[form](Path(path), types), Path(scratch) / TABLE
    n_rows = write_table(source.batches(), source.schema, target)
    if not n_rows:
        said = "the query gives no rows" if query else "the file names its columns and has no rows"
        raise InvalidInput(f"{said}: expected one or more")
    columns, summary = describe(target)
    return {"columns": columns, "summary": summary, "n_rows": n_rows, "head": head(target, len(columns))}


def rows(path: str, offset: int, rows: int) -> dict[str, Any]:
    """Return some rows of a canonical table as JSON values."""
    return {"rows": read_rows(Path(path), offset, rows)}


def csv_part(path: str, first: int, groups: int, scratch: str) -> dict[str, Any]:
    """Write some row groups of a canonical table as CSV into `scratch`; the first of all brings the header.

    Missing values are empty, times ISO 8601.
    """
    from pyarrow import csv

    file = open_parquet(Path(path))
    last = min(first + groups, file.num_row_groups)
    options = csv.WriteOptions(include_header=first == 0)
    with csv.CSVWriter(str(Path(scratch) / PART), file.schema_arrow, write_options=options) as writer:
        for group in range(first, last):
            writer.write_table(file.read_row_group(group, use_threads=False))
    return {"groups": file.num_row_groups}
