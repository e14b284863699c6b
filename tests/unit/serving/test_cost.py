"""What a batch costs: cheap runs are believed at once, disturbed ones slowly."""

from modelyard.serving.cost import Cost


def test_nothing_measured_is_beyond_every_bound() -> None:
    assert Cost().expected(1) == float("inf")


def test_unmeasured_sizes_lie_between_measured_ones() -> None:
    cost = Cost()
    cost.measured(1, 10e-6)
    assert cost.expected(1000) > 1e-3
    cost.measured(32, 40e-6)
    assert cost.expected(8) == 40e-6
    assert cost.expected(2) == 20e-6


def test_a_pause_is_forgotten_and_a_change_is_not() -> None:
    cost = Cost()
    for _ in range(20):
        cost.measured(1, 10e-6)
    cost.measured(1, 1.0)
    assert cost.expected(1) < 15e-6
    for _ in range(400):
        cost.measured(1, 1e-3)
    assert cost.expected(1) > 900e-6
    for _ in range(10):
        cost.measured(1, 10e-6)
    assert cost.expected(1) < 20e-6
