"""A job followed over a real ASGI server, with others asking meanwhile; and the client that follows it."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import msgspec
import pytest
import uvicorn
from django.core.asgi import get_asgi_application

from modelyard.client import Client
from modelyard.control.jobs import events, services
from modelyard.control.jobs.models import Job
from modelyard.control.jobs.services import Line
from modelyard.control.tenancy import services as tenancy
from modelyard.control.tenancy.models import ApiKey, Tenant
from modelyard.control.tenancy.services import Actor
from modelyard.core.errors import NotFound, Unavailable
from tests.integration.control.jobs.handlers import Summing
from tests.integration.control.jobs.test_services import Kind, claimed

pytestmark = pytest.mark.django_db(transaction=True)

Until = Callable[..., None]


@pytest.fixture
def url(free_port: int, transactional_db: None) -> Iterator[str]:
    config = uvicorn.Config(
        get_asgi_application(), port=free_port, lifespan="off", log_config=None, timeout_graceful_shutdown=5
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{free_port}"
    server.should_exit = True
    thread.join(30)
    assert not thread.is_alive()


@pytest.fixture(autouse=True)
def _none_open() -> Iterator[None]:
    events._open.clear()
    yield
    events._closing[0] = False


@pytest.fixture
def held(tenant: Tenant, kind: Kind) -> Job:
    kind("sum", Summing())
    return claimed(services.submit(tenant=tenant, kind="sum", payload={}, created_by="key:ci"))


@pytest.fixture
def key(admin: Actor) -> str:
    return tenancy.create_key(actor=admin, name="reader", scopes=["read", "write"])[1]


class Following:
    """A stream that a thread reads to its end."""

    def __init__(self, url: str, job: Job, key: str, **headers: str) -> None:
        self.got: list[tuple[str, Any]] = []
        self.ids: list[str] = []
        self.status = 0
        self.headers: httpx2.Headers | None = None
        self._ask = {"authorization": f"Bearer {key}", "accept": "text/event-stream", **headers}
        self._url = f"{url}/api/v1/jobs/{job.pk}/events"
        self.thread = threading.Thread(target=self._read)
        self.thread.start()

    def _read(self) -> None:
        with httpx2.stream("GET", self._url, headers=self._ask, timeout=30, trust_env=False) as answer:
            self.status, self.headers = answer.status_code, answer.headers
            name = ""
            for line in answer.iter_lines():
                field, _, value = line.partition(": ")
                if field == "event":
                    name = value
                elif field == "id":
                    self.ids.append(value)
                elif field == "data":
                    self.got.append((name, msgspec.json.decode(value)))

    def end(self, seconds: float = 30) -> None:
        self.thread.join(seconds)
        assert not self.thread.is_alive(), "the stream goes on"

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.got]


def test_a_job_is_followed_to_its_end(url: str, held: Job, key: str, until: Until) -> None:
    services.write_lines(held, [Line("first")])
    following = Following(url, held, key)
    until(lambda: len(following.got) == 3)
    assert following.names == ["line", "state", "progress"]
    services.report(held, 0.5, "half", rows_done=50, rows_total=100, metrics={"loss": 0.1})
    services.write_lines(held, [Line("second", "error")])
    until(lambda: len(following.got) == 5)
    services.finish(held, {"sum": 3})
    following.end()
    assert following.headers is not None
    assert following.headers["cache-control"] == "no-store"
    assert [(name, data) for name, data in following.got if name == "line"] == [
        ("line", {"number": 1, "at": following.got[0][1]["at"], "level": "info", "text": "first"}),
        ("line", {"number": 2, "at": following.got[3][1]["at"], "level": "error", "text": "second"}),
    ]
    assert following.ids == ["1", "2"]
    told = following.got[4][1]
    assert (told["progress"], told["rows_done"], told["metrics"]) == (0.5, 50, {"loss": 0.1})
    assert following.names[-1] == "end"
    assert (following.got[-1][1]["state"], following.got[-1][1]["outcome"]) == ("succeeded", {"sum": 3})
    until(lambda: len(events._open) == 0, seconds=5)


def test_a_stream_goes_on_after_the_line_that_is_known(url: str, held: Job, key: str) -> None:
    services.write_lines(held, [Line(f"line {number}") for number in range(1, 6)])
    services.finish(held, {})
    following = Following(url, held, key, **{"last-event-id": "3"})
    following.end()
    assert following.ids == ["4", "5"]


def test_streams_hold_up_nobody_and_are_bounded(
    url: str, held: Job, key: str, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "MOST_STREAMS", 12)
    following = [Following(url, held, key) for _ in range(12)]
    until(lambda: all(len(each.got) == 2 for each in following))
    headers = {"authorization": f"Bearer {key}"}
    began = time.monotonic()
    for _ in range(10):
        answer = httpx2.get(f"{url}/api/v1/jobs/{held.pk}/", headers=headers, trust_env=False)
        assert answer.status_code == 200
    assert time.monotonic() - began < 5
    refused = httpx2.get(f"{url}/api/v1/jobs/{held.pk}/events", headers=headers, trust_env=False)
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "unavailable")
    assert refused.headers["retry-after"] == "5"
    services.finish(held, {})
    for each in following:
        each.end(10)
    until(lambda: len(events._open) == 0, seconds=5)


def test_who_goes_away_makes_room(url: str, held: Job, key: str, until: Until) -> None:
    headers = {"authorization": f"Bearer {key}"}
    with httpx2.stream("GET", f"{url}/api/v1/jobs/{held.pk}/events", headers=headers, trust_env=False) as answer:
        lines = answer.iter_lines()  # kept: when it goes, so does the connection
        next(lines)
        assert len(events._open) == 1
    until(lambda: len(events._open) == 0, seconds=5)


def test_a_key_that_is_revoked_sees_no_more(url: str, held: Job, key: str, admin: Actor, until: Until) -> None:
    following = Following(url, held, key)
    until(lambda: len(following.got) == 2)
    tenancy.revoke_key(actor=admin, key=ApiKey.objects.get(name="reader"))
    services.write_lines(held, [Line("the secret")])
    following.end()
    assert following.names == ["state", "progress"]


def test_the_end_of_the_server_ends_streams(url: str, held: Job, key: str, until: Until) -> None:
    following = Following(url, held, key)
    until(lambda: len(following.got) == 2)
    events.close_all()
    following.end(3)
    assert following.names == ["state", "progress"]


def test_a_stream_is_not_open_for_ever(url: str, held: Job, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "LONGEST_SECONDS", 1.0)
    Following(url, held, key).end(5)


def test_strangers_and_nobody_get_json(url: str, held: Job, stranger: Tenant) -> None:
    theirs = tenancy.create_key(actor=tenancy.system_actor(stranger, "test"), name="theirs", scopes=["admin"])[1]
    address = f"{url}/api/v1/jobs/{held.pk}/events"
    accept = {"accept": "text/event-stream"}
    refused = httpx2.get(address, headers={"authorization": f"Bearer {theirs}", **accept}, trust_env=False)
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "not_found")
    nobody = httpx2.get(address, headers=accept, trust_env=False)
    assert (nobody.status_code, nobody.json()["error"]["code"]) == (401, "unauthenticated")


def test_the_client_watches(url: str, held: Job, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over connections that end all the time: no line is missing, none comes twice."""
    monkeypatch.setattr(events, "LONGEST_SECONDS", 0.5)

    def work() -> None:
        from django.db import connection

        try:
            for number in range(5):
                services.write_lines(held, [Line(f"line {number}")])
                services.report(held, number / 5, "on")
                time.sleep(0.6)
            services.finish(held, {"sum": 7})
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    with Client(url, key) as yard:
        thread.start()
        got = list(yard.watch(str(held.pk)))
        assert [event.data["text"] for event in got if event.kind == "line"] == [f"line {n}" for n in range(5)]
        assert (got[-1].kind, got[-1].data["outcome"]) == ("end", {"sum": 7})
        assert yard.job(str(held.pk)).state == "succeeded"
        assert [job.id for job in yard.jobs(kind="sum")] == [str(held.pk)]
        with pytest.raises(NotFound):
            list(yard.watch("6d1d1c40-0000-4000-8000-000000000000"))
    thread.join()


def test_the_client_asks_where_it_can_follow_no_stream(
    url: str, held: Job, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "MOST_STREAMS", 0)
    services.write_lines(held, [Line("one")])
    with Client(url, key) as yard:
        watching = yard.watch(str(held.pk))
        assert [next(watching).kind for _ in range(3)] == ["line", "state", "progress"]
        services.write_lines(held, [Line("two")])
        services.finish(held, {"sum": 1})
        rest = list(watching)
    assert [event.kind for event in rest] == ["line", "state", "progress", "end"]
    assert rest[0].data["text"] == "two"


def test_the_client_gives_up_on_a_server_that_is_gone(monkeypatch: pytest.MonkeyPatch, free_port: int) -> None:
    monkeypatch.setattr("modelyard.client.jobs.PATIENCE_SECONDS", 0.5)
    with Client(f"http://127.0.0.1:{free_port}", "yard_x") as yard, pytest.raises(Unavailable):
        list(yard.watch("6d1d1c40-0000-4000-8000-000000000000"))
