"""Schedules by command on a real server: every two seconds, and when a dataset arrives."""

import os
import time
from collections.abc import Callable
from typing import Any

from palmerpenguins import load_penguins

from modelyard.client import Client
from tests.acceptance.command.conftest import Run, Yard


def until(look: Callable[[], Any], seconds: float = 180.0) -> Any:
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.5)
    return found


def test_it_trains_every_two_seconds_and_on_what_arrives(run: Run, yard: Yard) -> None:
    name = f"gentoo-{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"  # the workers share one server
    penguins = load_penguins()
    learnt = ("--model", name, "--dataset", name, "--set", "target=species", "--set", "estimator=LogisticRegression")
    with Client(yard.url, yard.key) as client:
        client.push_dataset(penguins, name=name)
        refused = run("schedules", "create", name, *learnt, "--cron", "0 25 * * *")
        assert (refused.code, "the hour is '25', expected 0 to 23" in refused.err) == (1, True)

        told = run("schedules", "create", name, *learnt, "--every", "2", "--json").json
        assert told["undo"] == f"modelyard schedules delete {name}"
        fresh = f"{name}-fresh"
        body = {"model": fresh, "parameters": {"target": "species", "estimator": "LogisticRegression"}}
        client.create_schedule(fresh, body, on_dataset=name)
        first = until(lambda: list(client.runs(name, state="succeeded")))[-1]
        run("schedules", "pause", name, "--reason", "it has shown that it works")
        paused = client.schedule(name)
        assert (paused.state, paused.failures, paused.next_times) == ("paused", 0, [])
        assert client.version(name, client.job(first.job or "").outcome["number"]).dataset == f"{name}:1"
        runs = list(client.runs(name))
        assert len({one.due_at for one in runs}) == len(runs) >= 2
        assert "skipped" in {one.state for one in runs}  # a training takes longer than two seconds

        client.push_dataset(penguins.dropna(), name=name)
        (arrival,) = until(lambda: list(client.runs(fresh, state="succeeded")))
        assert arrival.dataset == f"{name}:2"
        assert client.version(fresh, 1).dataset == f"{name}:2"
        client.delete_schedule(fresh)

    undo = run("schedules", "delete", name, "--yes", "--json").json["undo"]
    assert undo.startswith(f"modelyard schedules create {name} --kind training --body ")
