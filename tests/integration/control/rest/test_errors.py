import json
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation, ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DataError, IntegrityError, InterfaceError, OperationalError
from django.db.models import ProtectedError
from django.http import Http404, UnreadablePostError
from django.utils.datastructures import MultiValueDict
from rest_framework import exceptions as rest
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.test import APIClient

from modelyard.control.rest import errors
from modelyard.control.rest.choices import Choice
from modelyard.control.tenancy.models import Tenant
from modelyard.core.errors import Conflict, QuotaExceeded, Unavailable
from modelyard.core.statuses import http_status


@pytest.mark.parametrize(
    ("raised", "status", "code"),
    [
        (Conflict("taken"), 409, "conflict"),
        (rest.ValidationError({"name": ["bad"]}), 400, "invalid_input"),
        (rest.ParseError("JSON parse error"), 400, "invalid_input"),
        (rest.NotAuthenticated(), 401, "unauthenticated"),
        (rest.AuthenticationFailed(), 401, "unauthenticated"),
        (rest.PermissionDenied(), 403, "forbidden"),
        (rest.NotFound(), 404, "not_found"),
        (rest.MethodNotAllowed("PUT"), 405, "method_not_allowed"),
        (rest.NotAcceptable(), 406, "not_acceptable"),
        (rest.UnsupportedMediaType("text/plain"), 415, "unsupported_format"),
        (rest.Throttled(wait=7), 429, "quota_exceeded"),
        (rest.APIException("secret"), 500, "internal"),
        (Http404("secret"), 404, "not_found"),
        (PermissionDenied("secret"), 403, "forbidden"),
        (RequestDataTooBig("secret"), 413, "too_large"),
        (SuspiciousOperation("secret"), 400, "invalid_input"),
        (ValidationError("bad"), 400, "invalid_input"),
        (UnreadablePostError("secret"), 400, "invalid_input"),
        (IntegrityError("secret"), 409, "conflict"),
        (ProtectedError("secret", set()), 409, "in_use"),
        (DataError("secret"), 400, "invalid_input"),
        (OperationalError("secret"), 503, "unavailable"),
        (InterfaceError("secret"), 500, "internal"),
        (RuntimeError("secret"), 500, "internal"),
        (KeyError("secret"), 500, "internal"),
    ],
)
def test_everything_becomes_one_body(raised: Exception, status: int, code: str) -> None:
    answer = errors.answer(raised, {})
    assert answer.status_code == status
    assert set(answer.data) == {"error"}
    assert answer.data["error"]["code"] == code
    assert answer.data["error"]["request_id"]
    assert "secret" not in str(answer.data)


def test_headers_that_belong_to_a_status() -> None:
    assert errors.answer(rest.NotAuthenticated(), {})["WWW-Authenticate"].startswith("Bearer")
    assert errors.answer(rest.Throttled(wait=7), {})["Retry-After"] == "7"
    assert errors.answer(Unavailable("later"), {})["Retry-After"] == "1"
    assert errors.answer(QuotaExceeded("full", retry_after_seconds=30), {})["Retry-After"] == "30"


def test_places_are_flattened() -> None:
    detail = {"name": ["short", "odd"], "files": [{}, {"role": ["unknown"]}], "scopes": {0: ["no"]}}
    assert [(row["place"], row["message"]) for row in errors.places(detail)] == [
        ("name", "short"),
        ("name", "odd"),
        ("files.1.role", "unknown"),
        ("scopes.0", "no"),
    ]
    assert errors.places(["whole"])[0]["place"] == "body"


def test_the_message_tells_the_first_place_and_how_many_more() -> None:
    known = errors.translate(rest.ValidationError({"name": ["bad"], "role": ["worse"]}))
    assert known.message == "`name`: bad (and 1 more)"
    assert http_status(known) == 400
    assert len(known.details["places"]) == 2


class Naming(serializers.Serializer):
    name = serializers.CharField(required=False)


class Aliasing(serializers.Serializer):
    version = serializers.IntegerField(min_value=1, max_value=99)
    role = Choice([("viewer", "Viewer"), ("admin", "Admin")], required=False)
    note = serializers.CharField(required=False, max_length=5)
    tags = serializers.ListField(required=False, max_length=2)
    within = Naming(required=False)


class Uploading(serializers.Serializer):
    file = serializers.ListField(child=serializers.FileField())
    sample = serializers.FileField(required=False)


