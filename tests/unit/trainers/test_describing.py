"""What a column holds: counts, moments, quantiles, categories."""

import math

import msgspec
import numpy as np
import pandas as pd

from modelyard.trainers.describing import summarised


def test_numbers_have_moments_quantiles_and_a_histogram() -> None:
    found = summarised("n", pd.Series([1.0, 2.0, 3.0, 4.0, math.nan]))
    assert (found.type, found.count, found.missing, found.infinite) == ("float64", 4, 1, 0)
    assert (found.mean, found.min, found.max) == (2.5, 1.0, 4.0)
    assert found.std == np.std([1, 2, 3, 4], ddof=1)
    assert found.quantiles is not None
    assert found.quantiles["0.5"] == 2.5
    assert found.histogram is not None
    assert (len(found.histogram.edges), sum(found.histogram.counts)) == (21, 4)


def test_whole_numbers_stay_whole() -> None:
    found = summarised("n", pd.Series([2**53 + 1, 1]))
    assert (found.type, found.min, found.max) == ("int64", 1, 2**53 + 1)


def test_texts_have_the_most_frequent_first() -> None:
    found = summarised("t", pd.Series(["b", "a", "b", None, "a", "c\0"], dtype=object))
    assert (found.type, found.count, found.missing, found.distinct) == ("string", 5, 1, 3)
    assert found.top is not None
    assert [(one.value, one.count) for one in found.top] == [("a", 2), ("b", 2), ("c\ufffd", 1)]


def test_truth_values_may_be_missing() -> None:
    for values in (pd.Series([True, None, True], dtype=object), np.array([True, True])):
        found = summarised("f", values)
        assert found.type == "bool"
        assert found.top is not None
        assert [(one.value, one.count) for one in found.top] == [(True, 2)]


def test_what_cannot_be_told_is_left_out_and_all_is_json() -> None:
    for values in ([math.nan], [math.inf, -math.inf], [1e308, -1e308], [5.0]):
        found = summarised("n", pd.Series(values))
        assert "NaN" not in msgspec.json.encode(found).decode()
        assert "null" not in msgspec.json.encode(found.min).decode() or not np.isfinite(values).any()
    assert summarised("n", pd.Series([math.inf, 1.0])).infinite == 1
    assert summarised("n", pd.Series([5.0])).std is None
