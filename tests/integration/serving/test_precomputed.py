"""Stored answers on real servers: equal to predictions, told to their tenant alone, swapped without a pause."""

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pyarrow as pa
import pytest
from pyarrow import parquet

from modelyard.core.settings import Settings
from modelyard.exchange.prediction_ids import parse
from modelyard.exchange.records import Answered, Failed, decode
from modelyard.exchange.segments import read_segment
from modelyard.exchange.snapshot import Precomputed
from modelyard.serving.core import Core
from modelyard.serving.doors.wsgi import WsgiDoor
from modelyard.tables.precomputing import Columns, write_answers
from tests.integration.serving.test_wsgi import ask
from tests.integration.serving.yard import STRANGER, Server, Trained, Yard, wait_until

COLUMNS = Columns(("prediction",), False, ("probability_0", "probability_1", "probability_2"), ("0", "1", "2"))
ENTITY = "flower {}/%41"
"""With what an address cannot hold as it stands."""
PATH = "/precomputed/iris/flower%20{}%2F%2541"


def stored(yard: Yard, trained: Trained, *, number: int = 1, version: int = 1) -> Precomputed:
    """Put a file of the trained model's own answers to all its rows into the store."""
    rows = len(trained.rows)
    shares = trained.estimator.predict_proba(trained.rows)
    source, target = yard.home / f"scored-{number}.parquet", yard.home / f"stored-{number}.sqlite"
    table = {
        "flower": [ENTITY.format(row) for row in range(rows)],
        "prediction": trained.estimator.predict(trained.rows),
        **{f"probability_{place}": shares[:, place] for place in range(3)},
    }
    parquet.write_table(pa.table(table), source)
    write_answers(source, target, "flower", COLUMNS)
    kept = yard.store.put("1", [target.read_bytes()], 1 << 30)
    return Precomputed(number, kept.digest, kept.size_bytes, version, 10 + version, "flower", rows)


@pytest.fixture
def told(yard: Yard, iris: Trained) -> Precomputed:
    told = stored(yard, iris)
    yard.publish("iris", {1: yard.version(iris, 11)}, precomputed=told)
    return told


@pytest.fixture
def opened(yard: Yard, tmp_path: Path) -> Iterator[Callable[..., WsgiDoor]]:
    """Give a function that starts a core in this process, and returns its WSGI door."""
    cores: list[Core] = []

    def start(**given: Any) -> WsgiDoor:
        cores.append(Core(Settings.read({}, home=tmp_path / "core", **given), yard.medium, yard.store))
        cores[-1].start()
        assert cores[-1].await_loaded(20)
        return WsgiDoor(cores[-1])

    yield start
    for core in cores:
        core.stop()


