from types import SimpleNamespace
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation, ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DataError, IntegrityError, InterfaceError, OperationalError
from django.db.models import ProtectedError
from django.http import Http404
from django.utils.datastructures import MultiValueDict
from rest_framework import exceptions as rest
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser

from modelyard.control.rest import errors
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


class Aliasing(serializers.Serializer):
    version = serializers.IntegerField()


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
        ({"version": None}, "`version`: got null, expected a value"),
        ({"version": [1]}, "`version`: got a list, expected a whole number"),
        ({}, "`version` is missing: expected a value"),
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
    assert known.message == "the body is no JSON: expected property name: line 1 column 2 (char 1)"


def test_a_content_type_is_answered_with_what_this_address_takes() -> None:
    view = SimpleNamespace(parser_classes=(MultiPartParser,))
    answer = errors.answer(rest.UnsupportedMediaType("application/json"), {"view": view})
    assert answer.data["error"]["message"] == (
        "content type `application/json` is not taken here: expected multipart/form-data"
    )
