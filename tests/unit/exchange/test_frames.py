"""Frames: what is cut or rotten ends the file there, and never passes for a record."""

from hypothesis import given
from hypothesis import strategies as st

from modelyard.exchange.frames import HEAD, pack, unpack

PAYLOADS = st.lists(st.binary(max_size=200), max_size=8)


@given(PAYLOADS)
def test_what_is_packed_is_unpacked(payloads: list[bytes]) -> None:
    data = pack(payloads)
    assert unpack(data) == (payloads, len(data))


@given(PAYLOADS, st.integers(0, 2000))
def test_a_cut_file_gives_its_whole_frames(payloads: list[bytes], cut: int) -> None:
    data = pack(payloads)[:cut]
    found, good = unpack(data)
    assert found == payloads[: len(found)]
    assert good == sum(HEAD.size + len(payload) for payload in found) <= len(data)


@given(st.lists(st.binary(min_size=1, max_size=50), min_size=1, max_size=5), st.data())
def test_a_flipped_bit_ends_the_file(payloads: list[bytes], data: st.DataObject) -> None:
    whole = bytearray(pack(payloads))
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= 1 << data.draw(st.integers(0, 7))
    found, good = unpack(bytes(whole))
    assert good <= place
    assert found == payloads[: len(found)]
