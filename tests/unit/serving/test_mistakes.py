"""A body that is no JSON, or JSON of another form: the message says where, what was expected, and the likely cause."""

import msgspec
import pytest

from modelyard.core.errors import InvalidInput
from modelyard.serving.protocols.decoder import read_json
from modelyard.serving.protocols.mistakes import misfit
from modelyard.serving.protocols.oip import InferRequest

FORM = '{"rows": [{...}]}'


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", f"the body is empty: expected {FORM}"),
        (b"hello", f"the body is no JSON: invalid character (byte 0); expected {FORM}"),
        (b"rows=1", f"the body is no JSON: invalid character (byte 0); expected {FORM}"),
        (b'{"rows": [', f"the body is no JSON: Input data was truncated; expected {FORM}"),
        (b'{"rows": [{"a": 1},]}', f"the body is no JSON: trailing comma in array (byte 19); expected {FORM}"),
        (
            b'\xef\xbb\xbf{"rows": []}',
            "a byte order mark, which JSON does not have: send UTF-8 without one",
        ),
        (b'{"a": "\xff"}', "the body is no JSON: its text is not UTF-8"),
        (b"[" * 100_000, f"the body is nested too deeply: expected {FORM}"),
        (b"{'rows': []}", "must be strings (byte 1); in JSON, names and texts stand in double quotes, not in single"),
        (b"{\"a\": 'x'}", "invalid character (byte 6); in JSON, names and texts stand in double quotes"),
        (b'{"a": True}', "(byte 6); in JSON it is true, false and null, in lower case"),
        (b'{"a": None}', "(byte 6); in JSON it is true, false and null, in lower case"),
        (b'{"a": -Infinity}', "NaN and Infinity are no JSON: send null"),
    ],
)
def test_what_is_no_json_is_told_the_cause_or_what_was_expected(body: bytes, said: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_json(body, FORM)
    assert said in refused.value.message


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"[]", "got a list, expected an object"),
        (b"{}", "`inputs` is missing"),
        (b'{"inputs": {}}', "`inputs`: got an object, expected a list"),
        (b'{"inputs": [{"name": 1}]}', "`inputs[0].name`: got a whole number, expected a string"),
        (b'{"inputs": [{"name": "a"}]}', "`inputs[0]`: `shape` is missing"),
        (b'{"inputs": [{"name": "a", "shape": [1.5]}]}', "`inputs[0].shape[0]`: got a number, expected a whole number"),
        (b'{"inputs": [], "id": true}', "`id`: got a boolean, expected a string or null"),
    ],
)
def test_json_of_another_form_is_told_in_our_words(body: bytes, said: str) -> None:
    with pytest.raises(msgspec.ValidationError) as refused:
        msgspec.json.decode(body, type=InferRequest)
    assert misfit(refused.value) == said
