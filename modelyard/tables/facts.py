"""What the child that examined a dataset may say: shapes and bounds, checked before anything of it is used."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from modelyard.core.table import MAX_COLUMNS, TYPES, Summary, TableColumn


class Examined(msgspec.Struct, frozen=True):
    """A table."""

    columns: Annotated[list[TableColumn], Meta(min_length=1, max_length=MAX_COLUMNS)]
    summary: Annotated[list[Summary], Meta(min_length=1, max_length=MAX_COLUMNS)]
    n_rows: Annotated[int, Meta(ge=1, lt=1 << 62)]
    head: Annotated[list[list[Any]], Meta(min_length=1, max_length=50)]

    def __post_init__(self) -> None:
        """Raise `ValueError` where the parts do not belong together."""
        names = [column.name for column in self.columns]
        if names != [one.name for one in self.summary] or any(len(row) != len(names) for row in self.head):
            raise ValueError("columns, summary and rows do not belong together")
        if any(column.type not in TYPES for column in self.columns):
            raise ValueError("a column of no known type")
