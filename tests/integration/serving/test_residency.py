"""What stays in memory: pinned preloads, a byte-bounded rest, leases; and an index that tells the truth of it."""

import gc
import random
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from modelyard.core.plan import Arm, Plan
from modelyard.exchange import publication
from modelyard.exchange.snapshot import ServedVersion
from modelyard.sandbox.isolated import IsolatedRuntime
from modelyard.serving import engine as engines
from modelyard.serving import pickup
from modelyard.serving.cost import Cost
from modelyard.serving.residency import NEVER_ASKED, expected_bytes
from tests.integration.serving.test_core import Asker
from tests.integration.serving.yard import Server, Trained, Yard, wait_until

SEED = 20_261_121
MODELS = 6


@pytest.fixture
def asker(yard: Yard) -> Iterator[Callable[..., Asker]]:
    askers: list[Asker] = []

    def start(**settings: Any) -> Asker:
        askers.append(Asker(yard, **settings))
        return askers[-1]

    yield start
    for one in askers:
        one.core.stop()


@pytest.fixture
def bytes_each(yard: Yard, iris: Trained) -> int:
    """Publish `MODELS` models of one version each, and return how many bytes one holds."""
    for number in range(MODELS):
        yard.publish(f"model-{number}", {1: yard.version(iris, 100 + number)})
    return expected_bytes(yard.version(iris, 1))


def ask(one: Asker, iris: Trained, number: int) -> None:
    assert one.ask(f"/predict/model-{number}", {"rows": iris.sample(1)})["predictions"] == [0]


def loaded(one: Asker) -> set[str]:
    return {f"{entry['name']}" for entry in one.index() if entry["state"] == "READY"}


def test_past_the_bound_the_least_recently_used_goes(
    yard: Yard, iris: Trained, bytes_each: int, asker: Callable[..., Asker]
) -> None:
    one = asker(preload=("none",), max_loaded_bytes=3 * bytes_each)
    for number in (0, 1, 2, 0, 3):
        ask(one, iris, number)
    assert loaded(one) == {"model-0", "model-2", "model-3"}
    (reason,) = [entry["reason"] for entry in one.index() if entry["name"] == "model-1"]
    assert reason == "unloaded: others needed the room"
    ask(one, iris, 1)
    assert loaded(one) == {"model-0", "model-1", "model-3"}
    assert one.core.engine.loads == 5


def test_a_model_that_does_not_load_unloads_others_once_at_most(
    yard: Yard, iris: Trained, bytes_each: int, asker: Callable[..., Asker]
) -> None:
    """Somebody asks for it again and again: the healthy ones stay, and it has its room only once it is loaded."""
    yard.publish("broken", {1: yard.version(iris, 200, sample=[{"no such column": 1}])})
    one = asker(preload=("none",), max_loaded_bytes=2 * bytes_each)
    one.core.engine.retry_seconds = 0.0
    body = {"rows": iris.sample(1)}
    assert one.send("/predict/broken", body).status == 503
    for number in (0, 1):
        ask(one, iris, number)
    for loads in range(4, 7):
        assert one.send("/predict/broken", body).status == 503
        assert loaded(one) == {"model-0", "model-1"}
        assert one.core.engine.loads == loads


def test_what_is_preloaded_is_pinned_and_does_not_count(
    yard: Yard, iris: Trained, bytes_each: int, asker: Callable[..., Asker]
) -> None:
    one = asker(preload=("model-0", "model-1"), max_loaded_bytes=bytes_each)
    wait_until(one.core.pickup.settled.is_set)
    for number in (2, 3, 4, 0, 5):
        ask(one, iris, number)
    assert loaded(one) == {"model-0", "model-1", "model-5"}


def test_who_starts_may_wait_until_all_is_loaded(yard: Yard, iris: Trained, asker: Callable[..., Asker]) -> None:
    nothing_yet = asker()
    began = time.monotonic()
    assert not nothing_yet.core.await_loaded(30)
    assert time.monotonic() - began < 5
    yard.publish("iris", {1: yard.version(iris, 1)})
    one = asker()
    assert one.core.await_loaded(30)
    assert loaded(one) == {"iris"}


