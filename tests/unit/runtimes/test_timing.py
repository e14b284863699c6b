"""How long one row takes: warm-up, rows in turn, ranks, and an end however slow it is."""

from collections.abc import Iterator

import numpy as np
import pytest

from modelyard.core.errors import ModelFailed
from modelyard.core.tensors import Answer, Batch
from modelyard.runtimes import timing
from modelyard.runtimes.timing import time_calls

BATCH = Batch(12, matrix=np.arange(24.0).reshape(12, 2))


class Clock:
    """Seconds that pass only when a call takes some."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(timing.time, "perf_counter", lambda: self.now)


class Model:
    """Takes the next of `seconds` for each call."""

    def __init__(self, clock: Clock, seconds: Iterator[float]) -> None:
        self.clock, self.seconds = clock, seconds
        self.seen: list[float] = []

    def predict(self, batch: Batch) -> Answer:
        assert batch.n_rows == 1
        assert batch.matrix is not None
        self.seen.append(float(batch.matrix[0, 0]))
        self.clock.now += next(self.seconds)
        return {}


def endless(*seconds: float) -> Iterator[float]:
    while True:
        yield from seconds


def test_the_warm_up_does_not_count_and_rows_come_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    slow_first = iter([0.05] * timing.WARM_UP_CALLS + [0.001] * timing.CALLS)
    model = Model(clock, slow_first)
    found = time_calls(model.predict, BATCH)
    assert found is not None
    assert (found.calls, found.rows) == (timing.CALLS, timing.SAMPLE_ROWS)
    assert found.p50_seconds == pytest.approx(0.001)
    assert found.p95_seconds == pytest.approx(0.001)
    assert model.seen[:9] == [0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0, 0.0]


def test_ranks_are_of_the_calls_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    found = time_calls(Model(clock, endless(*[0.001] * 18, 0.003, 0.004)).predict, BATCH)
    assert found is not None
    assert (found.p50_seconds, found.p95_seconds) == (pytest.approx(0.001), pytest.approx(0.003))


def test_a_slow_model_is_asked_less_and_a_slower_one_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    found = time_calls(Model(clock, endless(0.2)).predict, BATCH)
    assert found is not None
    assert found.calls == timing.LEAST_CALLS
    began = clock.now
    assert time_calls(Model(clock, endless(1.0)).predict, BATCH) is None
    assert clock.now - began < 25


def test_one_row_is_enough_and_a_failure_is_the_callers(monkeypatch: pytest.MonkeyPatch) -> None:
    found = time_calls(lambda batch: {}, Batch(1, matrix=np.zeros((1, 2))))
    assert found is not None
    assert found.rows == 1

    def failing(batch: Batch) -> Answer:
        raise ModelFailed("no")

    with pytest.raises(ModelFailed):
        time_calls(failing, BATCH)
