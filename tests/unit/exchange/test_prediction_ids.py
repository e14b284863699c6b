"""Prediction ids: sortable by time, bound to their tenant, unforgeable."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.core.errors import InvalidInput
from modelyard.exchange.prediction_ids import Maker, parse

KEY, OTHER = b"\x01" * 32, b"\x02" * 32
NUMBERS = st.integers(0, 2**32 - 1)


@given(at=st.floats(0, 17_000_000_000), tenant=NUMBERS, version=NUMBERS, row=st.integers(0, 999_999))
def test_what_is_made_is_read_again(at: float, tenant: int, version: int, row: int) -> None:
    request = Maker().make(at, tenant, version, KEY)
    assert len(request) == 40
    read = parse(f"{request}.{row}")
    assert (read.tenant, read.version, read.row, read.request) == (tenant, version, row, request)
    assert read.at == int(at * 1000) / 1000
    read.verify(KEY)
    with pytest.raises(InvalidInput):
        read.verify(OTHER)


@given(st.lists(st.integers(0, 4_000_000_000_000), min_size=2, max_size=50, unique=True))
def test_ids_sort_like_their_times(milliseconds: list[int]) -> None:
    maker = Maker()
    ids = {maker.make(one / 1000 + 0.0004, 1, 2, KEY): one for one in milliseconds}
    assert [ids[one] for one in sorted(ids)] == sorted(milliseconds)


def test_no_two_of_one_moment_are_alike() -> None:
    makers = [Maker() for _ in range(4)]
    ids = {maker.make(1000.0, 1, 2, KEY) for maker in makers for _ in range(2000)}
    assert len(ids) == 8000


def test_every_changed_character_is_noticed() -> None:
    request = Maker().make(1_700_000_000.0, 1, 2, KEY)
    for place, character in enumerate(request):
        changed = request[:place] + ("A" if character != "A" else "B") + request[place + 1 :]
        with pytest.raises(InvalidInput):
            parse(f"{changed}.0").verify(KEY)


@pytest.mark.parametrize("tail", ["", ".", ".-1", ".x", ".01", ".1.2", ". 1", ".٣", "." + "1" * 10])
def test_a_row_must_be_a_plain_number(tail: str) -> None:
    with pytest.raises(InvalidInput):
        parse(Maker().make(0, 1, 2, KEY) + tail)


@given(st.text(max_size=60))
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse(text)