def test_a_model_that_cannot_fit_says_who_can_mend_that(
    yard: Yard, iris: Trained, bytes_each: int, asker: Callable[..., Asker]
) -> None:
    one = asker(preload=("none",), max_loaded_bytes=bytes_each - 1)
    response = one.send("/predict/model-0", {"rows": iris.sample(1)})
    assert response.status == 503
    assert b"MODELYARD_MAX_LOADED_BYTES" in response.body
    assert loaded(one) == set()


def test_what_is_in_use_is_not_unloaded_and_the_next_waits_for_room(
    yard: Yard, iris: Trained, bytes_each: int, asker: Callable[..., Asker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "ROOM_SECONDS", 0.3)
    one = asker(preload=("none",), max_loaded_bytes=bytes_each)
    ask(one, iris, 0)
    queue = next(iter(one.core.engine._queues.values()))
    free, runtime = threading.Event(), queue._runtime
    assert runtime is not None
    predict = runtime.predict

    def slow(batch: Any) -> Any:
        free.wait(30)
        return predict(batch)

    monkeypatch.setattr(runtime, "predict", slow)
    with ThreadPoolExecutor(2) as pool:
        busy = pool.submit(ask, one, iris, 0)
        wait_until(lambda: queue.is_leased)
        response = one.send("/predict/model-1", {"rows": iris.sample(1)})
        assert (response.status, b"is in use" in response.body) == (503, True)
        assert loaded(one) == {"model-0"}
        free.set()
        busy.result()
    one.core.engine.retry_seconds = 0.0
    ask(one, iris, 1)
    assert loaded(one) == {"model-1"}


def test_under_load_every_answer_comes_and_the_bound_holds(
    yard: Yard, iris: Trained, bytes_each: int, asker: Callable[..., Asker]
) -> None:
    one = asker(preload=("none",), max_loaded_bytes=2 * bytes_each)

    def work(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(40):
            ask(one, iris, chance.randrange(MODELS))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, (SEED, SEED + 1)))
    wait_until(lambda: len(loaded(one)) <= 2)
    assert one.core.engine.loads > MODELS


def test_the_index_tells_each_state(
    yard: Yard, iris: Trained, other_iris: Trained, asker: Callable[..., Asker]
) -> None:
    good, broken = yard.version(iris, 11), yard.version(other_iris, 12)
    path = yard.settings.artifacts / "1" / broken.digest[:2] / broken.digest
    path.chmod(0o640)
    path.write_bytes(b"rot")
    yard.publish("iris", {1: good, 2: broken}, 1)
    yard.publish("never-asked", {1: good})
    one = asker(preload=("iris",))
    wait_until(one.core.pickup.settled.is_set)
    assert one.index() == [
        {"name": "iris", "version": "1", "state": "READY", "reason": ""},
        {"name": "iris", "version": "2", "state": "UNAVAILABLE", "reason": NEVER_ASKED},
        {"name": "never-asked", "state": "UNAVAILABLE", "reason": NEVER_ASKED},
    ]
    assert one.send("/predict/iris:2", {"rows": iris.sample(1)}).status == 503
    entry = one.index()[1]
    assert entry["state"] == "UNAVAILABLE"
    assert "changed" in entry["reason"] or "digest" in entry["reason"]
    assert [entry["name"] for entry in one.index({"ready": True})] == ["iris"]


def test_the_index_over_http_needs_a_key_and_shows_no_stranger_anything(
    yard: Yard, iris: Trained, serve: Callable[..., Server]
) -> None:
    yard.publish("iris", {1: yard.version(iris, 11)})
    yard.add_key("2", "yard_stranger_" + "z" * 43)
    yard.publish_tenant("2")
    server = serve()
    assert httpx2.post(f"{server.url}/v2/repository/index").status_code == 401
    with server.client() as client:
        assert client.post("/v2/repository/index").json()[0]["name"] == "iris"
        assert client.get("/v2/repository/index").status_code == 405
        for body in (b"[", b'{"ready": 7}', b'{"redy": true}', b"[]", b"\xff"):
            answer = client.post("/v2/repository/index", content=body)
            assert answer.status_code == 400, body
            assert set(answer.json()) == {"error"}
    with server.client("yard_stranger_" + "z" * 43) as client:
        assert client.post("/v2/repository/index", json={}).json() == []


