"""Rows that make a model fail are found, and the others answered."""

import numpy as np
import pytest

from modelyard.core.errors import ModelFailed
from modelyard.core.tensors import Answer, Batch
from modelyard.scoring.predicting import answer_rows


class Fails:
    """Doubles its one column, and fails at the numbers that it is told."""

    def __init__(self, *at: float) -> None:
        self.at, self.calls = at, 0

    def predict(self, batch: Batch) -> Answer:
        self.calls += 1
        assert batch.matrix is not None
        numbers = batch.matrix[:, 0]
        if bad := [number for number in numbers.tolist() if number in self.at]:
            raise ModelFailed(f"no {bad[0]:g} here")
        return {"y": numbers * 2}


@pytest.mark.parametrize("bad", [(), (0,), (7, 8, 500), (999,), tuple(range(1000))], ids=len)
def test_the_rows_that_fail_are_named_and_the_others_keep_their_order(bad: tuple[int, ...]) -> None:
    model = Fails(*bad)
    answer, failed = answer_rows(model, Batch(1000, matrix=np.arange(1000.0).reshape(-1, 1)))
    assert failed == {row: f"no {row} here" for row in bad}
    good = [2.0 * row for row in range(1000) if row not in bad]
    assert (answer["y"].tolist() if answer else []) == good
    assert model.calls <= 1 + 2 * 10 * len(bad)
