"""What may be asked of the trainer of tables."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from modelyard.trainers.tabular import listed
from modelyard.trainers.tabular.estimators import Task

Name = Annotated[str, Meta(min_length=1, max_length=200)]
Estimating = dict[Name, Any]


class Range(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Numbers that a random search draws from; whole ones for a whole parameter."""

    low: float
    high: float
    log: Annotated[bool, Meta(description="draw evenly from the logarithms: `low` must be above 0")] = False


class Search(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A search over parameters of the estimator, measured by k-fold on the rows that are not held out."""

    method: Annotated[
        Literal["grid", "random"],
        Meta(description="`grid`: every combination; `random`: `count` draws, from lists and ranges"),
    ] = "grid"
    space: Annotated[
        dict[Name, Annotated[list[Any], Meta(min_length=1, max_length=100)] | Range],
        Meta(min_length=1, max_length=10, description="parameter to a list of values, or to a range"),
    ]
    count: Annotated[int, Meta(ge=1, le=1_000, description="draws of a random search; of a grid the most")] = 50
    folds: Annotated[int, Meta(ge=2, le=20, description="parts that each candidate is measured on")] = 5
    metric: Annotated[
        str | None, Meta(description="what is compared; without one `balanced_accuracy`, or `rmse` in a regression")
    ] = None


class TabularParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """See `docs/training.md`."""

    target: Annotated[
        str,
        Meta(min_length=1, max_length=200, description="the column to predict", extra_json_schema={"format": "column"}),
    ]
    task: Annotated[
        Task | None,
        Meta(description="without one it is told by the target: texts, truth values and few whole numbers are classes"),
    ] = None
    estimator: Annotated[
        Name | None,
        Meta(description="one that is listed; without one a random forest", extra_json_schema={"format": "estimator"}),
    ] = None
    parameters: Annotated[
        Estimating,
        Meta(
            description="of the estimator; what is not given is its default",
            extra_json_schema={"format": "estimator-parameters"},
        ),
    ] = {}
    features: Annotated[
        Annotated[list[Name], Meta(min_length=1, max_length=2_000)] | None,
        Meta(description="columns to learn from; without it all", extra_json_schema={"format": "columns"}),
    ] = None
    exclude: Annotated[
        list[Name],
        Meta(
            max_length=2_000, description="columns not to learn from", extra_json_schema={"format": "columns-left-out"}
        ),
    ] = []
    impute_numbers: Annotated[
        Literal["median", "mean", "most_frequent", "constant", "none"],
        Meta(description="what stands in for missing numbers, in columns that lack some"),
    ] = "median"
    fill_number: Annotated[float, Meta(description="the constant for missing numbers")] = 0.0
    scale: Annotated[Literal["standard", "minmax", "robust", "none"], Meta(description="how numbers are scaled")] = (
        "standard"
    )
    impute_texts: Annotated[
        Literal["constant", "most_frequent"], Meta(description="what stands in for missing texts")
    ] = "constant"
    fill_text: Annotated[str, Meta(min_length=1, max_length=100, description="the constant for missing texts")] = (
        "missing"
    )
    min_frequency: Annotated[
        int, Meta(ge=1, le=1_000_000, description="texts rarer than that many rows become one category")
    ] = 1
    max_categories: Annotated[
        int, Meta(ge=2, le=1_000, description="of a column of texts; the rest become one category")
    ] = 50
    holdout: Annotated[
        float, Meta(ge=0.01, le=0.9, description="share of the rows that the metrics are measured on")
    ] = 0.2
    folds: Annotated[
        Annotated[int, Meta(ge=2, le=20)] | None, Meta(description="measure by k-fold too, in so many parts")
    ] = None
    refit: Annotated[
        Literal["all", "training"],
        Meta(description="rows of the last fit: `all`, or only those that are not held out"),
    ] = "all"
    search: Annotated[
        Search | None,
        Meta(description="a search over the estimator's parameters", extra_json_schema={"format": "search"}),
    ] = None
    max_rows: Annotated[
        int, Meta(ge=10, le=100_000_000, description="of a larger dataset as many rows are drawn, by the seed")
    ] = 1_000_000
    seed: Annotated[int, Meta(ge=0, le=2**32 - 1, description="of all random numbers")] = 0

    @classmethod
    def hint_of(cls, name: str, given: Mapping[str, Any]) -> str | None:
        """Return where an unknown name belongs that is a parameter of the estimator itself; None where it is none."""
        chosen = given.get("estimator")
        names = [chosen] if chosen is not None else listed.DEFAULT.values()
        for estimator in (listed.TABLE[one] for one in names if isinstance(one, str) and one in listed.TABLE):
            if any(one.name == name for one in estimator.parameters):
                return (
                    f"it is a parameter of the estimator, `{estimator.name}`, itself, which goes one level deeper; did "
                    f'you mean `{{"parameters": {{"{name}": ...}}}}`, by command `--set parameters.{name}=...`?'
                )
        return None
