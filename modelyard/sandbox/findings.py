"""What the children of an examination may say: shapes and bounds, checked before anything of it is used."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from modelyard.core.signature import Signature
from modelyard.runtimes.audit import Audit
from modelyard.runtimes.parity import Comparison

_Text = Annotated[str, Meta(max_length=4000)]
_Texts = Annotated[list[_Text], Meta(max_length=200)]
_Packages = Annotated[
    dict[Annotated[str, Meta(max_length=100)], Annotated[str, Meta(max_length=100)]], Meta(max_length=100)
]
_Rows = Annotated[list[dict[str, Any]], Meta(max_length=8)]
_Count = Annotated[int, Meta(ge=0, le=10_000_000)]


class Opened(msgspec.Struct, frozen=True):
    """What the first child says of the estimator."""

    signature: Signature
    sample: _Rows
    rows: _Count
    estimator: _Text
    steps: _Texts
    packages: _Packages
    warnings: _Texts
    unconverted: _Text | None


class Tried(msgspec.Struct, frozen=True):
    """What the second, clean child says of the converted graph."""

    audit: Audit
    comparison: Comparison
    many_seconds: float

    def objection(self, most_seconds: float) -> str | None:
        """Return why the graph may not serve in place of the original, None when it may."""
        comparison = self.comparison
        if comparison.failure:
            return f"the converted graph fails: {comparison.failure}"
        if not comparison.agrees:
            return (
                "the converted graph disagrees with the estimator "
                f"on {comparison.disagreeing} of {comparison.rows} rows "
                f"(largest relative difference {comparison.largest_relative:.3g}, "
                f"{comparison.class_mismatches} other classes)"
            )
        if self.audit.refused:
            return f"the converted graph may not run in the serving process: {self.audit.refused[0]}"
        if self.many_seconds > most_seconds:
            return f"the converted graph takes {self.many_seconds:.0f} s for 10,000 rows"
        return None


class TriedGraph(msgspec.Struct, frozen=True):
    """What a clean child says of an uploaded graph."""

    signature: Signature
    sample: _Rows
    rows: _Count
    audit: Audit
    packages: _Packages
    many_seconds: float
