"""A version that may not run in the server's process: served from its sandboxed child, equal to the estimator."""

import pickle
import time
from collections.abc import Callable
from typing import Any

import httpx2

from modelyard.core.signature import Column, DataType, Output, Role, Signature
from tests.integration.serving.yard import Server, Trained, Yard, wait_until


def test_text_columns_served_from_a_child(yard: Yard, serve: Callable[..., Server]) -> None:
    import pandas as pd
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    frame = pd.DataFrame(
        {
            "island": ["Biscoe", "Dream", "Torgersen", "Dream"] * 10,
            "bill": [39.1 + place % 7 if place % 5 else None for place in range(40)],
        }
    )
    species = ["Adelie", "Chinstrap"] * 20
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    columns = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["island"]), (numbers, ["bill"]))
    estimator = make_pipeline(columns, LogisticRegression()).fit(frame, species)
    classes = tuple(estimator.classes_.tolist())
    signature = Signature(
        (Column("island", DataType.STRING), Column("bill", DataType.FLOAT64, optional=True)),
        (
            Output("label", DataType.STRING, role=Role.PREDICTION, classes=classes),
            Output("probabilities", DataType.FLOAT64, (2,), role=Role.PROBABILITIES, classes=classes),
        ),
    )
    trained = Trained(estimator, frame.to_numpy(), pickle.dumps(estimator, 4), signature)
    rows: list[dict[str, Any]] = [
        {"island": island, "bill": None if bill != bill else bill} for island, bill in frame.itertuples(index=False)
    ]
    sample = rows[:3]
    yard.publish("penguins", {1: yard.version(trained, 21, runtime="sklearn", isolated=True, sample=sample)})
    server = serve()
    with server.client() as client:
        answer = client.post("/predict/penguins", json={"rows": rows}).json()
        assert answer["predictions"] == estimator.predict(frame).tolist()
        share = [row["Adelie"] for row in answer["probabilities"]]
        expected = estimator.predict_proba(frame)[:, 0]
        assert max(abs(one - other) for one, other in zip(share, expected, strict=True)) < 1e-9
        assert client.post("/predict/penguins", json={"rows": [{"island": 3, "bill": 1}]}).status_code == 400
        yard.publish_tenant("1", runs_code=False)
        wait_until(lambda: refused(client, sample))
    started = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - started < 20


def refused(client: httpx2.Client, rows: list[dict[str, Any]]) -> bool:
    return client.post("/predict/penguins", json={"rows": rows}).status_code == 503
