"""Queues: each gets the answer to its own rows, whatever shares a batch, fails, comes late or leaves early."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelyard.core.errors import DeadlineExceeded, ModelFailed, Unavailable
from modelyard.core.signature import Signature
from modelyard.core.tensors import Answer, Batch
from modelyard.serving.queue import QueueLimits, Retired, VersionQueue
from modelyard.serving.work import Work

BAD = -1.0


class Doubler:
    """A real, small runtime: twice its input; fails on a batch with a bad row; may wait for `gate`."""

    def __init__(self, gate: threading.Event | None = None) -> None:
        self.gate = gate
        self.sizes: list[int] = []
        self.running = 0
        self.unloaded = threading.Event()

    @classmethod
    def load(cls, path: Path, signature: Signature, threads: int = 1) -> "Doubler":
        return cls()

    def predict(self, batch: Batch) -> Answer:
        self.running += 1
        assert self.running == 1
        assert not self.unloaded.is_set()
        if self.gate is not None:
            self.gate.wait(10)
        self.sizes.append(batch.n_rows)
        self.running -= 1
        assert batch.matrix is not None
        if (batch.matrix == BAD).any():
            raise ModelFailed("a bad row")
        return {"twice": batch.matrix[:, 0] * 2}

    def unload(self) -> None:
        self.unloaded.set()

    def metadata(self) -> dict[str, Any]:
        return {}


class Box:
    """Takes what the queue delivers."""

    def __init__(self) -> None:
        self.works: list[Work] = []
        self.changed = threading.Condition()

    def __call__(self, works: Sequence[Work]) -> None:
        with self.changed:
            self.works.extend(works)
            self.changed.notify_all()

    def wait(self, count: int) -> list[Work]:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.works) >= count, 10)
        assert len(self.works) == count
        return self.works


def work(*values: float, seconds: float = 10.0) -> Work:
    matrix = np.array([[value] for value in values])
    return Work(Batch(len(values), matrix=matrix), time.monotonic() + seconds, values)


def queue_of(box: Box, pool: ThreadPoolExecutor, max_queue: int = 256, max_rows: int = 1000) -> VersionQueue:
    limits = QueueLimits(max_queue=max_queue, max_batch_rows=max_rows, inline_seconds=200e-6)
    return VersionQueue("m:1", deliver=box, defer=lambda run: False, pool=pool, limits=limits)


def right(one: Work) -> bool:
    if BAD in one.context:
        return isinstance(one.error, ModelFailed) and one.answer is None
    return one.error is None and one.answer is not None and one.answer["twice"].tolist() == [2 * v for v in one.context]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from([BAD, 1.0, 2.5, 7.0]), min_size=1, max_size=6), min_size=1, max_size=30),
    st.booleans(),
    st.integers(1, 4),
)
def test_each_gets_the_answer_to_its_own_rows(requests: list[list[float]], inline: bool, threads: int) -> None:
    box = Box()
    with ThreadPoolExecutor(4) as pool:
        queue = queue_of(box, pool, max_rows=8)
        queue.loaded(Doubler(), inline=inline)
        queue.cost.measured(1, 1e-6)
        works = [work(*values) for values in requests]

        def send(mine: list[Work]) -> None:
            for one in mine:
                queue.submit(one)

        senders = [threading.Thread(target=send, args=(works[start::threads],)) for start in range(threads)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        assert all(right(one) for one in box.wait(len(works)))
    assert {id(one) for one in box.works} == {id(one) for one in works}


def test_what_arrives_while_a_batch_runs_is_the_next_batch() -> None:
    box, gate = Box(), threading.Event()
    runtime = Doubler(gate)
    with ThreadPoolExecutor(2) as pool:
        queue = queue_of(box, pool)
        queue.loaded(runtime, inline=False)
        queue.submit(work(0.0))
        time.sleep(0.1)
        for value in range(20):
            queue.submit(work(float(value)))
        gate.set()
        box.wait(21)
    assert runtime.sizes == [1, 20]


class Lengths(Doubler):
    """Gives the length of each row's list."""

    def predict(self, batch: Batch) -> Answer:
        assert batch.columns is not None
        return {"length": np.array([len(row) for row in batch.columns["word"]])}


def test_requests_whose_rows_do_not_go_into_one_array_are_answered_apart() -> None:
    box = Box()
    with ThreadPoolExecutor(2) as pool:
        queue = queue_of(box, pool)
        for length in (3, 5, 3):
            batch = Batch(1, columns={"word": np.zeros((1, length))})
            queue.submit(Work(batch, time.monotonic() + 10, length))
        queue.loaded(Lengths(), inline=False)
        assert [one.answer["length"].tolist() for one in box.wait(3) if one.answer] == [[3], [5], [3]]
        queue.submit(Work(batch, time.monotonic() + 10, 3))
        box.wait(4)