def code(response: httpx2.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


def test_stored_answers_are_those_of_predict_and_are_logged(
    yard: Yard, iris: Trained, told: Precomputed, serve: Callable[..., Server]
) -> None:
    server = serve()
    with server.client() as client:
        said = client.post("/predict/iris", json={"rows": iris.sample(150)}).json()
        for row in range(150):
            response = client.get(PATH.format(row))
            answer = response.json()
            assert response.status_code == 200, response.text
            assert list(answer) == list(said)
            assert (answer["model"], answer["version"]) == ("iris", 1)
            assert answer["predictions"] == said["predictions"][row : row + 1]
            assert answer["probabilities"][0] == pytest.approx(said["probabilities"][row], rel=1e-5, abs=1e-7)
        identity = parse(answer["prediction_ids"][0])
        identity.verify(b"\x01" * 32)
        assert (identity.tenant, identity.version, identity.row) == (1, 11, 0)
        tag = response.headers["etag"]
        same = client.get(PATH.format(3), headers={"if-none-match": f'"other", {tag}'})
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
        assert client.get(PATH.format(3), headers={"if-none-match": '"other"'}).status_code == 200
        refused = {
            PATH.format(150): (404, "not_found"),
            "/precomputed/iris/": (200, ""),
            "/precomputed/irs/x": (404, "not_found"),
            "/precomputed/iris:1/x": (404, "not_found"),
            "/precomputed/": (404, "not_found"),
            f"/precomputed/iris/{'x' * 201}": (400, "invalid_input"),
            "/precomputed/iris/%FF%00": (404, "not_found"),
        }
        for path, expected in refused.items():
            response = client.get(path)
            found = (200, "") if response.status_code == 200 else code(response)
            assert found == expected, (path, response.text)
        assert "'flower 150/%41'" in client.get(PATH.format(150)).json()["error"]["message"]
        posted = client.post(PATH.format(1), json={})
        assert (posted.status_code, posted.headers["allow"]) == (405, "GET")
        facts = client.get("/precomputed/iris").json()
        assert facts == {
            "model": "iris", "number": 1, "version": 1, "entity": "flower", "rows": 150, "digest": told.digest,
            "state": "ready", "reason": "",
        }  # fmt: skip
        index = client.post("/v2/repository/index").json()
        assert {"name": "iris", "version": "precomputed", "state": "READY", "reason": ""} in index
    server.stop()
    records = [decode(payload) for key in yard.medium.keys("spool/") for payload in read_segment(yard.medium, key)]
    answered = [one for one in records if isinstance(one, Answered) and one.protocol == "precomputed"]
    assert len(answered) == 151
    assert (answered[0].entities, answered[0].version_id, answered[0].rows) == ([ENTITY.format(0)], 11, 1)
    assert any(isinstance(one, Failed) and one.code == "not_found" and one.model == "iris" for one in records)


def test_nobody_else_is_told(yard: Yard, told: Precomputed, opened: Callable[..., WsgiDoor]) -> None:
    reader = "yard_readonly_" + "z" * 43
    yard.add_key("2", STRANGER)
    yard.add_key("1", reader, scopes=("read",))
    yard.publish_tenant("2")
    yard.publish_tenant("1")
    door, place = opened(), "/precomputed/iris/" + ENTITY.format(1)

    def refusal(secret: str, path: str = place) -> tuple[int, Any]:
        status, _, body = ask(door, "GET", path, HTTP_AUTHORIZATION=f"Bearer {secret}" if secret else "")
        return status, json.loads(body)["error"]

    assert refusal("")[0] == refusal("yard_unknown_" + "u" * 43)[0] == 401
    assert (refusal(reader)[0], refusal(reader)[1]["details"]) == (403, {"scope": "predict"})
    theirs, nothing = refusal(STRANGER), refusal(STRANGER, place.replace("iris", "ghost"))
    assert theirs[0] == nothing[0] == 404
    assert theirs[1]["message"] == nothing[1]["message"].replace("ghost", "iris")


def test_a_swap_loses_no_request_and_mixes_nothing_up(
    yard: Yard, iris: Trained, other_iris: Trained, told: Precomputed, serve: Callable[..., Server]
) -> None:
    """While files are swapped at full load, each answer is one whole answer of the version that it names."""
    versions = {1: yard.version(iris, 11), 2: yard.version(other_iris, 12)}
    files = {1: told, 2: stored(yard, other_iris, number=2, version=2)}
    shares = {
        number: trained.estimator.predict_proba(trained.rows).tolist()
        for number, trained in ((1, iris), (2, other_iris))
    }
    server = serve()
    seen: dict[int, int] = {1: 0, 2: 0}
    wrong: list[Any] = []
    stop = threading.Event()

    def load(first: int) -> None:
        with server.client() as client:
            row = first
            while not stop.is_set():
                row = (row + 7) % 150
                response = client.get(PATH.format(row))
                said = response.json()
                if (
                    response.status_code != 200
                    or list(said["probabilities"][0].values()) != shares[said["version"]][row]
                ):
                    wrong.append((response.status_code, said))
                else:
                    seen[said["version"]] += 1

    threads = [threading.Thread(target=load, args=(first,)) for first in range(3)]
    for thread in threads:
        thread.start()
    with server.client() as client:
        for swap in range(12):
            number = 2 - swap % 2
            yard.publish("iris", versions, precomputed=files[number])
            wait_until(lambda number=number: client.get("/precomputed/iris").json()["number"] == number, 10)  # type: ignore[misc]
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong, wrong[:3]
    assert min(seen.values()) > 50, seen
    with server.client() as client:
        yard.publish("iris", versions)
        wait_until(lambda: client.get(PATH.format(1)).status_code == 404)
        assert "nothing is precomputed for model `iris`" in client.get(PATH.format(1)).json()["error"]["message"]


def test_a_file_that_is_not_there_is_told_and_the_former_answers_on(
    yard: Yard, iris: Trained, told: Precomputed, serve: Callable[..., Server]
) -> None:
    path = yard.store._path("1", told.digest)
    data = path.read_bytes()
    path.unlink()
    server = serve()
    with server.client() as client:
        response = client.get(PATH.format(1))
        assert code(response) == (503, "unavailable")
        assert response.headers["retry-after"] == "5"
        assert "cannot be served now: there is no artifact" in response.json()["error"]["message"]
        assert client.post("/predict/iris", json={"rows": iris.sample(1)}).status_code == 200
        facts = client.get("/precomputed/iris")
        assert (facts.status_code, facts.json()["state"]) == (503, "unavailable")
        (line,) = [one for one in client.post("/v2/repository/index").json() if one["version"] == "precomputed"]
        assert line["state"] == "UNAVAILABLE"
        assert "there is no artifact" in line["reason"]
        yard.store.put("1", [data], 1 << 30)
        wait_until(lambda: client.get(PATH.format(1)).status_code == 200, 15)

        rotten = yard.store.put("1", [data[: len(data) // 2]], 1 << 30)  # whole by its digest, and no such file
        broken = Precomputed(2, rotten.digest, rotten.size_bytes, 1, 11, "flower", 150)
        yard.publish("iris", {1: yard.version(iris, 11)}, precomputed=broken)
        wait_until(lambda: client.get("/precomputed/iris").json()["reason"] != "", 15)
        facts = client.get("/precomputed/iris")
        assert (facts.status_code, facts.json()["number"]) == (200, 1)
        assert "cannot be" in facts.json()["reason"]
        assert client.get(PATH.format(1)).status_code == 200


def test_slow_lookups_are_read_in_threads_and_damage_is_mended(
    yard: Yard, told: Precomputed, opened: Callable[..., WsgiDoor]
) -> None:
    """With a bound that no lookup keeps; a file of the cache that rots is fetched anew."""
    door, place = opened(inline_seconds=1e-9), "/precomputed/iris/" + ENTITY.format(5)
    status, headers, body = ask(door, "GET", place)
    assert (status, headers["content-length"]) == (200, str(len(body)))
    status, headers, body = ask(door, "GET", place, HTTP_IF_NONE_MATCH=headers["etag"])
    assert (status, body, "content-length" in headers) == (304, b"", False)
    assert any(thread.name.startswith("stored-read") for thread in threading.enumerate())

    core = door._core
    cached = core.settings.cache / "artifacts" / "1" / told.digest
    size = cached.stat().st_size
    cached.unlink()
    cached.write_bytes(bytes(size))  # another file by that name: what is open reads on, what opens next refuses it
    file = core.pickup.snapshot.tenants["1"].slots["iris"].stored.served
    assert file is not None
    file._free.pop().close()
    status, _, body = ask(door, "GET", place)
    assert (status, json.loads(body)["error"]["code"]) == (503, "unavailable")
    wait_until(lambda: ask(door, "GET", place)[0] == 200, 10)
