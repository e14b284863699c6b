"""Routing: weights hold, entities stay, and what is not there is said."""

import pytest

from modelyard.core.errors import Conflict, NotFound
from modelyard.core.plan import Arm, Plan
from modelyard.core.reference import parse_reference
from modelyard.core.signature import Column, DataType, Output, Signature
from modelyard.exchange.snapshot import ModelDocument, ServedVersion
from modelyard.serving.router import choose, point, representative
from modelyard.serving.served import ServedModel

SIGNATURE = Signature((Column("a", DataType.FLOAT64),), (Output("b", DataType.FLOAT64),))


def served(plan: Plan, numbers: tuple[int, ...] = (1, 2), **aliases: int) -> ServedModel:
    versions = {number: ServedVersion(10 + number, "0" * 64, 1, "onnx", False, SIGNATURE) for number in numbers}
    return ServedModel("1", "d", ModelDocument("m", plan, versions, aliases), None)


TWO = Plan(arms=(Arm(1, 0.8), Arm(2, 0.2)), salt="s")


def test_shares_are_those_of_the_weights() -> None:
    model = served(TWO)
    chosen = [choose(model, f"user-{number}") for number in range(5000)]
    share = sum(view.number == 2 for view, _ in chosen) / 5000
    assert 0.17 < share < 0.23
    assert {(view.number, weight) for view, weight in chosen} == {(1, 0.8), (2, 0.2)}


def test_an_entity_stays_until_the_salt_changes() -> None:
    other = Plan(arms=TWO.arms, salt="t")
    assert point(TWO, "x") == point(TWO, "x")
    assert point(TWO, 7) == point(TWO, 7)
    moved = sum(point(TWO, number) != point(other, number) for number in range(100))
    assert moved == 100


def test_without_an_entity_chance_decides() -> None:
    assert len({point(TWO, None) for _ in range(50)}) == 50


def test_references() -> None:
    model = served(TWO, candidate=2)
    expected = {"m": 1, "m:2": 2, "m@candidate": 2, "m@champion": 1}
    for text, number in expected.items():
        assert representative(model, parse_reference(text)).number == number
    for text, said in {
        "m:3": "has no version 3 that may answer",
        "m@candidat": r"`m` has no alias `candidat`; did you mean `candidate`\?",
        "m@other": "`m` has no alias `other`; expected one of champion, candidate",
    }.items():
        with pytest.raises(NotFound, match=said):
            representative(model, parse_reference(text))


def test_a_plan_without_arms_serves_nothing_but_what_is_named() -> None:
    model = served(Plan())
    with pytest.raises(Conflict, match="promote one of its versions"):
        representative(model, parse_reference("m"))
    assert representative(model, parse_reference("m:1")).number == 1


def test_a_model_without_versions_says_so() -> None:
    model = served(Plan(), ())
    with pytest.raises(Conflict, match="`m` has no version that may answer"):
        representative(model, parse_reference("m"))
    with pytest.raises(
        NotFound, match=r"`m` has no version 1 that may answer: `modelyard versions m` tells whether it was refused"
    ):
        representative(model, parse_reference("m:1"))


def test_an_arm_that_is_not_among_the_versions_is_noticed() -> None:
    model = served(TWO, numbers=(1,))
    with pytest.raises(NotFound):
        model.planned()
    second = next(number for number in range(100) if point(TWO, number) > 0.8)
    with pytest.raises(NotFound):
        choose(model, second)


def test_an_unchanged_version_keeps_its_view_in_the_next_document() -> None:
    before = served(TWO)
    after = ServedModel("1", "e", ModelDocument("m", Plan(), before.document.versions), before)
    assert after.views[1] is before.views[1]
