"""Answered means logged: servers killed in the middle of their work lose no record of what they answered."""

import random
import signal
import threading
from collections.abc import Callable

import httpx2

from modelyard.exchange.records import Answered, decode
from modelyard.exchange.segments import read_segment
from tests.integration.serving.yard import Server, Trained, Yard, wait_until

SEED = 20_261_120
KILLS = 3


def test_every_200_has_exactly_one_record(yard: Yard, iris: Trained, serve: Callable[..., Server]) -> None:
    yard.publish("iris", {1: yard.version(iris, 11)})
    chance = random.Random(SEED)
    body = {"rows": iris.sample(1)}
    answered: list[str] = []

    def load(server: Server) -> None:
        with server.client() as client:
            while True:
                try:
                    response = client.post("/predict/iris", json=body)
                except httpx2.TransportError:
                    return
                assert response.status_code == 200
                answered.append(response.json()["prediction_ids"][0].partition(".")[0])

    for _ in range(KILLS):
        server = serve()
        threads = [threading.Thread(target=load, args=(server,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        enough = len(answered) + chance.randint(50, 400)
        wait_until(lambda enough=enough: len(answered) >= enough, 60)  # type: ignore[misc]
        server.stop(signal.SIGKILL)
        for thread in threads:
            thread.join()
    last = serve()
    wait_until(lambda: len([path for path in yard.settings.spool.iterdir() if path.is_dir()]) == 1, 20)
    assert last.stop() == 0
    records = [decode(payload) for key in yard.medium.keys("spool/") for payload in read_segment(yard.medium, key)]
    ids = [record.id for record in records if isinstance(record, Answered)]
    assert len(ids) == len(set(ids)), f"seed {SEED}"
    assert set(answered) <= set(ids), f"seed {SEED}"
