"""What a trainer is."""

from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec

from modelyard.core.signature import Column
from modelyard.core.table import Summary
from modelyard.trainers.schema import Schema

P = TypeVar("P", bound=msgspec.Struct)

PIPELINE, SAMPLE, REPORT = "pipeline.pkl", "sample.parquet", "report.json"
"""What a fit leaves in its folder: the fitted model, rows that it did not learn from, and the report."""
SAMPLE_ROWS = 1_000


class Report(Protocol):
    """Told how far the work is: a fraction from 0 to 1, a few words, and the metrics so far."""

    def __call__(self, fraction: float, message: str, **metrics: float) -> None: ...


class Remark(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something that whoever trains should know. `code` is for programs."""

    code: str
    message: str
    column: str | None = None


class Baseline(msgspec.Struct, frozen=True):
    """What later data is compared with.

    Attributes:
        features: of the rows that the model was fitted on to be measured.
        target: of the same rows; None where there is none.
        predictions: on the hold-out.
    """

    features: tuple[Summary, ...] = ()
    target: Summary | None = None
    predictions: Summary | None = None


class Fitted(msgspec.Struct, frozen=True):
    """What a fit has made.

    Attributes:
        files: the model's, by name, in the folder `out`; in the order of the pipeline where they are several.
        columns: what the model takes.
        sample: the file of rows to try it with; None where there is none.
        report: all that is known of the fit, as JSON values; it is also in the file `REPORT`.
    """

    files: tuple[str, ...]
    metrics: dict[str, float]
    warnings: tuple[Remark, ...]
    columns: tuple[Column, ...]
    sample: str | None
    baseline: Baseline
    report: dict[str, Any]


class Trainer(Protocol[P]):
    """A way to make a model of a dataset.

    `Parameters` states types, ranges, defaults and help: its JSON Schema is the form and the API's description. It may
    have a `version`, a text that changes when the same dataset and parameters are to make another model, and
    `modules(parameters)`, which returns the modules besides its own whose releases a manifest shall tell.
    """

    name: str
    title: str
    Parameters: type[P]

    def check(self, parameters: P, schema: Schema) -> None:
        """Refuse all that can be refused before any row is read.

        Raises:
            InvalidInput: with the place in the parameters, and the likely mend.
        """

    def fit(self, dataset: Path, parameters: P, report: Report, out: Path) -> Fitted:
        """Train on a Parquet file, and leave files in the empty folder `out`. To be called in the sandbox.

        Raises:
            InvalidInput: the rows do not fit the parameters.
        """
