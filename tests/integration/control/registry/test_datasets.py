"""Datasets over REST and by services: uploads with the real sandbox, and what stays and goes."""

import hashlib
import io
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from pyarrow import parquet
from rest_framework.test import APIClient

from modelyard.control.jobs.models import Job
from modelyard.control.jobs.work import perform
from modelyard.control.registry import datasets, uploads
from modelyard.control.registry import tables as reading
from modelyard.control.registry.models import Artifact, Dataset, Model
from modelyard.control.registry.storage import SCRATCH, store
from modelyard.control.tenancy.models import AuditEntry, Tenant
from modelyard.control.tenancy.services import Actor, system_actor
from modelyard.core.errors import InUse, InvalidInput, NotFound, UnsupportedFormat
from modelyard.core.settings import Settings
from tests.integration.control import tables, versions

pytestmark = pytest.mark.django_db(transaction=True)

Caller = Callable[..., APIClient]
DATASETS = "/api/v1/datasets/"
FLIGHTS = tables.FLIGHTS


@pytest.fixture
def client(caller: Caller, tenant: Tenant) -> APIClient:
    return caller(tenant, "write")


def push(client: APIClient, content: bytes = FLIGHTS, filename: str = "flights.csv", **fields: Any) -> Any:
    form = {"name": "flights", "file": SimpleUploadedFile(filename, content), **fields}
    return client.post(DATASETS, form, format="multipart")


def pushed(client: APIClient, content: bytes = FLIGHTS, filename: str = "flights.csv", **fields: Any) -> Any:
    """Push, let the job run, and return what there is then."""
    answer = push(client, content, filename, **fields)
    assert answer.status_code == 201, answer.content
    perform(answer.json()["job"])
    return client.get(f"{DATASETS}{answer.json()['reference']}/").json()


def leftovers(home: Path, tenant: Tenant, settings: Any) -> tuple[int, int, list[Path]]:
    """Artifacts' rows, stored bytes and scratch folders that are there."""
    scratch = settings.MODELYARD.home / SCRATCH
    return (
        Artifact.objects.count(),
        len(list(store().list(str(tenant.pk)))),
        list(scratch.glob("*")) if scratch.exists() else [],
    )


