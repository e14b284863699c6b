"""A batch asked of a model of which some rows may make it fail: those are found by halving, the others are answered."""

from typing import Protocol

import numpy as np

from modelyard.core.errors import ModelFailed
from modelyard.core.tensors import Answer, Batch, take

REASON_CHARACTERS = 300
MOST_FAILED = 1_000
"""Failed rows of a part that are told one by one; all are counted."""


class Model(Protocol):
    """What is asked here."""

    def predict(self, batch: Batch) -> Answer: ...


def answer_rows(model: Model, batch: Batch) -> tuple[dict[str, np.ndarray], dict[int, str]]:
    """Return the answers of the rows that have one, in order, and why the others have none.

    A row that fails costs two calls for each halving, some 30 in a chunk; a chunk in which none fails one call.
    """
    pieces: list[Answer] = []
    failed: dict[int, str] = {}
    waiting = [(0, batch.n_rows)]
    while waiting:
        start, end = waiting.pop()
        try:
            whole = end - start == batch.n_rows
            pieces.append(model.predict(batch if whole else take(batch, slice(start, end))))
        except ModelFailed as error:
            if end - start == 1:
                failed[start] = error.message[:REASON_CHARACTERS]
            else:
                middle = (start + end) // 2
                waiting += [(middle, end), (start, middle)]
    if len(pieces) == 1:
        return dict(pieces[0]), failed
    names = pieces[0] if pieces else ()
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in names}, failed
