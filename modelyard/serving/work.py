"""A request's batch on its way through the engine."""

from typing import Any

from modelyard.core.errors import ModelyardError
from modelyard.core.tensors import Answer, Batch


class Work:
    """What the engine needs of a request, and what it found.

    Attributes:
        batch: rows for one version.
        deadline: on `time.monotonic`; past it nobody waits any more.
        context: the core's own, untouched by the engine.
        answer: of exactly this batch's rows, when the model gave one.
        error: why there is no answer.
        settled: its outcome was, or is just being, delivered; guarded by the queue's lock.
    """

    __slots__ = ("answer", "batch", "context", "deadline", "error", "settled")

    def __init__(self, batch: Batch, deadline: float, context: Any) -> None:
        self.batch = batch
        self.deadline = deadline
        self.context = context
        self.answer: Answer | None = None
        self.error: ModelyardError | None = None
        self.settled = False
