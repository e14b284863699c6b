import json

import pytest

from modelyard.core.faults import json_fault


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it is empty, or does not begin as JSON does"),
        ("  abc", "it is empty, or does not begin as JSON does"),
        ('{"a":}', "expected value at line 1, column 6"),
        ('{"a": 1,\n 7}', "expected property name enclosed in double quotes at line 2, column 2"),
        ("{} {}", "extra data at line 1, column 4"),
        ('{"a": 1 "b"}', "expected ',' delimiter at line 1, column 9"),
    ],
)
def test_what_is_missed_and_where(text: str, said: str) -> None:
    with pytest.raises(json.JSONDecodeError) as error:
        json.loads(text)
    assert json_fault(error.value) == said


def test_what_is_no_matter_of_a_place() -> None:
    assert json_fault(RecursionError()) == "it is nested too deep"
    assert json_fault(ValueError("too many digits")) == "too many digits"
