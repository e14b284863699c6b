"""What the parent takes of what a child sends."""

import numpy as np
import pytest

from modelyard.core.errors import Unavailable
from modelyard.scoring.scorer import Scorer

SAID = {"rows": 1, "n_failed": 0, "failed": []}


def test_a_tail_is_bytes_and_nothing_else() -> None:
    """An array of objects has places in our memory for bytes, which would go into a file that a stranger reads."""
    assert Scorer._checked(SAID, {"tail": np.frombuffer(b"PAR1", np.uint8)}).tail == b"PAR1"
    for other in ({}, {"tail": np.array(["PAR1"], dtype=object)}, {"tail": np.zeros(4, np.float64)}):
        with pytest.raises(Unavailable, match="done again"):
            Scorer._checked(SAID, other)
