"""What the first child says of an estimator that answers nothing."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator

from modelyard.core.errors import ModelRefused
from modelyard.runtimes.opening import describe_io

SENTENCES = [f"Sentence number {number} is about what is wrong, and as long as such are." for number in range(9)]


class Wordy(BaseEstimator):  # type: ignore[misc]
    n_features_in_ = 2

    def predict(self, rows: np.ndarray) -> np.ndarray:
        raise ValueError("\n".join(SENTENCES))


def test_a_long_reason_is_told_in_whole_sentences() -> None:
    with pytest.raises(ModelRefused) as refused:
        describe_io(Wordy(), None, None)
    told = " ".join(SENTENCES[:4])
    assert refused.value.message.endswith(f"(ValueError: {told}); send a sample of its input along")
