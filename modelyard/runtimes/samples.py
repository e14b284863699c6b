"""A sample as it was sent: more than the model takes may be in it, and names may be missing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from modelyard.core.errors import InvalidInput
from modelyard.core.signature import Column, DataType

Table = dict[str, np.ndarray]

MAX_IGNORED, MAX_NAME = 100, 200
"""Of the columns that are told to be ignored: how many, and the letters of a name."""

INDEX = "was the CSV written with its index?"


@dataclass(frozen=True, slots=True)
class Sample:
    """Rows, column by column.

    Attributes:
        columns: by name: int64, float64 (missing: NaN), bool, or Python texts (missing: None).
        named: the file names its columns; else they are called `x0`, `x1`, and so on.
        unfit: what columns of other values hold, by name.
    """

    columns: Mapping[str, np.ndarray]
    named: bool = True
    unfit: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        return [*self.columns, *self.unfit]

    def taken(self, names: Sequence[str], *, renames: bool = False) -> tuple[Table, list[str]]:
        """Return the columns that the model calls `names`, and the names of those that it does not take.

        They are found by name; where the sample names none (or, with `renames`, not all of them), by position.

        Raises:
            InvalidInput: when one is not there, or holds what no model takes.
        """
        there = set(self.names)
        lacking = [name for name in names if name not in there]
        if not self.named or (renames and lacking):
            self._check_width(len(names))
            self._check_fit(there)
            return dict(zip(names, self.columns.values(), strict=True)), []
        if lacking:
            raise InvalidInput(
                f"the sample has no column `{lacking[0]}`, which the model takes: "
                f"it has {', '.join(self.names[:5])[:200]}; the first line of a CSV file names the columns",
                missing=lacking[:20],
            )
        wanted = set(names)
        self._check_fit(wanted)
        return {name: self.columns[name] for name in names}, [name for name in self.names if name not in wanted]

    def all(self, width: int | None) -> list[str]:
        """Return the names of all columns, for a model that names none and takes `width` of them (None: any number).

        Raises:
            InvalidInput: when they are not as many, or one has no name or holds what no model takes.
        """
        if width is not None:
            self._check_width(width)
        if "" in self.names:
            raise InvalidInput(f"a column of the sample has no name: {INDEX}")
        self._check_fit(set(self.names))
        return self.names

    def _check_width(self, width: int) -> None:
        if len(self.names) == width:
            return
        too_many = len(self.names) > width
        mend = "send its input only, without the target" if too_many else "send all that it takes, in its order"
        if not self.named:
            mend = "they have no names, so they are taken by position"
        elif "" in self.names:
            mend = f"one of them has no name: {INDEX}"
        raise InvalidInput(f"the sample has {len(self.names)} columns, the model takes {width}: {mend}")

    def _check_fit(self, wanted: set[str]) -> None:
        for name, held in self.unfit.items():
            if name in wanted:
                raise InvalidInput(
                    f"column `{name}` of the sample holds {held} values: expected numbers, texts or truth values"
                )


def lacks(values: np.ndarray) -> bool:
    """Tell whether one of the values is missing."""
    return bool(np.isnan(values).any()) if values.dtype.kind == "f" else None in values.tolist()


def held(values: np.ndarray, column: Column) -> np.ndarray:
    """Return a sample's values as `column` holds them, in an array of `column.dtype`.

    Raises:
        InvalidInput: one of them is none that a request for the column could send.
    """
    reason = _misfit(values, column)
    if reason is None:
        if values.dtype.kind == "f" and column.dtype == object:
            return np.full(len(values), None, dtype=object)  # not one of them is there
        with np.errstate(over="ignore"):
            array = values.astype(column.dtype)
        if array.dtype.kind != "f" or not np.isinf(array).any():
            return array
        reason = "numbers that are infinite, or too large for it"
    raise InvalidInput(f"column `{column.name}` of the sample holds {reason}: expected {column.type} values")


def _misfit(values: np.ndarray, column: Column) -> str | None:
    """Return what the values hold that the column does not, None when nothing."""
    present = _present(values)
    if len(present) < len(values) and not column.optional:
        return "missing values, and is not declared as `optional`"
    kind = _kind(present)
    if kind is None:
        return None
    wanted = {DataType.STRING: ("texts",), DataType.BOOL: ("truth values",)}.get(column.type)
    if wanted is None:
        wanted = ("whole numbers", "truth values", *(() if column.type.is_integer else ("numbers",)))
    if kind not in wanted:
        return kind
    if column.type.is_integer and kind == "whole numbers":
        bounds = np.iinfo(column.type.dtype)
        least, most = int(present.min()), int(present.max())
        return None if bounds.min <= least and most <= bounds.max else f"{least} to {most}"
    return None


def _present(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "O":
        return np.array([value for value in values.tolist() if value is not None], dtype=object)
    there: np.ndarray = values[values == values]  # NaN is equal to nothing
    return there


def _kind(present: np.ndarray) -> str | None:
    """Return what sort of values they are, None where there are none."""
    if not len(present):
        return None
    if present.dtype.kind == "O":
        return "texts" if isinstance(present[0], str) else "truth values"
    if present.dtype.kind == "b":
        return "truth values"
    whole = present.dtype.kind != "f" or bool((np.isfinite(present) & (present == np.floor(present))).all())
    return "whole numbers" if whole else "numbers"
