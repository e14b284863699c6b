import random
from dataclasses import dataclass

from modelyard.serving.residency import VersionKey, on_demand_bytes, to_unload

SEED = 20_261_121


@dataclass
class Loaded:
    held_bytes: int
    last_used: float
    is_leased: bool = False


def key(number: int) -> VersionKey:
    return ("1", number, "d" * 64)


def test_the_least_recently_used_go_until_the_rest_fits() -> None:
    held = {key(number): Loaded(10, float(number)) for number in range(5)}
    assert to_unload(held, set(), 50, key(4)) == []
    assert to_unload(held, set(), 49, key(4)) == [key(0)]
    assert to_unload(held, set(), 25, key(4)) == [key(0), key(1), key(2)]


def test_what_is_pinned_leased_or_asked_for_stays() -> None:
    held = {key(0): Loaded(10, 0.0), key(1): Loaded(10, 1.0, is_leased=True), key(2): Loaded(10, 2.0)}
    assert to_unload(held, {key(0)}, 0, key(2)) == []
    assert to_unload(held, {key(0)}, 0, key(9)) == [key(2)]
    assert on_demand_bytes(held, {key(0)}) == 20


def test_what_holds_nothing_makes_no_room() -> None:
    held = {key(0): Loaded(0, 0.0), key(1): Loaded(10, 1.0), key(2): Loaded(10, 2.0)}
    assert to_unload(held, set(), 10, key(2)) == [key(1)]


def test_whatever_is_held_only_what_may_go_goes_and_never_more_than_needed() -> None:
    chance = random.Random(SEED)
    for _ in range(300):
        held = {
            key(number): Loaded(chance.randrange(100), chance.random(), chance.random() < 0.3)
            for number in range(chance.randrange(12))
        }
        pinned = {one for one in held if chance.random() < 0.3}
        spare, bound = key(0), chance.randrange(400)
        gone = to_unload(held, pinned, bound, spare)
        may_go = {one for one in held if one not in pinned and one != spare and not held[one].is_leased}
        assert set(gone) <= may_go, SEED
        rest = {one: held[one] for one in held if one not in gone}
        if on_demand_bytes(rest, pinned) > bound:
            assert set(gone) == {one for one in may_go if held[one].held_bytes}, SEED
        if gone:
            newest = max(gone, key=lambda one: held[one].last_used)
            assert on_demand_bytes({**rest, newest: held[newest]}, pinned) > bound, SEED