def test_a_model_that_nobody_asks_for_costs_at_most_2_kilobytes(
    yard: Yard, iris: Trained, asker: Callable[..., Asker]
) -> None:
    count = 10_000
    yard.publish("iris", {1: yard.version(iris, 11)})
    one = asker(preload=("none",))
    # All name one document: what is read of the tenant's is as much as if each had its own.
    yard.models["1"] |= {f"model-{number:05}": yard.models["1"]["iris"] for number in range(count)}
    gc.collect()
    tracemalloc.start()
    try:
        yard.publish_tenant()
        wait_until(lambda: len(one.core.pickup.snapshot.tenants["1"].slots) == count + 1, 30)
        gc.collect()
        traces = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, "*/modelyard/*")])
    finally:
        tracemalloc.stop()
    assert sum(stat.size for stat in traces.statistics("filename")) / count <= 2048
    assert one.ask("/predict/model-09999", {"rows": iris.sample(1)})["predictions"] == [0]


@pytest.fixture
def tidy_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickup, "TIDY_SECONDS", 0.05)


@pytest.mark.usefixtures("tidy_often")
@pytest.mark.parametrize("gone", ["the version", "the model", "the tenant"])
def test_what_no_document_names_is_unloaded_with_its_child(
    yard: Yard, iris: Trained, asker: Callable[..., Asker], gone: str
) -> None:
    first, second = yard.version(iris, 1), yard.version(iris, 2, isolated=True)
    yard.publish("iris", {1: first, 2: second}, 2 if gone != "the version" else 1)
    one = asker(idle_seconds=1000.0)
    assert one.ask("/predict/iris:2", {"rows": iris.sample(1)})["version"] == 2
    runtime = one.core.engine._queues["1", 2, second.digest]._runtime
    assert isinstance(runtime, IsolatedRuntime)
    assert runtime.pid is not None
    if gone == "the version":
        yard.publish("iris", {1: first}, 1)
    elif gone == "the model":
        yard.models["1"].clear()
        yard.publish_tenant()
    else:
        publication.forget_tenant(yard.medium, "1")
    wait_until(lambda: runtime.pid is None)
    assert set(one.core.engine._queues) <= {("1", 1, first.digest)}


@pytest.mark.usefixtures("tidy_often")
def test_what_is_named_but_in_no_plan_goes_when_nobody_asks(
    yard: Yard, iris: Trained, asker: Callable[..., Asker]
) -> None:
    versions = {1: yard.version(iris, 1)}
    yard.publish("iris", versions)
    one = asker(idle_seconds=1.0)
    wait_until(one.core.pickup.settled.is_set)
    yard.publish("iris", versions, None)
    wait_until(lambda: one.send("/predict/iris", {"rows": iris.sample(1)}).status == 409)
    for _ in range(15):  # somebody asks
        time.sleep(0.1)
        assert one.ask("/predict/iris:1", {"rows": iris.sample(1)})["version"] == 1
    assert one.core.engine.loads == 1
    wait_until(lambda: not one.core.engine._queues)
    (entry,) = one.index()
    assert (entry["version"], entry["reason"]) == ("1", "unloaded: nobody asked for it")


@pytest.mark.usefixtures("tidy_often")
def test_what_a_new_document_will_name_is_not_unloaded_while_it_loads(
    yard: Yard, iris: Trained, asker: Callable[..., Asker], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = yard.version(iris, 1)
    yard.publish("iris", {1: first})
    one = asker(idle_seconds=1000.0)
    wait_until(one.core.pickup.settled.is_set)
    load = one.core.engine._loader.load

    def slow(tenant: str, version: ServedVersion, cost: Cost) -> Any:
        time.sleep(0.3 * (version.id - 1))
        return load(tenant, version, cost)

    monkeypatch.setattr(one.core.engine._loader, "load", slow)
    plan = Plan(arms=(Arm(2, 0.5), Arm(3, 0.5)))
    yard.publish("iris", {1: first, 2: yard.version(iris, 2), 3: yard.version(iris, 3)}, plan)
    wait_until(lambda: one.ask("/predict/iris", {"rows": iris.sample(1)})["version"] != 1)
    time.sleep(0.3)
    assert one.core.engine.loads == 3
    assert {key[1] for key in one.core.engine._queues} == {1, 2, 3}
