"""What goes into the form of a push."""

import json

import numpy as np
import pytest

from modelyard.client.pushing import form
from modelyard.core.errors import InvalidInput


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.int64, float])
def test_metrics_are_numbers_of_any_kind(kind: type) -> None:
    assert json.loads(form(metrics={"accuracy": kind(1)})["metrics"]) == {"accuracy": 1}


def test_what_is_not_given_is_left_out() -> None:
    assert form(metrics=None, description="", parent=3) == {"parent": "3"}


def test_what_json_has_no_word_for_is_refused() -> None:
    with pytest.raises(InvalidInput, match="infinity"):
        form(metrics={"loss": float("inf")})
