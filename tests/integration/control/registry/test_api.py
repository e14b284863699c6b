"""Versions and aliases over REST: uploads, downloads, and what is refused."""

import hashlib
import io
import threading
import time
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from modelyard.control.deployments.services import activate
from modelyard.control.registry import services, waiting
from modelyard.control.registry.models import Artifact, Model, Version
from modelyard.control.registry.storage import store
from modelyard.control.tenancy.models import Tenant
from modelyard.control.tenancy.services import Actor
from tests.integration.control import versions

pytestmark = pytest.mark.django_db

Caller = Callable[..., APIClient]
IRIS = "/api/v1/models/iris/"


def form(*files: tuple[str, bytes], **fields: Any) -> dict[str, Any]:
    return {"file": [SimpleUploadedFile(name, content) for name, content in files], **fields}


@pytest.fixture
def client(caller: Caller, tenant: Tenant) -> APIClient:
    return caller(tenant, "write")


class TestUploads:
    def test_a_form_with_all_fields(self, client: APIClient, model: Model, tenant: Tenant) -> None:
        parent = client.post(f"{IRIS}versions/", form(("a.pkl", b"x")), format="multipart").json()
        fields = {
            "sample": SimpleUploadedFile("rows.csv", b"a\n1\n"),
            "metrics": '{"accuracy": 0.5}',
            "manifest": '{"seed": 3, "data_digest": "sha256:' + "0" * 64 + '"}',
            "signature": '{"columns": [{"name": "a", "type": "float64"}], "outputs": [{"name": "y", "type": "int64"}]}',
            "description": "all",
            "parent": parent["number"],
        }
        made = client.post(f"{IRIS}versions/", form(("a.pkl", b"x"), ("b.pkl", b"yy"), **fields), format="multipart")
        assert made.status_code == 201, made.content
        body = made.json()
        assert (body["number"], body["parent"], body["description"], body["size_bytes"]) == (2, 1, "all", 3)
        assert body["metrics"] == {"accuracy": 0.5}
        assert body["manifest"]["seed"] == 3
        assert body["signature"]["columns"][0]["name"] == "a"
        assert [(file["filename"], file["role"]) for file in body["files"]] == [
            ("a.pkl", "model"), ("b.pkl", "model"), ("rows.csv", "sample"),
        ]  # fmt: skip
        assert body["files"][0]["digest"] == hashlib.sha256(b"x").hexdigest()
        assert body["created_by"] == "key:test-1"
        assert client.get(f"{IRIS}versions/2/").json() == body

    @pytest.mark.parametrize(
        ("fields", "place"),
        [
            ({"metrics": "{"}, "metrics"),
            ({"metrics": "[1]"}, "metrics"),
            ({"metrics": '{"a": NaN}'}, "metrics.a"),
            ({"metrics": '{"a": 1e999}'}, "metrics.a"),
            ({"metrics": '{"a": "1"}'}, "metrics.a"),
            ({"metrics": '{"a": 1' + "0" * 400 + "}"}, "metrics.a"),
            ({"metrics": '{"a": 1' + "0" * 5000 + "}"}, "metrics"),
            ({"metrics": '{"\\u0000": 1}'}, "metrics"),
            ({"manifest": "[" * 100_000}, "manifest"),
            ({"manifest": '{"parameters": ' + '{"a":' * 50 + "1" + "}" * 51}, "manifest"),
            ({"manifest": '{"parameters": {"a": "\\ud800"}}'}, "manifest.parameters.a"),
            ({"manifest": '{"packages": {"a": 1}}'}, "manifest"),
            ({"manifest": '{"seed": ' + "9" * 30 + "}"}, "manifest"),
            ({"signature": "{}"}, "signature"),
            ({"signature": '{"columns": [{"name": "a", "type": "float65"}], "outputs": []}'}, "signature"),
            ({"signature": '"x"'}, "signature"),
            ({"description": "x" * 20_001}, "description"),
            ({"description": "a\x00"}, "description"),
            ({"parent": "0"}, "parent"),
            ({"parent": "9"}, "parent"),
            ({"parent": "x"}, "parent"),
            ({"parent": "9" * 40}, "parent"),
            ({"sample": "text"}, "sample"),
            ({"file": "text"}, "file"),
            ({"file": []}, "file"),
            ({"file": [SimpleUploadedFile("a.pkl", b"")]}, "file"),
            ({"metrics": SimpleUploadedFile("m.json", b"{}")}, "metrics"),
            ({"metric": "{}"}, "`metrics`"),
        ],
    )  # fmt: skip
    def test_what_does_not_fit_is_refused_and_leaves_nothing(
        self, client: APIClient, model: Model, tenant: Tenant, fields: dict[str, Any], place: str
    ) -> None:
        refused = client.post(f"{IRIS}versions/", form(("a.pkl", b"x")) | fields, format="multipart")
        assert refused.status_code == 400, refused.content
        assert place in refused.json()["error"]["message"]
        assert not Version.objects.exists()
        assert not Artifact.objects.exists()
        assert list(store().list(str(tenant.pk))) == []

    def test_too_much_is_refused_and_leaves_nothing(self, client: APIClient, model: Model, tenant: Tenant) -> None:
        half = b"x" * 600_000
        for files in ([("a.pkl", half + half)], [("a.pkl", half), ("b.pkl", half + b"y")]):
            refused = client.post(f"{IRIS}versions/", form(*files), format="multipart")
            assert refused.status_code == 413, refused.content
            assert refused.json()["error"]["code"] == "too_large"
            assert f"the {1 << 20} bytes that an upload may have" in refused.json()["error"]["message"]
            assert "MODELYARD_MAX_UPLOAD_BYTES" in refused.json()["error"]["message"]
        many = client.post(f"{IRIS}versions/", form(*((f"{n}", b"x%d" % n) for n in range(12))), format="multipart")
        assert many.status_code == 400
        assert list(store().list(str(tenant.pk))) == []
        assert threading.active_count() < 10

    def test_a_body_that_is_cut_off_leaves_nothing(self, client: APIClient, model: Model, tenant: Tenant) -> None:
        body = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.pkl"\r\n\r\n' + b"x" * 100_000
        cut = client.generic("POST", f"{IRIS}versions/", body, content_type="multipart/form-data; boundary=b")
        assert (cut.status_code, Version.objects.count()) == (400, 0)
        assert list(store().list(str(tenant.pk))) == []

    @pytest.mark.parametrize(("name", "sample"), [("wine.bin", "rows.csv"), ("text.txt", None), ("a.pkl", "rows.xls")])
    def test_a_name_that_betrays_itself_uses_no_number(
        self, client: APIClient, model: Model, name: str, sample: str | None
    ) -> None:
        fields = {"sample": SimpleUploadedFile(sample, b"x")} if sample else {}
        refused = client.post(
            f"{IRIS}versions/", {"file": [SimpleUploadedFile(name, b"x")], **fields}, format="multipart"
        )
        assert refused.status_code == 415, refused.content
        assert "expected a file that ends in" in refused.json()["error"]["message"]
        assert not model.versions.exists()

    @pytest.mark.parametrize(
        "kind", ["application/json", "application/x-www-form-urlencoded", "application/x-pickle", "text/plain"]
    )
    def test_only_forms_are_taken(self, client: APIClient, model: Model, kind: str) -> None:
        refused = client.generic("POST", f"{IRIS}versions/", b"{}", content_type=kind)
        assert refused.status_code == 415
        assert refused.json()["error"]["code"] == "unsupported_format"

    @pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary="])
    def test_a_form_without_a_boundary_is_refused(self, client: APIClient, model: Model, kind: str) -> None:
        assert client.generic("POST", f"{IRIS}versions/", b"x", content_type=kind).status_code == 400

    def test_waiting_ends(self, client: APIClient, model: Model) -> None:
        began = time.monotonic()
        made = client.post(f"{IRIS}versions/?wait=0.3", form(("a.pkl", b"x")), format="multipart")
        assert made.json()["state"] == "checking"
        assert 0.3 <= time.monotonic() - began < 10
        assert client.get(f"{IRIS}versions/1/?wait=0.2").status_code == 200
        for wrong in ("x", "-1", "31", "nan", "inf"):
            assert client.get(f"{IRIS}versions/1/?wait={wrong}").status_code == 400

    def test_where_many_wait_already_nobody_else_does(
        self, client: APIClient, model: Model, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Each who waits holds a thread of the server."""
        client.post(f"{IRIS}versions/", form(("a.pkl", b"x")), format="multipart")
        places = threading.BoundedSemaphore(2)
        monkeypatch.setattr(waiting, "_waiting", places)
        began = time.monotonic()
        client.get(f"{IRIS}versions/1/?wait=0.2")
        assert time.monotonic() - began >= 0.2
        with places, places:
            began = time.monotonic()
            assert client.get(f"{IRIS}versions/1/?wait=30").json()["state"] == "checking"
            assert time.monotonic() - began < 10

    @pytest.mark.parametrize(
        "name", ["../../evil.pkl", "/etc/passwd.pkl", "..\\evil.pkl", "a%00.pkl", "x" * 300, "ü.pkl"]
    )
    def test_names_are_never_paths(self, client: APIClient, model: Model, tenant: Tenant, name: str) -> None:
        part = f'--b\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\nx\r\n--b--\r\n'
        made = client.generic("POST", f"{IRIS}versions/", part.encode(), content_type="multipart/form-data; boundary=b")
        assert made.status_code in (201, 400), made.content
        digests = {stored.digest for stored in store().list(str(tenant.pk))}
        assert digests <= {hashlib.sha256(b"x").hexdigest()}
        if made.status_code == 201:
            kept = made.json()["files"][0]["filename"]
            assert "/" not in kept
            assert "\\" not in kept


class TestDownloads:
    def test_what_came_is_given_back(self, client: APIClient, model: Model) -> None:
        content = bytes(range(256)) * 3000
        client.post(f"{IRIS}versions/", form(("my model.pkl", content)), format="multipart")
        given = client.get(f"{IRIS}versions/1/artifact")
        assert given.status_code == 200
        assert b"".join(given.streaming_content) == content
        assert given["Content-Type"] == "application/octet-stream"
        assert given["Content-Disposition"] == 'attachment; filename="my_model.pkl"'
        assert given["X-Content-Type-Options"] == "nosniff"
        assert given["Content-Length"] == str(len(content))
        assert given["ETag"] == f'"{hashlib.sha256(content).hexdigest()}"'
        same = client.get(f"{IRIS}versions/1/artifact", HTTP_IF_NONE_MATCH=given["ETag"])
        assert (same.status_code, same.content) == (304, b"")

    def test_several_come_as_a_zip_that_is_always_the_same(self, client: APIClient, model: Model) -> None:
        client.post(f"{IRIS}versions/", form(("a.pkl", b"1" * 99), ("a.pkl", b"2")), format="multipart")
        one, two = (b"".join(client.get(f"{IRIS}versions/1/artifact/").streaming_content) for _ in range(2))
        assert one == two
        with zipfile.ZipFile(io.BytesIO(one)) as archive:
            assert {name: archive.read(name) for name in archive.namelist()} == {
                "1-a.pkl": b"1" * 99, "2-a.pkl": b"2",
            }  # fmt: skip


class TestVersions:
    def test_listed_filtered_and_light(self, client: APIClient, admin: Actor, model: Model) -> None:
        first = versions.ready(admin, model, b"1", metrics={"accuracy": 0.9})
        versions.register(admin, model)
        services.move_alias(actor=admin, model=model, name="candidate", version=first)
        activate(actor=admin, version=first)

        def numbers(query: str) -> list[int]:
            return [row["number"] for row in client.get(f"{IRIS}versions/?{query}").json()["results"]]

        assert numbers("") == [2, 1]
        assert numbers("ordering=number") == [1, 2]
        assert numbers("state=ready") == numbers("alias=candidate") == numbers("runtime=onnx") == [1]
        assert numbers("isolated=true") == []
        line = client.get(f"{IRIS}versions/?state=ready").json()["results"][0]
        assert (line["weight"], line["aliases"], line["metrics"]) == (1.0, ["candidate"], {"accuracy": 0.9})
        assert "signature" not in line
        assert client.get(f"{IRIS}versions/?state=x").status_code == 400
        full = client.get(f"{IRIS}versions/1/").json()
        assert full["sample"][0]["sepal_length"] == 5.1
        assert full["report"] == {"converted": True}

    def test_many_cost_few_queries(self, client: APIClient, admin: Actor, model: Model) -> None:
        for number in range(12):
            versions.register(admin, model, str(number).encode())
        with CaptureQueriesContext(connection) as queries:
            assert len(client.get(f"{IRIS}versions/").json()["results"]) == 12
        assert len(queries) <= 12

    def test_nothing_of_a_version_changes(self, client: APIClient, admin: Actor, model: Model) -> None:
        versions.ready(admin, model)
        for method in (client.put, client.patch, client.post):
            assert method(f"{IRIS}versions/1/", {"description": "x"}).status_code == 405

    def test_deleted_unless_in_use(self, client: APIClient, admin: Actor, model: Model) -> None:
        version = versions.ready(admin, model)
        services.move_alias(actor=admin, model=model, name="candidate", version=version)
        refused = client.delete(f"{IRIS}versions/1/")
        assert refused.status_code == 409
        assert refused.json()["error"]["code"] == "in_use"
        assert refused.json()["error"]["details"]["users"] == ["the alias candidate"]
        assert client.delete(f"{IRIS}aliases/candidate/").status_code == 204
        assert client.delete(f"{IRIS}versions/1/").status_code == 204
        assert client.delete(f"{IRIS}versions/1/").status_code == 404

    def test_its_endpoint_is_described(self, client: APIClient, admin: Actor, model: Model) -> None:
        versions.ready(admin, model)
        described = client.get(f"{IRIS}versions/1/openapi").json()
        assert described["openapi"].startswith("3.")
        assert any("iris:1" in path for path in described["paths"])
        versions.register(admin, model)
        assert client.get(f"{IRIS}versions/2/openapi").status_code == 409

    @pytest.mark.parametrize("number", ["0", "9", "99999999999999999999", "x", "-1", "1.0", "%00"])
    def test_what_is_no_number_is_not_found(self, client: APIClient, model: Model, number: str) -> None:
        assert client.get(f"{IRIS}versions/{number}/").status_code == 404


class TestAliases:
    def test_made_moved_and_deleted_with_the_way_back(self, client: APIClient, admin: Actor, model: Model) -> None:
        versions.ready(admin, model, b"1")
        versions.ready(admin, model, b"2")
        made = client.put(f"{IRIS}aliases/candidate/", {"version": 1})
        assert made.status_code == 201
        assert made.json()["reference"] == "iris@candidate"
        assert made.json()["undo"]["method"] == "DELETE"
        moved = client.put(f"{IRIS}aliases/candidate/", {"version": 2})
        assert (moved.status_code, moved.json()["version"]) == (200, 2)
        undo = moved.json()["undo"]
        assert client.put(undo["path"], undo["body"]).json()["version"] == 1
        assert [row["name"] for row in client.get(f"{IRIS}aliases/").json()["results"]] == ["candidate"]
        assert client.get(f"{IRIS}aliases/candidate/").json()["version"] == 1
        assert client.delete(f"{IRIS}aliases/candidate/").status_code == 204
        assert client.get(f"{IRIS}aliases/candidate/").status_code == 404

    @pytest.mark.parametrize(
        ("name", "body", "status"),
        [
            ("a", {}, 400), ("a", {"version": 0}, 400), ("a", {"version": "x"}, 400), ("a", {"version": 9}, 400),
            ("a", {"version": 1, "x": 1}, 400), ("a", {"version": 10**30}, 400), ("A", {"version": 1}, 400),
            ("champion", {"version": 1}, 400), ("%00", {"version": 1}, 400), ("a", {"version": 2}, 409),
        ],
    )  # fmt: skip
    def test_what_does_not_fit_is_refused(
        self, client: APIClient, admin: Actor, model: Model, name: str, body: Any, status: int
    ) -> None:
        versions.ready(admin, model)
        versions.register(admin, model)
        refused = client.put(f"{IRIS}aliases/{name}/", body)
        assert refused.status_code == status, refused.content
