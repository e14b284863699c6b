"""The pipeline: preparation by kind of column and the estimator, fitted together and kept together.

What a column has no need of is left out (imputing where nothing is missing, rare texts where there are few), since
plain steps are what converts to ONNX. `pd.NA` as the mark of what is missing stands for None and NaN too.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from modelyard.trainers.tabular.features import Feature, Kind
from modelyard.trainers.tabular.parameters import TabularParameters


def pipeline(estimator: Any, features: Sequence[Feature], parameters: TabularParameters) -> Any:
    """Return `Pipeline([("prepare", ColumnTransformer), ("estimator", ...)])`, unfitted; it takes a DataFrame."""
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline

    parts = []
    for kind in Kind:
        for missing in (False, True):
            chosen = [one for one in features if one.kind is kind and one.missing is missing]
            if kind is Kind.TEXT:
                parts += _texts(chosen, missing, parameters)
            elif chosen:
                steps = _numbers(missing, parameters) if kind is Kind.NUMBER else _flags(missing, len(chosen))
                parts.append((_label(kind, missing), _joined(steps), [one.name for one in chosen]))
    prepare = ColumnTransformer(parts, sparse_threshold=0.0)
    return Pipeline([("prepare", prepare), ("estimator", estimator)])


def _label(kind: Kind, missing: bool) -> str:
    return f"{kind}s_with_missing" if missing else f"{kind}s"


def _joined(steps: list[Any]) -> Any:
    from sklearn.pipeline import make_pipeline

    if not steps:
        return "passthrough"
    return steps[0] if len(steps) == 1 else make_pipeline(*steps)


def _numbers(missing: bool, parameters: TabularParameters) -> list[Any]:
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler

    steps = []
    if missing and parameters.impute_numbers != "none":
        constant = parameters.impute_numbers == "constant"
        fill = parameters.fill_number if constant else None
        steps.append(SimpleImputer(strategy=parameters.impute_numbers, fill_value=fill, keep_empty_features=True))
    scalers = {"standard": StandardScaler, "minmax": MinMaxScaler, "robust": RobustScaler}
    return steps if parameters.scale == "none" else [*steps, scalers[parameters.scale]()]


def _texts(chosen: Sequence[Feature], missing: bool, parameters: TabularParameters) -> list[Any]:
    """Return one part for columns with few categories, and one for those of which the rare become one."""
    label, found = _label(Kind.TEXT, missing), []
    for grouped in (False, True):
        names = [one.name for one in chosen if _grouped(one, parameters) is grouped]
        if names:
            name = f"{label}_grouped" if grouped else label
            found.append((name, _joined(_text_steps(missing, grouped, parameters)), names))
    return found


def _grouped(feature: Feature, parameters: TabularParameters) -> bool:
    return parameters.min_frequency > 1 or feature.distinct + feature.missing > parameters.max_categories


def _text_steps(missing: bool, grouped: bool, parameters: TabularParameters) -> list[Any]:
    import pandas as pd
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import OneHotEncoder

    steps = []
    if missing:
        fill = parameters.fill_text if parameters.impute_texts == "constant" else None
        steps.append(
            SimpleImputer(
                missing_values=pd.NA, strategy=parameters.impute_texts, fill_value=fill, keep_empty_features=True
            )
        )
    rare = {"min_frequency": parameters.min_frequency, "max_categories": parameters.max_categories} if grouped else {}
    return [*steps, OneHotEncoder(handle_unknown="ignore", sparse_output=False, dtype=np.float64, **rare)]


def _flags(missing: bool, count: int) -> list[Any]:
    """Return what makes truth values 0 and 1, both where but one of them was learnt from."""
    import pandas as pd
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import OneHotEncoder

    if not missing:
        return []
    impute = SimpleImputer(missing_values=pd.NA, strategy="most_frequent", keep_empty_features=True)
    both = [[False, True]] * count
    return [impute, OneHotEncoder(categories=both, drop="if_binary", sparse_output=False, dtype=np.float64)]
