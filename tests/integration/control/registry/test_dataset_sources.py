"""Datasets from places that the operator allowed: folders, an S3 server, a PostgreSQL server."""

import datetime
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import psycopg
import pytest
from rest_framework.test import APIClient

from modelyard.control.jobs.models import Job
from modelyard.control.jobs.work import perform
from modelyard.control.registry.models import Artifact, Dataset
from modelyard.control.registry.sources import SOURCES
from modelyard.control.registry.storage import SCRATCH
from modelyard.control.tenancy.models import Tenant
from modelyard.core.errors import Misconfigured
from modelyard.core.settings import Settings
from tests.integration.control import tables

pytestmark = pytest.mark.django_db(transaction=True)

Caller = Callable[..., APIClient]
DATASETS = "/api/v1/datasets/"


@pytest.fixture
def client(caller: Caller, tenant: Tenant) -> APIClient:
    return caller(tenant, "write")


@pytest.fixture
def allow(settings: Any, home: Path) -> Callable[..., None]:
    """Let the operator allow places, as the environment does."""

    def allowed(**given: str) -> None:
        environment = {f"MODELYARD_{name.upper()}": text for name, text in given.items()}
        settings.MODELYARD = Settings.read(environment, home=settings.MODELYARD.home, artifacts=home / "artifacts")

    return allowed


def ask(client: APIClient, source: Any, **more: Any) -> Any:
    body = json.dumps({"name": "flights", "source": source, **more})
    return client.post(DATASETS, body, content_type="application/json")


def fetched(client: APIClient, source: Any, **more: Any) -> Any:
    """Ask for a dataset, let the job run, and return what there is then."""
    answer = ask(client, source, **more)
    assert answer.status_code == 201, answer.content
    perform(answer.json()["job"])
    return client.get(f"{DATASETS}{answer.json()['reference']}/").json()


def message(answer: Any) -> str:
    return str(answer.json()["error"]["message"])


class TestFolders:
    @pytest.fixture
    def folder(self, tmp_path: Path, allow: Callable[..., None]) -> Path:
        (tmp_path / "exports").mkdir()
        (tmp_path / "exports" / "flights.csv").write_bytes(tables.FLIGHTS)
        (tmp_path / "secret.csv").write_bytes(tables.FLIGHTS)
        allow(dataset_folders=f"exports={tmp_path}/exports, gone={tmp_path}/gone")
        return tmp_path / "exports"

    def test_a_file_becomes_a_dataset(self, client: APIClient, folder: Path, settings: Any) -> None:
        source = {"kind": "folder", "place": "exports", "file": "flights.csv"}
        found = fetched(client, source, types={"delay": "float64"}, description="nightly")
        assert (found["state"], found["n_rows"], found["source"]) == ("ready", 3, source)
        assert (found["format"], found["description"]) == ("csv", "nightly")
        assert found["columns"][1]["type"] == "float64"
        assert found["original_bytes"] == len(tables.FLIGHTS)
        assert Artifact.objects.get().digest == found["digest"]
        assert not list((settings.MODELYARD.home / SCRATCH).glob("registration-*"))

    @pytest.mark.parametrize(
        "name",
        [
            "../secret.csv", "/etc/passwd.csv", "nothing.csv", "..", "", "a/../flights.csv", "link.csv", "folder.csv",
            "pipe.csv", "flights.csv/", "\0.csv", "FLIGHTS.CSV",
        ],
    )  # fmt: skip
    def test_nothing_else_is_reached(self, client: APIClient, folder: Path, name: str) -> None:
        (folder / "link.csv").symlink_to(folder.parent / "secret.csv")
        (folder / "folder.csv").mkdir()
        os.mkfifo(folder / "pipe.csv")
        refused = ask(client, {"kind": "folder", "place": "exports", "file": name})
        assert refused.status_code in (400, 415), refused.content
        assert str(folder) not in refused.content.decode()
        assert not Dataset.objects.exists()

    def test_what_goes_between_is_refused_by_the_job(self, client: APIClient, folder: Path) -> None:
        source = {"kind": "folder", "place": "exports", "file": "flights.csv"}
        asked = ask(client, source)
        (folder / "flights.csv").unlink()
        (folder / "flights.csv").symlink_to(folder.parent / "secret.csv")
        perform(asked.json()["job"])
        found = client.get(f"{DATASETS}flights:1/").json()
        assert found["state"] == "refused"
        assert "exports has no file 'flights.csv'" in found["refusal"]["message"]
        assert not Artifact.objects.exists()

    def test_a_folder_that_is_away_is_tried_again(self, client: APIClient, folder: Path) -> None:
        asked = ask(client, {"kind": "folder", "place": "gone", "file": "a.csv"}).json()
        for _ in range(3):
            perform(asked["job"])
        found = client.get(f"{DATASETS}flights:1/").json()
        assert (found["state"], found["refusal"]["code"]) == ("refused", "unavailable")
        assert Job.objects.get().attempts == 3

    def test_a_file_that_is_too_large_is_refused(
        self, client: APIClient, folder: Path, allow: Callable[..., None]
    ) -> None:
        allow(dataset_folders=f"exports={folder}", max_dataset_bytes="20")
        found = fetched(client, {"kind": "folder", "place": "exports", "file": "flights.csv"})
        assert (found["state"], found["refusal"]["code"]) == ("refused", "too_large")
        assert "MODELYARD_MAX_DATASET_BYTES" in found["refusal"]["message"]
        assert not Artifact.objects.exists()


