"""Errors carry a stable code, and each code has a status."""

import json

import pytest

from modelyard.core import errors
from modelyard.core.statuses import HTTP_STATUS, http_status


def every_error(root: type[errors.ModelyardError] = errors.ModelyardError) -> list[type[errors.ModelyardError]]:
    return [root, *(found for child in root.__subclasses__() for found in every_error(child))]


def in_core() -> list[type[errors.ModelyardError]]:
    return [error for error in every_error() if error.__module__ == errors.__name__]


@pytest.mark.parametrize("error", in_core(), ids=lambda error: error.code)
def test_each_error_has_a_status(error: type[errors.ModelyardError]) -> None:
    assert http_status(error("no")) == HTTP_STATUS[error.code]


def test_codes_are_unique() -> None:
    codes = [error.code for error in in_core()]
    assert len(codes) == len(set(codes))


def test_each_status_belongs_to_an_error() -> None:
    assert {error.code for error in in_core()} == set(HTTP_STATUS)


def test_refusals_are_client_errors_and_faults_are_not() -> None:
    ours = {"internal", "artifact_corrupt", "misconfigured", "unavailable", "deadline_exceeded"}
    assert {code for code, status in HTTP_STATUS.items() if status >= 500} == ours
    assert all(400 <= status < 600 for status in HTTP_STATUS.values())


def test_a_code_that_the_table_does_not_know_is_a_fault_of_ours() -> None:
    class Novel(errors.ModelyardError):
        code = "novel"

    assert http_status(Novel("what")) == 500


def test_the_body_holds_code_message_details_and_request() -> None:
    error = errors.InvalidInput('column `age`: got "41" (string), expected int64', column="age", row=3)
    body = error.body("req-1")
    assert body == {
        "error": {
            "code": "invalid_input",
            "message": 'column `age`: got "41" (string), expected int64',
            "details": {"column": "age", "row": 3},
            "request_id": "req-1",
        }
    }
    assert json.loads(json.dumps(body)) == body


def test_without_details_the_body_has_none() -> None:
    assert errors.NotFound("no such model").body("r")["error"] == {
        "code": "not_found",
        "message": "no such model",
        "request_id": "r",
    }


def test_the_message_is_what_str_gives() -> None:
    assert str(errors.Conflict("already there", name="iris")) == "already there"


def test_what_is_in_use_is_a_conflict() -> None:
    assert issubclass(errors.InUse, errors.Conflict)
    assert http_status(errors.InUse("used", users=["iris"])) == 409