def refused(serializer: type[serializers.Serializer], sent: Any) -> dict[str, Any]:
    with pytest.raises(rest.ValidationError) as error:
        serializer(data=sent).is_valid(raise_exception=True)
    answer = errors.answer(error.value, {"request": SimpleNamespace(_full_data=sent)})
    found: dict[str, Any] = answer.data["error"]
    return found


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        ({"version": "x"}, '`version`: got "x" (string), expected a whole number'),
        ({"version": 0}, "`version`: got 0 (number), expected 1 or more"),
        ({"version": -7}, "`version`: got -7 (number), expected 1 or more"),
        ({"version": 100}, "`version`: got 100 (number), expected 99 or less"),
        ({"version": 1, "role": "king"}, '`role`: got "king" (string), expected one of viewer, admin'),
        ({"version": 1, "role": ["king"]}, "`role`: got a list, expected one of viewer, admin"),
        ({"version": 1, "note": "too long"}, "`note`: 8 characters, expected at most 5"),
        ({"version": 1, "tags": [1, 2, 3]}, "`tags`: 3 of them, expected at most 2"),
        ({"version": None}, "`version`: got null, expected a value"),
        ({"version": [1]}, "`version`: got a list, expected a whole number"),
        ({}, "`version` is missing: expected a value"),
        ([], "the body: got a list, expected an object"),
        (5, "the body: got 5 (number), expected an object"),
        (None, "the body: got null, expected an object"),
        ({"version": 1, "within": [1]}, "`within`: got a list, expected an object"),
    ],
)
def test_the_framework_s_sentences_become_ours(sent: Any, message: str) -> None:
    assert refused(Aliasing, sent)["message"] == message


def test_a_file_is_told_by_its_name() -> None:
    form = MultiValueDict({"file": [SimpleUploadedFile("m.pkl", b"")]})
    assert refused(Uploading, form)["message"] == "`file`: `m.pkl` is empty"
    assert refused(Uploading, {})["message"] == "`file` is missing: expected a file, in a multipart/form-data body"
    form = MultiValueDict({"file": ["text"]})
    assert "expected a file, in a multipart" in refused(Uploading, form)["message"]


def test_a_body_that_is_no_json_is_told_so() -> None:
    known = errors.translate(rest.ParseError("JSON parse error - Expecting property name: line 1 column 2 (char 1)"))
    assert known.message == "the body is no JSON: expected property name at line 1, column 2"


def test_a_content_type_is_answered_with_what_this_address_takes() -> None:
    view = SimpleNamespace(parser_classes=(MultiPartParser,))
    answer = errors.answer(rest.UnsupportedMediaType("application/json"), {"view": view})
    assert answer.data["error"]["message"] == (
        "content type `application/json` is not taken here: expected multipart/form-data"
    )


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("members/?role=king", '`role`: got "king" (string), expected one of viewer, editor, admin'),
        ("jobs/?state=king", '`state`: got "king" (string), expected one of queued, running'),
        ("audit/?since=then", '`since`: got "then" (string), expected a date and time, as 2026-01-31T12:00:00Z'),
        ("models/?owner=" + "x" * 255, "`owner`: 255 characters, expected at most 254"),
    ],
)
def test_what_a_list_is_asked_with_is_told_alike(
    caller: Callable[..., APIClient], tenant: Tenant, path: str, message: str
) -> None:
    refused = caller(tenant, "admin").get(f"/api/v1/{path}")
    assert refused.status_code == 400
    assert refused.json()["error"]["message"].startswith(message)


@pytest.mark.django_db
def test_a_word_among_a_few_is_refused_with_these(caller: Callable[..., APIClient], tenant: Tenant) -> None:
    client = caller(tenant, "write")
    client.post("/api/v1/models/", {"name": "iris"})
    refused = client.post("/api/v1/models/iris/select", {"metric": "f1", "direction": "up"})
    assert refused.json()["error"]["message"] == ('`direction`: got "up" (string), expected one of maximize, minimize')


@pytest.mark.django_db
@pytest.mark.parametrize(
    "body",
    [
        {f"field{number}": number for number in range(100_000)},
        {"name": "ci", "scopes": [1] * 500_000},
        {"name": "ci", "scopes": ["read"], "x" * 1_900_000: 1},
    ],
    ids=["many fields", "a long list", "a long name"],
)
def test_a_body_of_many_faults_is_answered_soon_and_shortly(
    caller: Callable[..., APIClient], tenant: Tenant, body: dict[str, Any]
) -> None:
    client = caller(tenant, "admin")
    sent = json.dumps(body, separators=(",", ":"))
    assert len(sent) < 2 << 20
    began = time.process_time()
    refused = client.post("/api/v1/keys/", sent, content_type="application/json")
    took = time.process_time() - began
    assert refused.status_code == 400
    assert len(refused.content) < 10_000
    assert took < 1


@pytest.mark.django_db
@pytest.mark.django_db
def test_what_is_no_text_is_repeated_as_what_can_be_sent(caller: Callable[..., APIClient], tenant: Tenant) -> None:
    """Half a pair of surrogates, which JSON can name and UTF-8 cannot; an answer that repeats it was a 500."""
    sent = {"name": "often", "kind": "\ud800", "body": {}, "interval_seconds": "\ud800"}
    answer = caller(tenant).post("/api/v1/schedules/", json.dumps(sent), content_type="application/json")
    assert answer.status_code == 400, answer.content
    assert '`interval_seconds`: got "?" (string)' in answer.json()["error"]["message"]


def test_a_method_that_is_not_taken_is_told_with_those_that_are(
    caller: Callable[..., APIClient], tenant: Tenant
) -> None:
    refused = caller(tenant, "admin").get("/api/v1/models/iris/promote")
    assert refused.status_code == 405
    assert refused.json()["error"]["message"] == "GET is not taken here: expected POST"
    refused = caller(tenant, "admin").delete("/api/v1/models/iris/charter")
    assert refused.json()["error"]["message"] == "DELETE is not taken here: expected GET or PUT"