class TestBuckets:
    @pytest.fixture
    def bucket(self, s3: str, monkeypatch: pytest.MonkeyPatch, allow: Callable[..., None]) -> str:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "test")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        name = f"lake-{uuid4().hex[:8]}"
        there = boto3.client("s3", endpoint_url=s3)
        there.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        there.put_object(Bucket=name, Key="data/2013/flights.csv", Body=tables.FLIGHTS)
        there.put_object(Bucket=name, Key="secret.csv", Body=tables.FLIGHTS)
        there.close()
        allow(dataset_buckets=f"lake=s3://{name}/data?endpoint={s3}, away=s3://{name}?endpoint=http://127.0.0.1:1")
        return name

    def test_an_object_becomes_a_dataset(self, client: APIClient, bucket: str) -> None:
        found = fetched(client, {"kind": "bucket", "place": "lake", "file": "2013/flights.csv"})
        assert (found["state"], found["n_rows"]) == ("ready", 3), found["refusal"]
        assert bucket not in json.dumps(found)

    @pytest.mark.parametrize(
        "key", ["../secret.csv", "/secret.csv", "a//b.csv", "./a.csv", "a\\b.csv", "", "a\n.csv", "a.txt"]
    )
    def test_what_is_no_key_is_refused_at_once(self, client: APIClient, bucket: str, key: str) -> None:
        assert ask(client, {"kind": "bucket", "place": "lake", "file": key}).status_code in (400, 415)
        assert not Dataset.objects.exists()

    def test_what_is_not_there_is_refused(self, client: APIClient, bucket: str) -> None:
        for key in ("flights.csv", "secret.csv"):
            found = fetched(client, {"kind": "bucket", "place": "lake", "file": key})
            assert found["refusal"]["message"].endswith(f"lake has no object '{key}'")
        assert not Artifact.objects.exists()

    def test_a_server_that_is_away_is_tried_again(self, client: APIClient, bucket: str) -> None:
        fetched(client, {"kind": "bucket", "place": "away", "file": "a.csv"})
        job = Job.objects.get()
        assert (job.state, job.attempts) == ("queued", 1)

    def test_without_boto3_the_mend_is_told(
        self, client: APIClient, bucket: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(__import__("sys").modules, "boto3", None)
        with pytest.raises(Misconfigured, match=r"pip install 'modelyard\[s3\]'"):
            SOURCES["bucket"].check({"kind": "bucket", "place": "lake", "file": "a.csv"})


class TestQueries:
    @pytest.fixture
    def warehouse(self, postgresql: str, allow: Callable[..., None]) -> Iterator[str]:
        """A table and a counter, in a schema of their own."""
        name = f"w{uuid4().hex[:8]}"
        with psycopg.connect(postgresql, autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {name}")
            connection.execute(f"CREATE SEQUENCE {name}.counter")
            connection.execute(
                f"CREATE TABLE {name}.flights AS SELECT n::int8 AS n, n / 7.0 AS ratio, 'é' || n AS name, "
                "n % 2 = 0 AS even, date '2013-01-01' + n AS day, timestamptz '2013-01-01 10:00+02' AS seen, "
                "NULL::float4 AS empty, "
                "gen_random_uuid() AS id FROM generate_series(0, 12000) AS n"
            )
        allow(
            dataset_databases=f"warehouse={postgresql}, away=postgresql://127.0.0.1:1/x",
            dataset_query_seconds="5",
        )
        yield name
        with psycopg.connect(postgresql, autocommit=True) as connection:
            connection.execute(f"DROP SCHEMA {name} CASCADE")

    @pytest.fixture
    def boss(self, caller: Caller, tenant: Tenant) -> APIClient:
        return caller(tenant, "admin")

    def test_rows_become_a_dataset(self, boss: APIClient, warehouse: str) -> None:
        query = f"SELECT * FROM {warehouse}.flights WHERE name LIKE 'é%' ORDER BY n;"
        found = fetched(boss, {"kind": "sql", "place": "warehouse", "query": query})
        assert found["state"] == "ready", found["refusal"]
        assert [column["type"] for column in found["columns"]] == [
            "int64", "float64", "string", "bool", "date", "timestamp", "float32", "string",
        ]  # fmt: skip
        assert (found["n_rows"], found["source"]["query"]) == (12_001, query)
        row = boss.get(f"{DATASETS}flights/preview?rows=1&offset=12000").json()["data"][0]
        day = (datetime.date(2013, 1, 1) + datetime.timedelta(days=12_000)).isoformat()
        assert row[:7] == [12_000, 12_000 / 7, "é12000", True, day, "2013-01-01T08:00:00Z", None]

    def test_only_an_administrator_may(self, client: APIClient, warehouse: str) -> None:
        refused = ask(client, {"kind": "sql", "place": "warehouse", "query": "SELECT 1 AS a"})
        assert (refused.status_code, refused.json()["error"]["details"]["scope"]) == (403, "admin")
        assert not Dataset.objects.exists()

    @pytest.mark.parametrize(
        ("query", "said"),
        [
            ("DELETE FROM {w}.flights", "syntax error"),
            ("DELETE FROM {w}.flights RETURNING n", "syntax error"),
            ("WITH gone AS (DELETE FROM {w}.flights RETURNING n) SELECT * FROM gone", "data-modifying"),
            ("SELECT 1 AS a; DELETE FROM {w}.flights", "multiple commands"),
            ("SELECT 1 AS a; COMMIT; DELETE FROM {w}.flights", "multiple commands"),
            ("SELECT nextval('{w}.counter') AS a", "read-only transaction"),
            ("SELECT pg_sleep(60) IS NULL AS a", "took longer than 5 s"),
            ("SELECT 1 AS a, 2 AS a", "are both called `a`"),
            ("SELECT 1", "?column?"),
            ("SELECT ARRAY[1] AS a", "cast it in the query"),
            ("SELECT '{{}}'::json AS a", "cast it in the query"),
            ("SELECT n FROM {w}.flights WHERE n < 0", "the query gives no rows"),
            ("SELECT x FROM nothing", "does not exist"),
            ("SELECT 'infinity'::date AS a", "refused"),
            ("nonsense %s", "syntax error"),
        ],
    )
    def test_what_is_no_query_changes_nothing(
        self, boss: APIClient, warehouse: str, postgresql: str, query: str, said: str
    ) -> None:
        found = fetched(boss, {"kind": "sql", "place": "warehouse", "query": query.format(w=warehouse)})
        if said != "?column?":
            assert found["state"] == "refused", found
            assert said in json.dumps(found["refusal"]), found["refusal"]
            assert not Artifact.objects.exists()
        assert postgresql not in json.dumps(found)
        with psycopg.connect(postgresql) as connection:
            counted = connection.execute(f"SELECT count(*) FROM {warehouse}.flights").fetchone()
        assert counted == (12_001,)

    def test_too_many_rows_are_refused(
        self, boss: APIClient, warehouse: str, postgresql: str, allow: Callable[..., None]
    ) -> None:
        allow(dataset_databases=f"warehouse={postgresql}", max_dataset_bytes="50000")
        found = fetched(boss, {"kind": "sql", "place": "warehouse", "query": f"SELECT * FROM {warehouse}.flights"})
        assert found["refusal"]["code"] == "too_large"
        assert not Artifact.objects.exists()

    def test_rows_without_end_are_given_up(
        self, boss: APIClient, warehouse: str, postgresql: str, allow: Callable[..., None]
    ) -> None:
        """Each batch of them comes in time, and all of them are hardly a byte."""
        allow(dataset_databases=f"warehouse={postgresql}", dataset_query_seconds="0.5")
        table = f"{warehouse}.flights"
        query = f"SELECT 1 AS a FROM {table} AS x, {table} AS y, {table} AS z"
        found = fetched(boss, {"kind": "sql", "place": "warehouse", "query": query})
        assert "took longer than 0.5 s" in found["refusal"]["message"]

    def test_a_database_that_is_away_is_tried_again(self, boss: APIClient, warehouse: str) -> None:
        found = fetched(boss, {"kind": "sql", "place": "away", "query": "SELECT 1 AS a"})
        assert found["state"] == "checking"
        job = Job.objects.get()
        assert (job.state, job.attempts) == ("queued", 1)


class TestAsking:
    def test_places_are_listed_by_name_alone(
        self, client: APIClient, allow: Callable[..., None], tmp_path: Path
    ) -> None:
        allow(dataset_folders=f"exports={tmp_path}", dataset_databases="warehouse=postgresql://me:hidden@there/db")
        answer = client.get(f"{DATASETS}sources/")
        assert [(one["kind"], one["places"], one["field"], one["scope"]) for one in answer.json()] == [
            ("folder", ["exports"], "file", "write"),
            ("bucket", [], "file", "write"),
            ("sql", ["warehouse"], "query", "admin"),
        ]
        assert str(tmp_path) not in answer.content.decode()
        assert "hidden" not in answer.content.decode()

    @pytest.mark.parametrize(
        ("source", "said"),
        [
            ({}, "source.kind"),
            ({"kind": "upload"}, "expected one of folder, bucket, sql"),
            ({"kind": ["folder"]}, "source.kind"),
            ({"kind": "folder"}, "expected the texts file, kind, place"),
            ({"kind": "folder", "place": "x", "file": "a.csv"}, "the operator has allowed none"),
            ({"kind": "folder", "place": "x", "file": 5}, "expected the texts"),
            ({"kind": "folder", "place": "x", "file": "a.csv", "path": "/"}, "and nothing else"),
            ("folder", "source"),
        ],
    )
    def test_what_is_no_source_is_refused(self, client: APIClient, source: Any, said: str) -> None:
        refused = ask(client, source)
        assert refused.status_code == 400, refused.content
        assert said in message(refused)

    @pytest.mark.parametrize("more", [{"types": {"a": "int"}}, {"types": []}, {"name": "A"}, {"file": "x"}])
    def test_the_rest_is_checked_too(
        self, client: APIClient, allow: Callable[..., None], tmp_path: Path, more: Any
    ) -> None:
        allow(dataset_folders=f"exports={tmp_path}")
        (tmp_path / "a.csv").write_bytes(tables.FLIGHTS)
        assert ask(client, {"kind": "folder", "place": "exports", "file": "a.csv"}, **more).status_code == 400
        assert not Dataset.objects.exists()

    def test_a_long_body_of_json_is_not_read(self, client: APIClient) -> None:
        refused = client.post(DATASETS, b'{"name": "' + b"a" * (3 << 20), content_type="application/json")
        assert (refused.status_code, refused.json()["error"]["code"]) == (413, "too_large")
