"""The core in this process: loads, swaps, rot, entities, cold starts. No transport, real models."""

import dataclasses
import json
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import onnx
import pytest

from modelyard.core.plan import Arm, Plan
from modelyard.core.settings import Settings
from modelyard.core.signature import Signature
from modelyard.exchange import passes, publication
from modelyard.exchange.medium import FolderMedium
from modelyard.exchange.records import Answered, Failed, decode
from modelyard.exchange.segments import read_segment
from modelyard.exchange.snapshot import Limits
from modelyard.serving.core import Core
from modelyard.serving.message import Request, Response
from modelyard.serving.pickup import Pickup
from tests.integration.serving.yard import SECRET, Trained, Yard, wait_until

SEED = 20_261_120


class Asker:
    """A core, and a way to ask it that waits for the answer."""

    def __init__(self, yard: Yard, **settings: Any) -> None:
        values = Settings.read({}, home=yard.home, **settings)
        self.core = Core(values, yard.medium, yard.store)
        self.core.start()

    def send(self, path: str, body: Any, secret: str = SECRET) -> Response:
        there = threading.Event()
        responses: list[Response] = []

        def done(response: Response) -> None:
            responses.append(response)
            there.set()

        headers = [(b"authorization", b"Bearer " + secret.encode())]
        self.core.begin(Request("POST", path, "", headers, json.dumps(body).encode()), done)
        assert there.wait(30)
        return responses[0]

    def index(self, body: Any = None) -> list[dict[str, str]]:
        """Return what the model repository extension tells."""
        response = self.send("/v2/repository/index", body or {})
        assert response.status == 200, response.body
        read: list[dict[str, str]] = json.loads(response.body)
        return read

    def ask(self, path: str, body: Any) -> dict[str, Any]:
        response = self.send(path, body)
        assert response.status == 200, response.body
        read: dict[str, Any] = json.loads(response.body)
        return read


@pytest.fixture
def asker(yard: Yard) -> Iterator[Any]:
    askers: list[Asker] = []

    def start(**settings: Any) -> Asker:
        askers.append(Asker(yard, **settings))
        return askers[-1]

    yield start
    for one in askers:
        one.core.stop()


def test_200_first_calls_at_once_are_one_load(yard: Yard, iris: Trained, asker: Any) -> None:
    yard.publish("iris", {1: yard.version(iris, 11)})
    one = asker(preload=("none",))
    assert one.core.engine.loads == 0
    with ThreadPoolExecutor(200) as pool:
        answers = list(pool.map(lambda _: one.ask("/predict/iris", {"rows": iris.sample(1)}), range(200)))
    assert one.core.engine.loads == 1
    assert {answer["predictions"][0] for answer in answers} == {0}


def test_under_concurrency_each_gets_its_own_rows(yard: Yard, iris: Trained, asker: Any) -> None:
    yard.publish("iris", {1: yard.version(iris, 11)})
    one = asker()
    expected = iris.estimator.predict(iris.rows).tolist()
    sample = iris.sample(150)

    def check(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(15):
            places = [chance.randrange(150) for _ in range(chance.choice([1, 1, 2, 7]))]
            if chance.random() < 0.2:
                broken = {"rows": [{**sample[0], "petal width (cm)": "x"}]}
                assert one.send("/predict/iris", broken).status == 400
            answer = one.ask("/predict/iris", {"rows": [sample[place] for place in places]})
            assert answer["predictions"] == [expected[place] for place in places]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(check, range(SEED, SEED + 8)))


def test_an_input_that_nothing_can_hold_is_refused_and_the_next_is_answered(
    yard: Yard, iris: Trained, asker: Any
) -> None:
    yard.publish("iris", {1: yard.version(iris, 11)})
    one = asker()
    body = {"rows": iris.sample(1)}
    assert one.send("/predict/iris", {**body, "entity_ids": [2**70]}).status == 400
    assert one.ask("/predict/iris", body)["version"] == 1


