"""Plans add up, name each version once, and choose arms in proportion to their weights."""

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.core.errors import InvalidInput
from modelyard.core.plan import MAX_ARMS, Arm, Plan


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    shares = draw(st.lists(st.integers(1, 1000), min_size=1, max_size=MAX_ARMS))
    arms = tuple(Arm(number, share / sum(shares)) for number, share in enumerate(shares, start=1))
    return Plan(arms)


points = st.floats(0, 1, exclude_max=True)


def test_no_arms_means_not_served() -> None:
    plan = Plan()
    assert plan.champion is None
    assert plan.versions == ()
    with pytest.raises(InvalidInput, match="is not served"):
        plan.choose(0.5)


def test_one_arm_always_answers() -> None:
    plan = Plan((Arm(7, 1.0),))
    assert plan.champion == 7
    assert {plan.choose(point).version for point in (0.0, 0.5, math.nextafter(1, 0))} == {7}


@pytest.mark.parametrize(("point", "version"), [(0.0, 1), (0.0999, 1), (0.1, 2), (0.5999, 2), (0.6, 3), (0.9999, 3)])
def test_each_arm_has_its_stretch(point: float, version: int) -> None:
    assert Plan((Arm(1, 0.1), Arm(2, 0.5), Arm(3, 0.4))).choose(point).version == version


@given(plans(), points)
def test_every_point_has_an_arm(plan: Plan, point: float) -> None:
    assert plan.choose(point) in plan.arms


@given(plans())
def test_an_arm_answers_as_often_as_it_weighs(plan: Plan) -> None:
    steps = 2000
    counts = dict.fromkeys(plan.versions, 0)
    for step in range(steps):
        counts[plan.choose(step / steps).version] += 1
    for arm in plan.arms:
        assert abs(counts[arm.version] / steps - arm.weight) <= 2 / steps


@given(plans())
def test_the_champion_weighs_most(plan: Plan) -> None:
    heaviest = max(arm.weight for arm in plan.arms)
    assert plan.champion == next(arm.version for arm in plan.arms if arm.weight == heaviest)


def test_versions_are_arms_and_shadows() -> None:
    plan = Plan((Arm(3, 0.5), Arm(1, 0.5)), shadows=(9,))
    assert plan.versions == (3, 1, 9)
    assert plan.champion == 3


@pytest.mark.parametrize(
    ("arms", "shadows"),
    [
        ((Arm(1, 0.5), Arm(1, 0.5)), ()),
        ((Arm(1, 1.0),), (1,)),
        ((Arm(1, 1.0),), (2, 2)),
    ],
)
def test_a_version_is_named_once(arms: tuple[Arm, ...], shadows: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInput, match="named twice"):
        Plan(arms, shadows)


@pytest.mark.parametrize("weight", [0.0, -0.1, 1.1, math.nan, math.inf])
def test_a_weight_is_a_share(weight: float) -> None:
    with pytest.raises(InvalidInput, match="the weight of an arm"):
        Plan((Arm(1, weight),))


@pytest.mark.parametrize("weights", [(0.5,), (0.5, 0.4), (0.7, 0.7), (0.5, 0.5 + 1e-6)])
def test_weights_sum_to_one(weights: tuple[float, ...]) -> None:
    with pytest.raises(InvalidInput, match="a sum of 1"):
        Plan(tuple(Arm(number, weight) for number, weight in enumerate(weights)))


def test_rounding_is_forgiven() -> None:
    assert len(Plan(tuple(Arm(number, 0.1) for number in range(10))).arms) == 10


def test_arms_and_shadows_are_bounded() -> None:
    arms = tuple(Arm(number, 1 / MAX_ARMS) for number in range(MAX_ARMS))
    assert Plan(arms).arms == arms
    with pytest.raises(InvalidInput, match=f"at most {MAX_ARMS}"):
        Plan(arms, shadows=(99,))


@given(plans())
def test_a_plan_survives_json(plan: Plan) -> None:
    assert msgspec.json.decode(msgspec.json.encode(plan), type=Plan) == plan
