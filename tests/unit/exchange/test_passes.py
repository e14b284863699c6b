"""Passes: only the two planes can make one, and none lives long."""

import pytest

from modelyard.core.errors import Unauthenticated
from modelyard.exchange.passes import issue, parse

KEY, OTHER = "ab" * 32, "cd" * 32


def test_a_pass_is_good_for_its_tenant_until_it_expires() -> None:
    read = parse(issue("7", KEY, now=1000.5))
    assert read.tenant == "7"
    read.verify(KEY, now=1059)
    with pytest.raises(Unauthenticated):
        read.verify(KEY, now=1060)


def test_another_tenants_key_or_a_changed_word_is_refused() -> None:
    text = issue("7", KEY, now=1000)
    with pytest.raises(Unauthenticated):
        parse(text).verify(OTHER, now=1001)
    for forged in (
        text.replace("_7_", "_8_"),
        text.replace("_1060_", "_1061_"),
        text[:-1] + ("0" if text[-1] != "0" else "1"),
    ):
        with pytest.raises(Unauthenticated):
            parse(forged).verify(KEY, now=1001)


def test_a_pass_from_a_far_future_is_refused() -> None:
    with pytest.raises(Unauthenticated):
        parse(issue("7", KEY, now=10_000)).verify(KEY, now=1000)


@pytest.mark.parametrize(
    "text", ["", "pass_", "pass_7", "pass_x_1_" + "0" * 32, "pass_7_1_" + "0" * 31, "pass_7_1_" + "0" * 32 + "\n"]
)
def test_what_has_not_the_form_is_refused(text: str) -> None:
    with pytest.raises(Unauthenticated):
        parse(text)


def test_no_pass_for_longer_than_ten_minutes() -> None:
    with pytest.raises(ValueError):
        issue("7", KEY, now=0, seconds=601)