def test_of_a_failed_batch_those_whose_time_is_over_are_not_tried_alone() -> None:
    box, gate = Box(), threading.Event()
    runtime = Doubler(gate)
    with ThreadPoolExecutor(2) as pool:
        queue = queue_of(box, pool)
        queue.submit(work(BAD))
        queue.submit(work(1.0, seconds=0.1))
        queue.loaded(runtime, inline=False)
        time.sleep(0.2)
        gate.set()
        bad, late = box.wait(2)
        assert right(bad)
        assert isinstance(late.error, DeadlineExceeded)
    assert runtime.sizes == [2, 1]


def test_those_who_come_before_the_load_are_answered_after_it() -> None:
    box = Box()
    with ThreadPoolExecutor(2) as pool:
        queue = queue_of(box, pool)
        for value in range(5):
            queue.submit(work(float(value)))
        told: list[object] = []
        queue.watch(told.append)
        queue.loaded(Doubler(), inline=True)
        assert all(right(one) for one in box.wait(5))
    assert told == [None]


def test_a_full_queue_refuses_with_a_time_to_come_back() -> None:
    box, gate = Box(), threading.Event()
    with ThreadPoolExecutor(2) as pool:
        queue = queue_of(box, pool, max_queue=2)
        queue.loaded(Doubler(gate), inline=False)
        queue.submit(work(0.0))
        time.sleep(0.1)
        queue.submit(work(1.0))
        queue.submit(work(2.0))
        with pytest.raises(Unavailable) as caught:
            queue.submit(work(3.0))
        assert caught.value.details["retry_after"] == 1
        gate.set()
        box.wait(3)


def test_nothing_is_computed_for_those_whose_time_is_over() -> None:
    box, gate = Box(), threading.Event()
    runtime = Doubler(gate)
    with ThreadPoolExecutor(2) as pool:
        queue = queue_of(box, pool)
        queue.loaded(runtime, inline=False)
        queue.submit(work(0.0, seconds=0.15))
        time.sleep(0.1)
        queue.submit(work(1.0, seconds=0.05))
        queue.submit(work(2.0))
        time.sleep(0.1)
        queue.expire(time.monotonic())
        assert [type(one.error) for one in box.wait(2)] == [DeadlineExceeded] * 2
        gate.set()
        assert right(box.wait(3)[2])
    assert runtime.sizes == [1, 1]


def test_a_failed_load_refuses_those_who_wait_and_those_who_come() -> None:
    box = Box()
    with ThreadPoolExecutor(2) as pool:
        queue = queue_of(box, pool)
        queue.submit(work(1.0))
        queue.failed(Unavailable("rotten"))
        assert box.wait(1)[0].error is not None
        for _ in range(2):
            with pytest.raises(Unavailable) as caught:
                queue.submit(work(1.0))
            assert caught.value is not queue.failure


@pytest.mark.parametrize("before", [True, False])
def test_a_retired_version_drains_and_then_gives_its_memory_back(before: bool) -> None:
    box, gate, runtime = Box(), threading.Event(), Doubler()
    runtime.gate = gate
    with ThreadPoolExecutor(2) as pool:
        queue = queue_of(box, pool)
        works: list[Callable[[], None]] = [lambda: queue.loaded(runtime, inline=False), lambda: queue.submit(work(1.0))]
        for step in works if before else reversed(works):
            step()
        time.sleep(0.05)
        queue.retire()
        with pytest.raises(Retired):
            queue.submit(work(2.0))
        assert not runtime.unloaded.is_set()
        gate.set()
        assert right(box.wait(1)[0])
        assert runtime.unloaded.wait(5)


def test_a_version_that_runs_while_the_server_stops_is_unloaded_too() -> None:
    box, gate = Box(), threading.Event()
    runtime = Doubler(gate)
    pool = ThreadPoolExecutor(2)
    queue = queue_of(box, pool)
    queue.loaded(runtime, inline=False)
    queue.submit(work(1.0))
    time.sleep(0.05)
    queue.retire()
    pool.shutdown(wait=False)
    gate.set()
    assert right(box.wait(1)[0])
    assert runtime.unloaded.wait(5)
    pool.shutdown(wait=True)


def test_a_version_retired_while_it_loads_is_unloaded() -> None:
    box, runtime = Box(), Doubler()
    with ThreadPoolExecutor(2) as pool:
        queue = queue_of(box, pool)
        queue.retire()
        queue.loaded(runtime, inline=True)
        assert runtime.unloaded.wait(5)


def test_a_queue_that_is_never_empty_does_not_nest_where_there_is_no_loop() -> None:
    class Again(Box):
        def __call__(self, works: Sequence[Work]) -> None:
            if len(self.works) < 3000:
                queue.submit(work(1.0))
            super().__call__(works)

    box = Again()
    with ThreadPoolExecutor(2) as pool:
        queue = queue_of(box, pool)
        queue.loaded(Doubler(), inline=True)
        queue.cost.measured(1, 1e-6)
        queue.submit(work(1.0))
        assert all(right(one) for one in box.wait(3001))