def parquet_bytes(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    parquet.write_table(table, sink)
    return sink.getvalue()


class TestUpload:
    def test_a_csv_becomes_a_table(self, client: APIClient, tenant: Tenant, home: Path, settings: Any) -> None:
        first = push(client, description="three of them")
        assert first.status_code == 201
        assert first["Location"] == f"{DATASETS}flights:1/"
        assert (first.json()["state"], first.json()["digest"], first.json()["n_rows"]) == ("checking", None, None)
        perform(first.json()["job"])
        found = client.get(f"{DATASETS}flights/").json()
        assert found["state"] == "ready", found["refusal"]
        assert found["columns"] == [
            {"name": "carrier", "type": "string", "optional": False, "categories": ["AA", "UA"]},
            {"name": "delay", "type": "int64", "optional": True, "categories": None},
            {"name": "when", "type": "date", "optional": False, "categories": None},
        ]
        assert (found["n_rows"], found["format"], found["source"]) == (
            3, "csv", {"kind": "upload", "filename": "flights.csv"},
        )  # fmt: skip
        assert found["original_digest"] == hashlib.sha256(FLIGHTS).hexdigest()
        assert (found["description"], found["created_by"]) == ("three of them", "key:test-1")
        assert found["summary"][1]["quantiles"]["0.5"] == 17.5
        assert leftovers(home, tenant, settings) == (1, 1, [])
        assert Artifact.objects.get().digest == found["digest"]
        verbs = AuditEntry.objects.filter(subject="dataset:flights:1").order_by("number")
        assert list(verbs.values_list("verb", flat=True)) == ["dataset.register", "dataset.ready"]

    def test_a_parquet_of_the_same_rows_is_the_same_table(self, client: APIClient) -> None:
        first = pushed(client)
        with io.BytesIO(client.get(f"{DATASETS}flights:1/download").getvalue()) as given:
            table = parquet.read_table(given)
        again = pushed(client, parquet_bytes(table), "flights.parquet")
        assert (again["number"], again["format"]) == (2, "parquet")
        assert [again[name] for name in ("digest", "columns", "summary", "n_rows")] == [
            first[name] for name in ("digest", "columns", "summary", "n_rows")
        ]
        assert Artifact.objects.count() == 1

    def test_the_same_file_is_the_same_dataset(self, client: APIClient, tenant: Tenant) -> None:
        while_checking = push(client).json(), push(client)
        assert while_checking[1].status_code == 200
        assert while_checking[1].json()["reference"] == "flights:1"
        perform(while_checking[0]["job"])
        again = push(client)
        assert (again.status_code, again.json()["state"], again.json()["number"]) == (200, "ready", 1)
        assert push(client, name="other").json()["reference"] == "other:1"
        assert push(client, types='{"delay": "float64"}').json()["reference"] == "flights:2"
        assert push(client, FLIGHTS + b"DL,1,2013-01-04\n").json()["reference"] == "flights:3"
        assert Job.objects.filter(kind="dataset").count() == 4

    def test_what_was_refused_may_be_tried_again(self, client: APIClient) -> None:
        assert pushed(client, b"a,b\n1\n")["state"] == "refused"
        assert push(client, b"a,b\n1\n").status_code == 201

    def test_two_at_once_are_one(self, tenant: Tenant, admin: Actor) -> None:
        found: list[Any] = []
        barrier = threading.Barrier(4)

        def register() -> None:
            try:
                upload = uploads.keep_upload(actor=admin, filename="a.csv", chunks=[FLIGHTS])
                barrier.wait()
                found.append(datasets.register_dataset(actor=admin, name="flights", upload=upload))
            finally:
                connection.close()

        threads = [threading.Thread(target=register) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(new for _, new in found) == [False, False, False, True]
        assert {str(dataset) for dataset, _ in found} == {"flights:1"}
        assert Artifact.objects.count() == Dataset.objects.count() == Job.objects.count() == 1

    def test_types_that_were_told_hold(self, client: APIClient) -> None:
        found = pushed(client, types='{"delay": "float32", "when": "string"}')
        assert [column["type"] for column in found["columns"]] == ["string", "float32", "string"]
        assert found["types"] == {"delay": "float32", "when": "string"}

    @pytest.mark.parametrize(
        ("content", "filename", "said"),
        [
            (b"a,b\n1,2\n3\n", "a.csv", "line 3 has 1 field, the header has 2"),
            (b"a,b\n", "a.csv", "has no rows"),
            (b"a,a\n1,2\n", "a.csv", "are both called `a`"),
            (b"a,b\n1,\xff\n", "a.csv", "line 2 is no UTF-8"),
            (b"\0" * 5000, "a.csv", "printable"),
            (b"PAR1 and no more", "a.parquet", "cut off"),
            (b"PARE....PARE", "a.parquet", "encrypted"),
            (parquet_bytes(pa.table({"a": [[1]]})), "a.parquet", "nested"),
        ],
    )
    def test_what_is_no_table_is_refused_and_nothing_stays(
        self, client: APIClient, tenant: Tenant, home: Path, settings: Any, content: bytes, filename: str, said: str
    ) -> None:
        found = pushed(client, content, filename)
        assert (found["state"], found["digest"], found["n_rows"]) == ("refused", None, None)
        assert said in found["refusal"]["message"]
        assert found["refusal"]["code"] == "invalid_input"
        assert leftovers(home, tenant, settings) == (0, 0, [])
        assert Job.objects.get().state == "failed"
        for address in ("preview", "download"):
            refused = client.get(f"{DATASETS}flights:1/{address}")
            assert (refused.status_code, refused.json()["error"]["code"]) == (409, "conflict")
            assert said in refused.json()["error"]["message"]

    @pytest.mark.parametrize(
        ("fields", "status", "said"),
        [
            ({"filename": "flights.xlsx"}, 415, "expected .csv or .parquet"),
            ({"filename": "flights"}, 415, "expected .csv or .parquet"),
            ({"content": b""}, 400, "empty"),
            ({"name": "Flights"}, 400, "name"),
            ({"name": "sources"}, 400, "sources"),
            ({"name": "../etc"}, 400, "name"),
            ({"types": "[]"}, 400, "types"),
            ({"types": '{"a": "int"}'}, 400, "types.a"),
            ({"types": "{"}, 400, "types"),
            ({"description": "x" * 20_001}, 400, "description"),
            ({"tpyes": "{}"}, 400, "did you mean `types`?"),
        ],
    )
    def test_what_does_not_fit_is_refused_at_once(
        self, client: APIClient, tenant: Tenant, home: Path, settings: Any, fields: Any, status: int, said: str
    ) -> None:
        refused = push(client, **fields)
        assert refused.status_code == status, refused.content
        assert said in json.dumps(refused.json()["error"])
        assert not Dataset.objects.exists()
        assert leftovers(home, tenant, settings) == (0, 0, [])

    def test_what_is_too_large_is_refused_while_it_arrives(
        self, client: APIClient, tenant: Tenant, home: Path, settings: Any
    ) -> None:
        given = {"artifacts": home / "artifacts", "max_dataset_bytes": 1 << 20, "max_upload_bytes": 1 << 10}
        settings.MODELYARD = Settings.read({}, home=settings.MODELYARD.home, **given)
        assert push(client, b"a\n" + b"1\n" * (1 << 18)).status_code == 201
        refused = push(client, b"a\n" + b"1\n" * (1 << 19), name="large")
        assert (refused.status_code, refused.json()["error"]["code"]) == (413, "too_large")
        assert "MODELYARD_MAX_DATASET_BYTES" in refused.json()["error"]["message"]
        assert leftovers(home, tenant, settings)[:2] == (1, 1)

    def test_a_child_that_takes_too_long_is_stopped(
        self, client: APIClient, tenant: Tenant, home: Path, settings: Any
    ) -> None:
        given = {"artifacts": home / "artifacts", "dataset_timeout_seconds": 0.05}
        settings.MODELYARD = Settings.read({}, home=settings.MODELYARD.home, **given)
        found = pushed(client)
        assert (found["state"], found["refusal"]["code"]) == ("refused", "dataset_refused")
        assert "took longer" in found["refusal"]["message"]
        assert leftovers(home, tenant, settings) == (0, 0, [])

    def test_a_cancelled_one_is_refused_and_nothing_stays(
        self, client: APIClient, tenant: Tenant, home: Path, settings: Any
    ) -> None:
        started = push(client).json()
        assert client.post(f"/api/v1/jobs/{started['job']}/cancel", {}).status_code in (200, 202)
        found = client.get(f"{DATASETS}flights:1/").json()
        assert (found["state"], found["refusal"]["code"]) == ("refused", "cancelled")
        assert leftovers(home, tenant, settings) == (0, 0, [])
        assert client.delete(f"{DATASETS}flights:1/").status_code == 204

    def test_a_database_may_hold_the_bytes(self, client: APIClient, home: Path, settings: Any) -> None:
        settings.MODELYARD = Settings.read({}, home=settings.MODELYARD.home, artifact_store="database")
        assert pushed(client)["state"] == "ready"
        assert client.get(f"{DATASETS}flights/download?format=csv").getvalue().count(b"\n") == 4


class TestReading:
    def test_found_by_name_and_number(self, client: APIClient, admin: Actor) -> None:
        tables.ready(admin)
        tables.ready(admin, FLIGHTS + b"DL,1,2013-01-04\n")
        tables.register(admin, FLIGHTS + b"DL,2,2013-01-04\n")
        assert client.get(f"{DATASETS}flights/").json()["number"] == 2
        assert client.get(f"{DATASETS}flights:1/").json()["n_rows"] == 3
        assert client.get(f"{DATASETS}flights:3/").json()["state"] == "checking"
        for missing in ("flights:4", "flights:0", "flights:x", "nothing", "Flights", "%00", "flights:99999999999999"):
            assert client.get(f"{DATASETS}{missing}/").status_code == 404

    def test_listed_filtered_and_ordered(self, client: APIClient, admin: Actor, stranger: Tenant) -> None:
        tables.ready(admin, name="b", description="delays of 2013")
        tables.ready(admin, name="a")
        tables.register(admin, b"x\n1\n", name="a")
        tables.ready(system_actor(stranger, "test"), name="theirs")

        def listed(query: str) -> list[str]:
            answer = client.get(f"{DATASETS}?{query}")
            assert answer.status_code == 200, answer.content
            return [row["reference"] for row in answer.json()["results"]]

        assert listed("") == ["a:2", "a:1", "b:1"]
        assert listed("name=a&ordering=number") == ["a:1", "a:2"]
        assert listed("state=checking") == ["a:2"]
        assert listed("search=DELAYS") == ["b:1"]
        assert listed("page_size=1&page=3") == ["b:1"]
        assert "summary" not in client.get(DATASETS).json()["results"][0]
        assert client.get(f"{DATASETS}?state=new").status_code == 400

    def test_previewed(self, client: APIClient, admin: Actor) -> None:
        content = b"n,t\n" + b"".join(b"%d,t%d\n" % (n, n) for n in range(120))
        tables.ready(admin, content)
        first = client.get(f"{DATASETS}flights/preview").json()
        assert (first["columns"], len(first["data"]), first["n_rows"]) == (["n", "t"], 50, 120)
        assert first["data"][0] == [0, "t0"]
        later = client.get(f"{DATASETS}flights/preview?rows=20&offset=110").json()
        assert later["data"] == [[n, f"t{n}"] for n in range(110, 120)]
        assert client.get(f"{DATASETS}flights/preview?offset=5000").json()["data"] == []
        long, twice = "offset=" + "9" * 30, "rows=2&rows=3"
        for wrong in ("rows=0", "rows=x", "rows=1001", "offset=-1", "rows=", long, "row=3", twice):
            assert client.get(f"{DATASETS}flights/preview?{wrong}").status_code == 400, wrong

    def test_where_many_read_already_others_are_told_to_come_again(
        self, client: APIClient, admin: Actor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tables.ready(admin, b"n\n" + b"1\n" * 120)
        places = threading.BoundedSemaphore(1)
        monkeypatch.setattr(reading, "_reading", places)
        monkeypatch.setattr(reading, "PLACE_SECONDS", 0.05)
        with places:
            refused = client.get(f"{DATASETS}flights/preview?offset=100")
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "unavailable")
            assert client.get(f"{DATASETS}flights/preview").status_code == 200
        assert client.get(f"{DATASETS}flights/preview?offset=100").status_code == 200

    def test_downloaded(self, client: APIClient, admin: Actor, settings: Any) -> None:
        dataset = tables.ready(admin)
        whole = client.get(f"{DATASETS}flights:1/download")
        body = whole.getvalue()
        assert hashlib.sha256(body).hexdigest() == dataset.artifact.digest
        assert whole["Content-Disposition"] == 'attachment; filename="flights-1.parquet"'
        assert (whole["Content-Length"], whole["X-Content-Type-Options"]) == (str(len(body)), "nosniff")
        as_csv = client.get(f"{DATASETS}flights:1/download?format=csv")
        assert as_csv.getvalue().splitlines()[1:3] == [b'"UA",2,2013-01-01', b'"AA",,2013-01-02']
        assert not list((settings.MODELYARD.home / SCRATCH).glob("registration-*"))
        assert client.get(f"{DATASETS}flights:1/download?format=xlsx").status_code == 400
        slip = client.get(f"{DATASETS}flights:1/download?fromat=csv")
        assert (slip.status_code, "did you mean `format`?" in str(slip.json()["error"])) == (400, True)

    def test_waiting_ends_with_the_examination(self, client: APIClient) -> None:
        started = push(client, b"a\n1\n").json()
        worker = threading.Timer(0.3, lambda: (perform(started["job"]), connection.close()))
        worker.start()
        assert client.get(f"{DATASETS}flights:1/?wait=20").json()["state"] == "ready"
        worker.join()
        assert client.get(f"{DATASETS}flights:1/?wait=31").status_code == 400

    @pytest.mark.parametrize("scope", ["predict", "read"])
    def test_scopes(self, caller: Caller, tenant: Tenant, admin: Actor, scope: str) -> None:
        tables.ready(admin)
        client = caller(tenant, scope)
        reads = 200 if scope == "read" else 403
        for path in ("", "flights/", "flights/preview", "flights/download"):
            assert client.get(f"{DATASETS}{path}").status_code == reads
        assert push(client).status_code == 403
        assert client.delete(f"{DATASETS}flights:1/").status_code == 403


class TestDeleting:
    def test_deleted_with_its_bytes_and_never_numbered_again(
        self, client: APIClient, admin: Actor, tenant: Tenant, home: Path, settings: Any
    ) -> None:
        tables.ready(admin)
        assert client.delete(f"{DATASETS}flights/").status_code == 400
        assert client.delete(f"{DATASETS}flights:1/").status_code == 204
        assert client.get(f"{DATASETS}flights:1/").status_code == 404
        assert leftovers(home, tenant, settings)[:2] == (0, 0)
        assert push(client).json()["reference"] == "flights:2"

    def test_bytes_that_another_has_stay(self, client: APIClient, admin: Actor) -> None:
        tables.ready(admin)
        tables.ready(admin, name="same")
        assert client.delete(f"{DATASETS}flights:1/").status_code == 204
        assert client.get(f"{DATASETS}same/download").status_code == 200

    def test_refused_while_it_is_checked(self, client: APIClient, admin: Actor) -> None:
        tables.register(admin)
        assert client.delete(f"{DATASETS}flights:1/").json()["error"]["code"] == "in_use"

    def test_refused_while_a_version_names_it(self, client: APIClient, admin: Actor, model: Model) -> None:
        tables.ready(admin)
        form = {"file": SimpleUploadedFile("a.pkl", b"x"), "dataset": "flights"}
        made = client.post("/api/v1/models/iris/versions/", form, format="multipart")
        assert (made.status_code, made.json()["dataset"]) == (201, "flights:1")
        assert client.get(f"{DATASETS}flights/").json()["versions"] == ["iris:1"]
        refused = client.delete(f"{DATASETS}flights:1/")
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "in_use")
        assert refused.json()["error"]["details"]["users"] == ["iris:1"]
        assert client.get(f"{DATASETS}flights:1/").status_code == 200

    def test_a_version_names_only_what_is_there_and_ready(
        self, client: APIClient, admin: Actor, model: Model, stranger: Tenant
    ) -> None:
        tables.register(admin, name="new")
        theirs = tables.ready(system_actor(stranger, "test"), name="theirs")
        for reference in ("nothing", "new:1", "theirs:1", "..", "\x01"):
            form = {"file": SimpleUploadedFile("a.pkl", b"x"), "dataset": reference}
            refused = client.post("/api/v1/models/iris/versions/", form, format="multipart")
            assert refused.status_code == 400, reference
            assert "dataset" in refused.json()["error"]["message"]
        with pytest.raises(InvalidInput, match="dataset"):
            versions.register(admin, model, dataset=theirs)


def test_a_dataset_is_the_tenants_own(admin: Actor, stranger: Tenant) -> None:
    dataset = tables.ready(admin)
    foreign = system_actor(stranger, "test")
    with pytest.raises(NotFound):
        datasets.delete_dataset(actor=foreign, dataset=dataset)
    assert tables.ready(foreign).number == 1
    assert Dataset.objects.count() == 2


def test_services_say_what_is_wrong(admin: Actor) -> None:
    with pytest.raises(UnsupportedFormat, match=r"'x\.txt'"):
        tables.register(admin, filename="x.txt")
    assert not Artifact.objects.exists()
    with pytest.raises(InUse):
        datasets.delete_dataset(actor=admin, dataset=tables.register(admin))


def test_an_old_upload_that_nothing_was_made_of_is_swept(admin: Actor) -> None:
    dataset = tables.ready(admin)
    uploads.keep_upload(actor=admin, filename="a.csv", chunks=[b"a\n1\n"])
    assert uploads.sweep(older_than_seconds=0) == 1
    assert Artifact.objects.get().digest == dataset.artifact.digest
