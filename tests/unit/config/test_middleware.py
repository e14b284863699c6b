import pytest

from modelyard.config.middleware import POLICY, request_id


def test_the_policy_has_no_inline_code_and_no_foreign_origin() -> None:
    assert "unsafe" not in POLICY
    assert "*" not in POLICY
    assert "default-src 'none'" in POLICY
    assert "frame-ancestors 'none'" in POLICY
    assert "base-uri 'none'" in POLICY


@pytest.mark.parametrize(
    "given", [None, "", "short", "a" * 65, "with space", "new\nline-here", "<b>bold</b>", "ünicode-id"]
)
def test_an_odd_request_id_is_replaced(given: str | None) -> None:
    made = request_id(given)
    assert made != given
    assert len(made) == 32


def test_a_plain_request_id_is_kept() -> None:
    assert request_id("trace-0001.a_b") == "trace-0001.a_b"
