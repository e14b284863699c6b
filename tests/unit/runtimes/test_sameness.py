"""How far two answers are apart."""

from typing import Any

import numpy as np
import pytest

from modelyard.runtimes.sameness import _apart

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("first", "second", "differing", "largest"),
    [
        ([1.0, NAN, -INF], [1.0, NAN, -INF], 0, 0.0),
        ([1.0, 2.0], [1.0, 2.5], 1, 0.5),
        ([1.0, 2.0], [1.0, NAN], 1, None),
        ([[0.25, 0.75], [0.5, 0.5]], [[0.75, 0.25], [0.5, 0.5]], 1, 0.5),
        ([1, 2**62], [1, 2**62 + 1], 1, 0.0),
        (["a", "b"], ["a", "c"], 1, None),
        (["a", None], ["a", None], 0, None),
        ([1.0, 2.0], [1.0], 2, None),
    ],
)
def test_values_are_equal_or_apart(first: Any, second: Any, differing: int, largest: float | None) -> None:
    arrays = [
        np.array(values, dtype=object if isinstance(np.ravel(values)[0], str) else None) for values in (first, second)
    ]
    assert _apart(*arrays) == {"differing": differing, "largest": largest}
