"""How long a client waits for the data plane, against a server that answers what it is told to."""

import time

import pytest

from modelyard.client import serving
from modelyard.client.transport import Transport
from tests.unit.client.test_transport import Script, script, url

__all__ = ["script", "url"]

FIRST = {"info": {"version": "1"}}
SECOND = {"info": {"version": "2"}}
NOT_READY = {"name": "iris", "ready": False}


def waited(url: str, number: int | None = 2) -> float:
    began = time.monotonic()
    with Transport(url, "yard_x", 5.0) as data:
        serving.await_served(data, "iris", number)
    return time.monotonic() - began


def test_it_waits_until_the_version_is_named_and_loaded(script: Script, url: str) -> None:
    script.then(200, FIRST).then(200, SECOND).then(503, NOT_READY).then(503, NOT_READY).then(200, {"ready": True})
    waited(url)
    predict, ready = "/predict/iris", "/v2/models/iris/ready"
    assert [path for _, path, _ in script.asked] == [predict, predict, ready, ready, ready]


def test_what_is_not_served_any_more_is_not_loaded(script: Script, url: str) -> None:
    script.then(409, {"error": {"code": "conflict", "message": "not served"}})
    waited(url, None)
    assert len(script.asked) == 1


def test_a_version_that_never_loads_does_not_hold_for_ever(
    script: Script, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "LOADED_SECONDS", 0.3)
    script.then(200, SECOND).then(503, NOT_READY)
    assert 0.3 <= waited(url) < 3


def test_a_data_plane_that_will_not_tell_is_not_waited_for(script: Script, url: str) -> None:
    script.then(200, SECOND).then(404, {"error": "no such address"})
    assert waited(url) < 3
    assert len(script.asked) == 2
