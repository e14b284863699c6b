"""What is made of the words of a child that is not believed."""

import json
import time

import pytest

from modelyard.core.errors import ModelRefused, ModelyardError
from modelyard.sandbox.run import _parse


def said(message: str, code: str = "model_refused") -> str:
    with pytest.raises(ModelyardError) as refused:
        _parse(json.dumps({"error": {"code": code, "message": message}}).encode())
    return refused.value.message


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        (
            "Can't get attribute 'My' on <module '__main__' from '/srv/yard/modelyard/sandbox/child.py'>",
            "Can't get attribute 'My' on <module '__main__' from 'child.py'>",
        ),
        ("No such file: '/home/some one/my models/a.pkl' (2)", "No such file: 'a.pkl' (2)"),
        ("at /opt/python/lib/x.py:12, in f", "at x.py:12, in f"),
        ("read:/srv/data/secret", "read:secret"),
        ("'//srv/data/'", "'data'"),
        ("expected 1/2 or a/b, see https://example.org/a/b", "expected 1/2 or a/b, see https://example.org/a/b"),
        ("the axis `/x` of a / b", "the axis `/x` of a / b"),
    ],
)
def test_no_folder_of_this_machine_is_told(message: str, shown: str) -> None:
    assert said(message) == shown


def test_neither_by_an_exception_that_nobody_expected() -> None:
    with pytest.raises(ModelRefused) as refused:
        _parse(json.dumps({"failed": "exception", "message": "OSError: '/srv/yard/x.so'"}).encode())
    assert refused.value.message == "opening the file failed: OSError: 'x.so'"


@pytest.mark.parametrize("piece", ["/a", "'/a", "//", ":/", "/ ", "'/ "])
def test_a_message_made_to_be_slow_is_not(piece: str) -> None:
    before = time.perf_counter()
    assert len(said(piece * 200_000)) <= 2000
    assert time.perf_counter() - before < 1


def test_control_characters_become_blanks() -> None:
    assert said("a\x1b[31m\nb") == "a [31m b"


@pytest.mark.parametrize("value", ["NaN", "-Infinity", "1e999", '"a\\u0000"', '"\\ud800"', '{"\\u0000": 1}'])
def test_what_a_database_would_not_take_is_refused(value: str) -> None:
    with pytest.raises(ModelRefused, match=r"garbled"):
        _parse(f'{{"result": {{"sample": [{value}]}}}}'.encode())
