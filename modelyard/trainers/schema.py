"""What is known of a dataset without its rows."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from modelyard.core.errors import InvalidInput
from modelyard.core.metrics import nearest
from modelyard.core.table import Summary

NUMBERS = frozenset(
    {"int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64"}
)
TEXT, FLAG = "string", "bool"
TIMES = frozenset({"date", "timestamp"})


class Schema(msgspec.Struct, frozen=True):
    """The columns of a dataset, in its order."""

    n_rows: int
    columns: tuple[Summary, ...]

    @classmethod
    def of(cls, n_rows: int, summary: Sequence[Mapping[str, Any]]) -> "Schema":
        """Make it of what a dataset keeps of itself."""
        return cls(n_rows, msgspec.convert(summary, tuple[Summary, ...]))

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]

    def column(self, name: str, place: str) -> Summary:
        """Return a column.

        Raises:
            InvalidInput: with the nearest name, when there is none.
        """
        found = next((column for column in self.columns if column.name == name), None)
        if found is None:
            raise InvalidInput.at(place, f"the dataset has no column `{name}`; {nearest(name, self.names)}", "unknown")
        return found
