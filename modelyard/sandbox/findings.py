"""What the children of an examination may say: shapes and bounds, checked before anything of it is used."""

import math
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from modelyard.core.signature import Signature
from modelyard.runtimes.audit import Audit
from modelyard.runtimes.parity import Comparison
from modelyard.runtimes.steps import MOST_FEATURES, MOST_PARAMETERS, MOST_STEPS
from modelyard.runtimes.timing import Timing

Text = Annotated[str, Meta(max_length=4000)]
Texts = Annotated[list[Text], Meta(max_length=200)]
Packages = Annotated[
    dict[Annotated[str, Meta(max_length=100)], Annotated[str, Meta(max_length=100)]], Meta(max_length=100)
]
Rows = Annotated[list[dict[str, Any]], Meta(max_length=8)]
Count = Annotated[int, Meta(ge=0, le=10_000_000)]


class Step(msgspec.Struct, frozen=True, rename={"kind": "class"}):
    """One step of a fitted estimator, as `runtimes.steps.outline` gives it."""

    name: Annotated[str, Meta(max_length=4000)]
    kind: Annotated[str, Meta(max_length=4000)]
    parameters: Annotated[dict[Annotated[str, Meta(max_length=100)], Any], Meta(max_length=MOST_PARAMETERS + 1)]


class Opened(msgspec.Struct, frozen=True):
    """What the first child says of the estimator."""

    signature: Signature
    sample: Rows
    ignored_columns: Texts
    rows: Count
    estimator: Text
    steps: Texts
    packages: Packages
    warnings: Texts
    unconverted: Text | None
    outline: Annotated[list[Step], Meta(max_length=MOST_STEPS)] = []
    features: Annotated[list[Annotated[str, Meta(max_length=1000)]], Meta(max_length=MOST_FEATURES)] | None = None

    def preprocessing(self) -> dict[str, Any]:
        """Return the steps, and the features that reach the predictor, as both databases can keep them."""
        return {"outline": kept(msgspec.to_builtins(self.outline)), "features": kept(self.features)}


class Tried(msgspec.Struct, frozen=True):
    """What the second, clean child says of the converted graph."""

    audit: Audit
    comparison: Comparison
    many_seconds: float
    timing: Timing | None = None

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
    sample: Rows
    ignored_columns: Texts
    rows: Count
    audit: Audit
    packages: Packages
    many_seconds: float
    timing: Timing | None = None


class SameOutput(msgspec.Struct, frozen=True):
    """One output of two models on the same rows: in how many it differs, and by how much at most."""

    name: Annotated[str, Meta(max_length=1000)]
    differing: Count
    largest: float | None


class Sameness(msgspec.Struct, frozen=True):
    """What the child says that asked two models for the same rows."""

    rows: Count
    outputs: Annotated[list[SameOutput], Meta(max_length=1000)]


def kept(value: Any) -> Any:
    """Return a stranger's JSON value without what one of the databases cannot keep: zeros, half pairs, no numbers."""
    if isinstance(value, dict):
        return {kept(name): kept(item) for name, item in value.items()}
    if isinstance(value, list):
        return [kept(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 64:
        return str(value)[:100] if value.bit_length() < 1000 else "a large number"
    return value.encode("utf-8", "replace").decode().replace("\0", " ") if isinstance(value, str) else value
