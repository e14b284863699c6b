"""What a finished scoring left, as its job tells it, and how the columns of such a table are called."""

from dataclasses import dataclass
from typing import Any

from modelyard.control.jobs.models import Job, State
from modelyard.core.errors import Conflict
from modelyard.core.signature import Signature, label
from modelyard.scoring.naming import FORMATS, written_outputs
from modelyard.tables.precomputing import Columns

SCORING = "scoring"


@dataclass(frozen=True, slots=True)
class Result:
    """A table of predictions: the version that made them, and by which column an answer shall be found.

    `pieces` are the digests of the artifacts that its file is, one behind the other.
    """

    model: str
    version: int
    pieces: tuple[str, ...]
    entity: str
    dataset: str = ""


def result_of(job: Job) -> Result:
    """Return what the scoring left.

    Raises:
        Conflict: when the job is no scoring that succeeded, or its result has no entities.
    """
    if job.kind != SCORING:
        raise Conflict(f"the job {job.pk} is no scoring, but of the kind {job.kind}: name one that scored a dataset")
    if job.state != State.SUCCEEDED:
        raise Conflict(f"the scoring is {job.state}: its answers can be published once it has succeeded")
    return read_result(job.outcome or {})


def read_result(outcome: dict[str, Any]) -> Result:
    """Return what a scoring's outcome says; raises as `result_of`."""
    if not outcome.get("entity"):
        raise Conflict("the scoring named no entity: score again with `entity`, the column by which answers are found")
    result = outcome.get("files", {}).get("result")
    if outcome.get("format") != FORMATS[0]:
        raise Conflict("the scoring's result is no Parquet: score again with the format `parquet`")
    if result is None:
        raise Conflict("the scoring's result was deleted: score again")
    return Result(
        model=outcome["model"],
        version=outcome["number"],
        pieces=tuple(result["pieces"]),
        entity=outcome["entity"],
        dataset=outcome["dataset"],
    )


def columns_of(signature: Signature) -> Columns:
    """Return what scoring calls the columns of a version's answers, and how the data plane shows them."""
    prediction, *others = written_outputs(signature)
    is_list = prediction.output.shape != ()
    if not others:
        return Columns(prediction.names, is_list)
    shares = others[0]
    classes = shares.output.classes or prediction.output.classes or ()
    labels = tuple(label(one) for one in classes) if len(classes) == len(shares.names) else ()
    return Columns(prediction.names, is_list, shares.names, labels)