def test_swaps_under_load_give_no_error_and_no_wrong_label(
    yard: Yard, iris: Trained, other_iris: Trained, asker: Any
) -> None:
    versions = {1: yard.version(iris, 11), 2: yard.version(other_iris, 12)}
    yard.publish("iris", versions, 1)
    one = asker()
    row = iris.rows[:1]
    shares = {number: trained.estimator.predict_proba(row)[0][0] for number, trained in ((1, iris), (2, other_iris))}
    stop, seen = threading.Event(), set()

    def load() -> int:
        count = 0
        while not stop.is_set():
            answer = one.ask("/predict/iris", {"rows": iris.sample(1)})
            assert abs(answer["probabilities"][0]["0"] - shares[answer["version"]]) < 1e-5
            seen.add(answer["version"])
            count += 1
        return count

    with ThreadPoolExecutor(4) as pool:
        loads = [pool.submit(load) for _ in range(4)]
        for swap in range(12):
            wanted = 2 if swap % 2 == 0 else 1
            yard.publish("iris", versions, wanted)
            wait_until(
                lambda wanted=wanted: one.ask("/predict/iris", {"rows": iris.sample(1)})["version"] == wanted, 10
            )
        stop.set()
        assert sum(task.result() for task in loads) > 0
    assert seen == {1, 2}


def test_a_rollback_to_a_loaded_version_and_a_revoked_key_hold_within_a_second(
    yard: Yard, iris: Trained, other_iris: Trained, asker: Any
) -> None:
    versions = {1: yard.version(iris, 11), 2: yard.version(other_iris, 12)}
    yard.publish("iris", versions, 1)
    one = asker()
    body = {"rows": iris.sample(1)}
    yard.publish("iris", versions, 2)
    wait_until(lambda: one.ask("/predict/iris", body)["version"] == 2, 10)
    yard.publish("iris", versions, 1)
    wait_until(lambda: one.ask("/predict/iris", body)["version"] == 1, 1.5)
    yard.keys["1"] = []
    yard.publish_tenant()
    wait_until(lambda: one.send("/predict/iris", body).status == 401, 1.5)


def test_a_broken_new_version_never_replaces_the_one_that_serves(
    yard: Yard, iris: Trained, other_iris: Trained, asker: Any
) -> None:
    good, bad = yard.version(iris, 11), yard.version(other_iris, 12)
    yard.publish("iris", {1: good}, 1)
    one = asker()
    body = {"rows": iris.sample(1)}
    assert one.ask("/predict/iris", body)["version"] == 1
    path = next(Path(yard.store.root).rglob(bad.digest))
    whole = path.read_bytes()
    path.chmod(0o600)
    path.write_bytes(whole[:500] + bytes([whole[500] ^ 1]) + whole[501:])
    yard.publish("iris", {1: good, 2: bad}, 2)
    slot = one.core.pickup.snapshot.tenants["1"].slots["iris"]
    wait_until(lambda: bool(slot.refused), 10)
    assert one.ask("/predict/iris", body)["version"] == 1
    path.write_bytes(whole)
    one.core.engine.retry_seconds = 0.0
    wait_until(lambda: one.ask("/predict/iris", body)["version"] == 2, 15)


def test_a_first_promotion_that_cannot_be_loaded_says_so(
    yard: Yard, iris: Trained, other_iris: Trained, asker: Any
) -> None:
    """Nothing answered before, and nothing does now: but it is not that nobody has promoted a version."""
    good, bad = yard.version(iris, 11), yard.version(other_iris, 12)
    path = next(Path(yard.store.root).rglob(bad.digest))
    whole = path.read_bytes()
    path.chmod(0o600)
    path.write_bytes(b"rot")
    yard.publish("iris", {1: good, 2: bad}, None)
    one = asker(preload=("all",))
    body = {"rows": iris.sample(1)}
    assert one.send("/predict/iris", body).status == 409
    yard.publish("iris", {1: good, 2: bad}, 2)
    slot = one.core.pickup.snapshot.tenants["1"].slots["iris"]
    wait_until(lambda: bool(slot.refused), 10)
    refused = one.send("/predict/iris", body)
    assert refused.status == 503
    assert b"cannot be served now: iris:2 could not be loaded" in refused.body
    assert one.ask("/predict/iris:1", body)["version"] == 1
    yard.publish("iris", {1: good, 2: bad}, None)
    wait_until(lambda: one.send("/predict/iris", body).status == 409, 5)
    yard.publish("iris", {1: good, 2: bad}, 2)
    wait_until(lambda: one.send("/predict/iris", body).status == 503, 5)
    path.write_bytes(whole)
    one.core.engine.retry_seconds = 0.0
    wait_until(lambda: one.send("/predict/iris", body).status == 200, 15)
    yard.publish("iris", {1: good, 2: bad}, None)
    wait_until(lambda: one.send("/predict/iris", body).status == 409, 5)


