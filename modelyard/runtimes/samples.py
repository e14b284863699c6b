"""A sample as it was sent: more than the model takes may be in it, and names may be missing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from modelyard.core.errors import InvalidInput

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
