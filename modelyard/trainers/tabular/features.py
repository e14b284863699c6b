"""Which columns are learnt from, and what kind each is."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from modelyard.core.errors import InvalidInput
from modelyard.core.signature import Column, DataType
from modelyard.trainers.describing import number, word_of
from modelyard.trainers.schema import FLAG, TEXT
from modelyard.trainers.trainer import Remark

_MOST_CATEGORIES, _MOST_CHARACTERS = 100, 1_000
_LEAST_ROWS_OF_AN_ID = 20


class Kind(StrEnum):
    """How a column is prepared."""

    NUMBER = "number"
    TEXT = "text"
    FLAG = "flag"


@dataclass(frozen=True, slots=True)
class Feature:
    """A column that is learnt from.

    Attributes:
        missing: some values are.
        distinct: of a text, how many there are.
    """

    name: str
    kind: Kind
    missing: bool
    distinct: int = 0


def choose(frame: Any, names: Sequence[str], times: Sequence[str]) -> tuple[list[Feature], list[Remark]]:
    """Return those of `names` that are of use, and what to say of the others and of `times`.

    Raises:
        InvalidInput: a column has infinite values, or none is left.
    """
    remarks = [Remark("time_column", "times are not learnt from: dropped", name) for name in times]
    features = []
    for name in names:
        values = frame[name]
        reason = _unusable(name, values)
        if reason:
            remarks.append(reason)
            continue
        word = word_of(values)
        kind = Kind.TEXT if word == TEXT else Kind.FLAG if word == FLAG else Kind.NUMBER
        missing = bool(values.isna().any())
        features.append(Feature(name, kind, missing, values.nunique() if kind is Kind.TEXT else 0))
        if kind is Kind.NUMBER:
            remarks += _about_numbers(name, values)
    if not features:
        said = "; ".join(f"`{remark.column}`: {remark.message}" for remark in remarks[:5])
        raise InvalidInput.at("dataset", f"no column is left to learn from ({said})")
    return features, remarks


def _unusable(name: str, values: Any) -> Remark | None:
    count = int(values.notna().sum())
    if count == 0:
        return Remark("all_missing", "all values are missing: dropped", name)
    distinct = int(values.nunique())
    if distinct == 1 and count == len(values):
        return Remark("constant", "all values are the same: dropped", name)
    if word_of(values) == TEXT and distinct == count and count >= _LEAST_ROWS_OF_AN_ID:
        return Remark("id_like", "each text is there once, as in an id: dropped", name)
    return None


def _about_numbers(name: str, values: Any) -> list[Remark]:
    array = values.to_numpy()
    infinite = int(np.isinf(array).sum())
    if infinite:
        message = f"column `{name}` has {infinite} infinite values; exclude it, or mend the data"
        raise InvalidInput.at("dataset", message)
    if len(array) < _LEAST_ROWS_OF_AN_ID or array.dtype.kind != "i":
        return []
    if len(np.unique(array)) == len(array) and int(array.max()) - int(array.min()) == len(array) - 1:
        return [Remark("id_like", "each whole number is there once, without a gap: is it an id? exclude it then", name)]
    return []


def signature(frame: Any, features: Sequence[Feature]) -> tuple[Column, ...]:
    """Return the columns that a model fitted on `frame` takes."""
    return tuple(_column(feature, frame[feature.name]) for feature in features)


def _column(feature: Feature, values: Any) -> Column:
    if feature.kind is Kind.NUMBER:
        there = values.dropna()
        word = word_of(values)
        low, high = number(there.min(), word), number(there.max(), word)
        return Column(feature.name, DataType(word), optional=feature.missing, minimum=low, maximum=high)
    if feature.kind is Kind.FLAG:
        return Column(feature.name, DataType.BOOL, optional=feature.missing)
    few = feature.distinct <= _MOST_CATEGORIES
    found = tuple(sorted(values.dropna().unique())) if few else ()
    fit = all(len(text) <= _MOST_CHARACTERS and "\0" not in text for text in found)
    categories = found if few and fit else None
    return Column(feature.name, DataType.STRING, optional=feature.missing, categories=categories)
