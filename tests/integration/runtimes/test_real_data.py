"""The promise: what is served equals the fitted estimator's own outputs, on every row of real data.

Classes are equal, numbers and probabilities within 1e-5 relative.
"""

import pickle
from functools import lru_cache
from typing import Any

import numpy as np
import palmerpenguins
import pytest
from sklearn import datasets, ensemble, linear_model, neighbors, svm
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

LOADERS = {
    "iris": datasets.load_iris,
    "wine": datasets.load_wine,
    "breast cancer": datasets.load_breast_cancer,
    "digits": datasets.load_digits,
    "diabetes": datasets.load_diabetes,
}

CLASSIFIERS: dict[str, Any] = {
    "perceptron": lambda: linear_model.Perceptron(random_state=0),
    "logistic regression": lambda: linear_model.LogisticRegression(max_iter=500),
    "random forest": lambda: ensemble.RandomForestClassifier(25, random_state=0),
    "gradient boosting": lambda: ensemble.GradientBoostingClassifier(n_estimators=8, random_state=0),
    "histogram gradient boosting": lambda: ensemble.HistGradientBoostingClassifier(max_iter=4, random_state=0),
    "SVM": lambda: svm.SVC(),
    "k-NN": lambda: neighbors.KNeighborsClassifier(),
}
REGRESSORS: dict[str, Any] = {
    "linear regression": lambda: linear_model.LinearRegression(),
    "random forest": lambda: ensemble.RandomForestRegressor(100, random_state=0),
    "gradient boosting": lambda: ensemble.GradientBoostingRegressor(n_estimators=40, random_state=0),
    "histogram gradient boosting": lambda: ensemble.HistGradientBoostingRegressor(max_iter=30, random_state=0),
    "SVM": lambda: svm.SVR(),
    "k-NN": lambda: neighbors.KNeighborsRegressor(),
}
PAIRS = [
    (data, kind) for data in LOADERS if data != "iris" for kind in (REGRESSORS if data == "diabetes" else CLASSIFIERS)
]

IN_A_CHILD = {("diabetes", "SVM")}
"""What does not convert: ONNX Runtime has no support vector regression in double."""


@lru_cache(maxsize=8)
def load(name: str) -> tuple[np.ndarray, np.ndarray]:
    features, target = LOADERS[name](return_X_y=True)
    return features, target


def check(served: Any, estimator: Any, rows: Any) -> None:
    answer = served.answer(rows)
    expected = estimator.predict(rows)
    if expected.dtype.kind == "f":
        np.testing.assert_allclose(answer["prediction"], expected, rtol=1e-5, atol=0)
    else:
        assert answer["prediction"].tolist() == expected.tolist()
    if hasattr(estimator, "predict_proba"):
        np.testing.assert_allclose(answer["probabilities"], estimator.predict_proba(rows), rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_served_equals_fitted(kind: str, serve: Any) -> None:
    """Each kind of estimator goes through the sandbox."""
    check_served("iris", kind, serve)


@pytest.mark.usefixtures("no_children")
@pytest.mark.parametrize(("data", "kind"), PAIRS)
def test_served_equals_fitted_on_more_data(data: str, kind: str, serve: Any) -> None:
    check_served(data, kind, serve)


def check_served(data: str, kind: str, serve: Any) -> None:
    features, target = load(data)
    table = REGRESSORS if data == "diabetes" else CLASSIFIERS
    with threadpool_limits(1):  # OpenMP's threads spin, waiting for one another, where cores are shared
        estimator = make_pipeline(StandardScaler(), table[kind]()).fit(features, target)
    served = serve(("model.pkl", pickle.dumps(estimator, protocol=4)))
    check(served, estimator, features)
    report = served.examined.report
    assert served.examined.isolated == ((data, kind) in IN_A_CHILD), report["reason"]
    assert served.examined.runtime == ("sklearn" if served.examined.isolated else "onnx")
    assert report["rows"] > 100
    assert len(served.examined.sample) == 8


def penguins() -> tuple[Any, Any]:
    frame = palmerpenguins.load_penguins().drop(columns=["year"])
    return frame.drop(columns=["species"]), frame["species"]


@pytest.mark.parametrize("kind", ["logistic regression", "random forest"])
def test_penguins(kind: str, serve: Any) -> None:
    """Text columns, missing numbers and missing texts, all in one graph."""
    rows, target = penguins()
    texts = ["island", "sex"]
    numbers = [name for name in rows.columns if name not in texts]
    prepared = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), numbers),
            (
                "texts",
                make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")),
                texts,
            ),
        ]
    )
    estimator = make_pipeline(prepared, CLASSIFIERS[kind]()).fit(rows, target)
    served = serve(("penguins.pkl", pickle.dumps(estimator)))
    check(served, estimator, rows)
    columns = {column.name: column for column in served.examined.signature.columns}
    assert columns["island"].categories == ("Biscoe", "Dream", "Torgersen")
    assert columns["bill_length_mm"].optional
    assert columns["sex"].optional
    assert not served.examined.isolated
    outputs = served.examined.signature.outputs
    assert outputs[0].classes == ("Adelie", "Chinstrap", "Gentoo")


def as_texts(rows: Any) -> Any:
    return rows


def as_objects(rows: Any) -> Any:
    return rows.astype({"island": object, "sex": object})


def as_none(rows: Any) -> Any:
    objects = as_objects(rows)
    return objects.where(objects.notna(), None)


IMPUTED = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder())
NONE_IMPUTED = make_pipeline(SimpleImputer(strategy="constant", fill_value="?", missing_values=None), OneHotEncoder())


@pytest.mark.parametrize(
    ("hold", "encoder", "sent"),
    [
        (as_texts, IMPUTED, "nothing"),
        (as_objects, IMPUTED, "CSV"),
        (as_none, NONE_IMPUTED, "CSV"),
        (as_texts, OneHotEncoder(), "CSV"),
    ],
)
def test_missing_texts_are_what_they_were_in_the_training(hold: Any, encoder: Any, sent: str, serve: Any) -> None:
    """The encoder knows its categories, and refuses all others: scikit-learn tells None from NaN."""
    rows, target = penguins()
    rows = hold(rows)
    texts = ["island", "sex"]
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    prepared = ColumnTransformer([("texts", encoder, texts)], remainder=numbers)
    estimator = make_pipeline(prepared, CLASSIFIERS["logistic regression"]()).fit(rows, target)
    sample = ("sample.csv", rows.to_csv(index=False).encode()) if sent == "CSV" else None
    served = serve(("penguins.pkl", pickle.dumps(estimator)), sample=sample)
    check(served, estimator, rows)
    lacking = rows[rows["sex"].isna()]
    check(served, estimator, lacking)
    check(served, estimator, lacking[:1])
    assert served.examined.measured["calls"]


def test_texts_without_missing_values(serve: Any) -> None:
    rows, target = penguins()
    whole = rows.notna().all(axis=1)
    rows, target = rows[whole], target[whole]
    texts = ["island", "sex"]
    prepared = ColumnTransformer([("texts", OneHotEncoder(handle_unknown="ignore"), texts)], remainder=StandardScaler())
    estimator = make_pipeline(prepared, CLASSIFIERS["logistic regression"]()).fit(rows, target)
    sample = rows.to_csv(index=False).encode()
    served = serve(("penguins.pkl", pickle.dumps(estimator)), sample=("sample.csv", sample))
    check(served, estimator, rows)
    assert not any(column.optional for column in served.examined.signature.columns)