def test_a_name_for_preloading_that_no_model_has_is_told(
    yard: Yard, iris: Trained, asker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    yard.publish("iris", {1: yard.version(iris, 11)}, 1)
    one = asker(preload=("iris", "irsi", "none"))
    wait_until(one.core.pickup.settled.is_set, 10)
    (told,) = [record for record in caplog.records if record.message == "preload_unknown"]
    assert (told.levelname, vars(told)["models"]) == ("WARNING", "irsi")


def test_rotten_and_cut_documents_are_refused_and_the_old_stay(yard: Yard, iris: Trained, asker: Any) -> None:
    versions = {1: yard.version(iris, 11)}
    yard.publish("iris", versions)
    one = asker()
    body = {"rows": iris.sample(1)}
    chance = random.Random(SEED)
    index = yard.medium.read(publication.INDEX) or b""
    for _ in range(10):
        yard.medium.write(publication.INDEX, index[: chance.randrange(len(index))])
        one.core.pickup.look()
        assert one.ask("/predict/iris", body)["version"] == 1
    yard.medium.write(publication.INDEX, index)
    yard.add_key("1", "yard_another0_" + "z" * 43)
    yard.publish_tenant()
    entry = publication.read_index(yard.medium)
    assert entry is not None
    key = publication.tenant_key("1", entry.tenants["1"].digest)
    whole = yard.medium.read(key) or b""
    yard.medium.write(key, whole.replace(b"another0", b"another1"))
    one.core.pickup.look()
    assert one.ask("/predict/iris", body)["version"] == 1
    yard.medium.write(key, whole)
    wait_until(lambda: one.send("/predict/iris", body, "yard_another0_" + "z" * 43).status == 200)


def test_kept_documents_that_nothing_names_are_forgotten_but_the_last_good_one(
    yard: Yard, iris: Trained, other_iris: Trained, asker: Any
) -> None:
    good, bad = yard.version(iris, 11), yard.version(other_iris, 12)
    yard.publish("iris", {1: good}, 1)
    one = asker()
    pickup, slot = one.core.pickup, one.core.pickup.snapshot.tenants["1"].slots["iris"]
    kept = FolderMedium(yard.settings.cache / "snapshot")
    for max_rows in (10, 20, 30):
        yard.publish("iris", {1: good}, 1, limits=Limits(max_rows=max_rows))
        wait_until(lambda: slot.served is not None and slot.served.digest == yard.models["1"]["iris"], 10)
    last = slot.served.digest
    wait_until(lambda: kept.read("good/1/iris") == last.encode())
    next(Path(yard.store.root).rglob(bad.digest)).unlink()
    yard.publish("iris", {1: good, 2: bad}, 2)
    wait_until(lambda: bool(slot.refused), 10)
    assert len(list(kept.keys("models/"))) >= 4
    for hours in (1, 3):
        pickup.sweep(now=time.time() + 3600 * hours)
    digests = (last, yard.models["1"]["iris"])
    assert set(kept.keys("models/")) == {publication.model_key("1", digest) for digest in digests}
    assert len(list(kept.keys("tenants/"))) == 1


def test_after_a_start_with_a_rotten_index_the_last_good_one_holds(yard: Yard, iris: Trained, asker: Any) -> None:
    yard.publish("iris", {1: yard.version(iris, 11)})
    body = {"rows": iris.sample(1)}
    first = asker()
    assert first.ask("/predict/iris", body)["version"] == 1
    index = yard.medium.read(publication.INDEX) or b""
    yard.medium.write(publication.INDEX, index[:-5])
    second = asker()
    assert second.ask("/predict/iris", body)["version"] == 1
    yard.medium.write(publication.INDEX, index)
    yard.keys["1"] = []
    yard.publish_tenant()
    wait_until(lambda: second.send("/predict/iris", body).status == 401, 2)


def test_entities_keep_their_arm_and_each_row_its_version(
    yard: Yard, iris: Trained, other_iris: Trained, asker: Any
) -> None:
    versions = {1: yard.version(iris, 11), 2: yard.version(other_iris, 12)}
    plan = Plan(arms=(Arm(1, 0.7), Arm(2, 0.3)), salt="s")
    yard.publish("iris", versions, plan)
    one = asker()
    entities = [f"user-{number}" for number in range(100)]
    body = {"rows": iris.sample(100), "entity_ids": entities}
    first, second = one.ask("/predict/iris", body), one.ask("/predict/iris", body)
    assert first["version"] is None
    assert first["versions"] == second["versions"]
    assert 15 <= first["versions"].count(2) <= 45
    for place, number in enumerate(first["versions"]):
        trained = iris if number == 1 else other_iris
        share = trained.estimator.predict_proba(iris.rows[place : place + 1])[0][0]
        assert abs(first["probabilities"][place]["0"] - share) < 1e-5
        alone = one.ask("/predict/iris", {"rows": [body["rows"][place]], "entity_ids": [entities[place]]})
        assert alone["version"] == number
    assert len(set(first["prediction_ids"])) == 100


def test_arms_whose_outputs_have_other_names_answer_in_one_form(yard: Yard, iris: Trained, asker: Any) -> None:
    named = renamed(iris, "klass", "shares")
    yard.publish("iris", {1: yard.version(iris, 11), 2: yard.version(named, 12)}, Plan((Arm(1, 0.5), Arm(2, 0.5))))
    rows = iris.sample(60)
    answer = asker().ask("/predict/iris", {"rows": rows, "entity_ids": list(range(60))})
    assert set(answer["versions"]) == {1, 2}
    assert answer["predictions"] == iris.estimator.predict(iris.rows[:60]).tolist()
    expected = iris.estimator.predict_proba(iris.rows[:60])[:, 0]
    assert [share["0"] for share in answer["probabilities"]] == pytest.approx(expected.tolist(), rel=1e-5)


def renamed(trained: Trained, *names: str) -> Trained:
    """Give the same model with other names for its outputs."""
    graph = onnx.load_from_string(trained.artifact)
    new = dict(zip((output.name for output in trained.signature.outputs), names, strict=True))
    for node in graph.graph.node:
        node.input[:] = [new.get(name, name) for name in node.input]
        node.output[:] = [new.get(name, name) for name in node.output]
    for output in graph.graph.output:
        output.name = new[output.name]
    outputs = tuple(msgspec.structs.replace(output, name=new[output.name]) for output in trained.signature.outputs)
    signature = Signature(trained.signature.columns, outputs)
    return dataclasses.replace(trained, artifact=graph.SerializeToString(), signature=signature)


def test_every_answer_and_refusal_of_a_model_has_its_record(yard: Yard, iris: Trained, asker: Any) -> None:
    yard.publish("iris", {1: yard.version(iris, 11)})
    one = asker()
    answers = [one.ask("/predict/iris", {"rows": iris.sample(2)}) for _ in range(5)]
    assert one.send("/predict/iris", {"rows": []}).status == 400
    assert one.send("/predict/ghost", {"rows": []}).status == 404
    wait_until(lambda: sum(1 for _ in yard.medium.keys("spool/")) > 0)
    time.sleep(1.5)
    records = [decode(payload) for key in yard.medium.keys("spool/") for payload in read_segment(yard.medium, key)]
    answered = {record.id: record for record in records if isinstance(record, Answered)}
    assert set(answered) == {answer["prediction_ids"][0].partition(".")[0] for answer in answers}
    assert all((one.rows, one.version_id, one.probability) == (2, 11, 1.0) for one in answered.values())
    assert [record.code for record in records if isinstance(record, Failed)] == ["invalid_input"]


def test_passes_limits_and_what_is_not_served(yard: Yard, iris: Trained, asker: Any) -> None:
    yard.publish("iris", {1: yard.version(iris, 11)}, limits=Limits(max_rows=2, max_body_bytes=2000))
    yard.publish("idle", {1: yard.version(iris, 11)}, None, aliases={"candidate": 1})
    one = asker()
    body = {"rows": iris.sample(1)}
    bearer = passes.issue("1", "01" * 32, time.time())
    assert one.send("/predict/iris", body, bearer).status == 200
    assert one.send("/predict/iris", body, passes.issue("1", "02" * 32, time.time())).status == 401
    assert one.send("/predict/iris", {"rows": iris.sample(3)}).status == 413
    assert one.send("/predict/iris", {"rows": iris.sample(1), "x": "y" * 2000}).status == 413
    assert one.send("/predict/idle", body).status == 409
    assert one.ask("/predict/idle@candidate", body)["version"] == 1
    yard.keys["1"] = []
    yard.add_key("1", SECRET, scopes=("read",))
    yard.publish_tenant()
    wait_until(lambda: one.send("/predict/iris", body).status == 403)


class Hanging(FolderMedium):
    """A medium that, once told so, answers nothing any more, as a hard NFS mount whose server is gone."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.works = threading.Event()
        self.works.set()

    def read(self, key: str) -> bytes | None:
        self.works.wait()
        return super().read(key)


def test_deadlines_hold_while_the_medium_hangs(yard: Yard, iris: Trained, asker: Any) -> None:
    yard.publish("iris", {1: yard.version(iris, 11)})
    yard.publish("other", {1: yard.version(iris, 12)})
    yard.medium = medium = Hanging(yard.medium.root)
    one = asker(preload=("iris",), request_timeout_seconds=1.0)
    body = {"rows": iris.sample(1)}
    assert one.send("/predict/iris", body).status == 200
    held = threading.Event()
    runtime = next(iter(one.core.engine._queues.values()))._runtime
    predict, runtime.predict = runtime.predict, lambda batch: (held.wait(10), predict(batch))[1]
    medium.works.clear()
    time.sleep(0.5)
    try:
        with ThreadPoolExecutor(2) as pool:
            slow = pool.submit(one.send, "/predict/other", body)
            assert one.send("/predict/other", body).status == 504
            assert slow.result().status == 504
            held_up = [pool.submit(one.send, "/predict/iris", {"rows": iris.sample(5) * 200}) for _ in range(2)]
            assert 504 in [task.result().status for task in held_up]
    finally:
        held.set()
        medium.works.set()


def test_who_comes_when_the_server_has_stopped_is_told_so(yard: Yard, iris: Trained, asker: Any) -> None:
    yard.publish("iris", {1: yard.version(iris, 11)})
    yard.publish("other", {1: yard.version(iris, 12)})
    one = asker(preload=("iris",))
    body = {"rows": iris.sample(1)}
    assert one.send("/predict/iris", body).status == 200
    one.core.stop()
    for _ in range(2):
        for path in ("/predict/iris", "/predict/other"):
            response = one.send(path, body)
            assert (response.status, dict(response.headers)[b"retry-after"]) == (503, b"1")
            assert b"stopping" in response.body


def test_after_a_start_with_a_broken_plan_the_last_good_one_serves(
    yard: Yard, iris: Trained, other_iris: Trained, asker: Any
) -> None:
    good, bad = yard.version(iris, 11), yard.version(other_iris, 12)
    yard.publish("iris", {1: good}, 1)
    body = {"rows": iris.sample(1)}
    first = asker()
    wait_until(first.core.pickup.settled.is_set, 10)
    next(Path(yard.store.root).rglob(bad.digest)).unlink()
    yard.publish("iris", {1: good, 2: bad}, 2)
    second = asker()
    wait_until(lambda: second.send("/predict/iris", body).status == 200, 10)
    assert second.ask("/predict/iris", body)["version"] == 1


def test_the_last_good_one_serves_though_the_broken_plan_is_read_twice(
    yard: Yard, iris: Trained, other_iris: Trained, asker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The start and the first request read the same document at once; the second comes to its end when the last good
    one serves already."""
    good, bad = yard.version(iris, 11), yard.version(other_iris, 12)
    yard.publish("iris", {1: good}, 1)
    wait_until(asker().core.pickup.settled.is_set, 10)
    next(Path(yard.store.root).rglob(bad.digest)).unlink()
    yard.publish("iris", {1: good, 2: bad}, 2)
    read, refresh = Pickup._read_model, Pickup._refresh
    calls: list[str] = []
    ended: list[str] = []

    def refresh_counted(pickup: Pickup, slot: Any, digest: str) -> None:
        refresh(pickup, slot, digest)
        ended.append(digest)

    def read_late(pickup: Pickup, slot: Any, digest: str) -> Any:
        document = read(pickup, slot, digest)
        calls.append(digest)
        if len(calls) == 1:
            pickup.fetch(slot)
            wait_until(lambda: len(calls) == 2, 10)
        elif len(calls) == 2:
            wait_until(lambda: slot.served is not None and slot.served.digest != digest, 10)
        return document

    monkeypatch.setattr(Pickup, "_read_model", read_late)
    monkeypatch.setattr(Pickup, "_refresh", refresh_counted)
    second = asker()
    wait_until(lambda: len(ended) >= 2, 10)
    body = {"rows": iris.sample(1)}
    wait_until(lambda: second.send("/predict/iris", body).status == 200, 10)
    assert second.ask("/predict/iris", body)["version"] == 1
