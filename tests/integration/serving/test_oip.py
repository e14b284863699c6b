"""Open Inference Protocol v2 over HTTP: shapes of requests and answers as its specification has them."""

from typing import Any

import httpx2
import numpy as np
import pytest

from tests.integration.serving.yard import IRIS, Trained


def infer(client: httpx2.Client, body: Any, path: str = "/v2/models/iris/infer") -> httpx2.Response:
    return client.post(path, json=body)


def matrix(rows: list[list[float]], **more: Any) -> dict[str, Any]:
    return {"name": "input-0", "shape": [len(rows), len(rows[0])], "datatype": "FP64", "data": rows, **more}


def columns(rows: np.ndarray, datatype: str = "FP64") -> list[dict[str, Any]]:
    return [
        {"name": name, "shape": [len(rows)], "datatype": datatype, "data": rows[:, place].tolist()}
        for place, name in enumerate(IRIS)
    ]


def test_health_and_metadata(client: httpx2.Client) -> None:
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}
    server = client.get("/v2").json()
    assert server["name"] == "modelyard"
    assert server["extensions"] == []
    model = client.get("/v2/models/iris").json()
    assert (model["name"], model["versions"]) == ("iris", ["1"])
    assert model["inputs"][0] == {"name": IRIS[0], "datatype": "FP64", "shape": [-1]}
    assert [output["datatype"] for output in model["outputs"]] == ["INT64", "FP64"]
    assert model["outputs"][1]["shape"] == [-1, 3]
    for path in ("/v2/models/iris/ready", "/v2/models/iris/versions/1/ready", "/v2/models/iris:1/ready"):
        assert client.get(path).json()["ready"] is True


def test_every_way_to_send_the_rows_answers_alike(client: httpx2.Client, iris: Trained) -> None:
    rows = iris.rows[:7]
    flat = {**matrix(rows.tolist()), "data": rows.ravel().tolist()}
    tall = [{**one, "shape": [7, 1]} for one in columns(rows)]
    bodies: list[dict[str, Any]] = [
        {"inputs": [matrix(rows.tolist())]},
        {"inputs": [flat]},
        {"inputs": [{**flat, "datatype": "FP32"}]},
        {"inputs": columns(rows)},
        {"inputs": list(reversed(tall))},
    ]
    for body in bodies:
        answer = infer(client, body).json()
        assert (answer["model_name"], answer["model_version"]) == ("iris", "1")
        outputs = {output["name"]: output for output in answer["outputs"]}
        label, share = outputs["label"], outputs["probabilities"]
        assert (label["datatype"], label["shape"]) == ("INT64", [7])
        assert label["data"] == iris.estimator.predict(rows).tolist()
        assert (share["datatype"], share["shape"]) == ("FP64", [7, 3])
        expected = iris.estimator.predict_proba(rows).ravel()
        np.testing.assert_allclose(share["data"], expected, rtol=1e-5, atol=1e-6)


def test_the_id_is_echoed_and_only_wanted_outputs_come(client: httpx2.Client, iris: Trained) -> None:
    body = {"id": "a-1", "inputs": [matrix(iris.rows[:1].tolist())], "outputs": [{"name": "label"}]}
    answer = infer(client, body, "/v2/models/iris/versions/1/infer").json()
    assert answer["id"] == "a-1"
    assert [output["name"] for output in answer["outputs"]] == ["label"]
    assert len(answer["parameters"]["prediction_id"]) == 40
    assert "id" not in infer(client, {"inputs": body["inputs"]}).json()


GOOD = [[1.0, 2.0, 3.0, 4.0]]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({}, 400, "inputs"),
        ({"inputs": []}, 400, "`inputs` is empty"),
        ({"inputs": [matrix(GOOD, datatype="FP65")]}, 400, "did you mean `FP64`?"),
        ({"inputs": [matrix(GOOD, datatype="BYTES", data=["a", "b", "c", "d"])]}, 400, "expected numbers"),
        ({"inputs": [matrix(GOOD, shape=[2, 4])]}, 400, "not of shape [2, 4]"),
        ({"inputs": [matrix(GOOD, shape=[2, 4], data=[1, 2, 3, 4])]}, 400, "4 elements, expected 8"),
        ({"inputs": [matrix(GOOD, datatype="UINT64", data=[1, 2, 2**65, 4])]}, 400, "expected UINT64"),
        ({"inputs": [matrix(GOOD, datatype="UINT64", data=[1, None, 2**65, 4])]}, 400, "expected uint64"),
        ({"inputs": [matrix(GOOD, datatype="UINT64", data=[1, 2, 10**400, 4])]}, 400, "expected UINT64"),
        ({"inputs": [matrix(GOOD, datatype="UINT64", data=[1, None, 10**400, 4])]}, 400, "expected UINT64"),
        ({"inputs": [matrix(GOOD, shape=[1, 3])]}, 400, "input `input-0` has 3 columns, expected 4 in one matrix"),
        ({"inputs": [matrix(GOOD, shape=[4, 1])]}, 400, "input `input-0` has 1 column, expected 4 in one matrix"),
        ({"inputs": [matrix(GOOD, shape=[4])]}, 400, "unknown input `input-0`"),
        (
            {"inputs": [{**columns(np.ones((1, 4)))[0], "name": "sepal length(cm)", "shape": [1, 1]}]},
            400,
            "unknown input `sepal length(cm)`; did you mean `sepal length (cm)`?",
        ),
        ([], 400, 'got a list, expected an object; expected {"inputs": [{"name": "...", "shape": [...], "datatype"'),
        ({"rows": []}, 400, '`inputs` is missing; expected {"inputs": [{"name'),
        ({"inputs": [matrix(GOOD, shape=[0, 4], data=[])]}, 400, "no rows"),
        ({"inputs": [matrix(GOOD, shape=[-1, 4])]}, 400, "negative"),
        ({"inputs": [matrix(GOOD, shape=[])]}, 400, "rows first"),
        ({"inputs": [matrix(GOOD, shape=[10**12, 4])]}, 413, "the most in a request"),
        ({"inputs": [{**columns(np.ones((1, 4)))[0], "shape": [1, 10**4000, 10**4000]}]}, 400, "too large"),
        ({"inputs": [matrix(GOOD, data=[[1, 2], [3, 4]])]}, 400, "not of shape"),
        ({"inputs": [matrix(GOOD, data=[1, 2, "3", 4])]}, 400, 'element 2: got "3" (string), expected FP64'),
        ({"inputs": [matrix(GOOD, data=[1, 2, None, 4])]}, 400, "got null"),
        ({"inputs": [matrix(GOOD, datatype="INT64", data=[1, 2, 2**64, 4])]}, 400, "expected INT64"),
        ({"inputs": [matrix(GOOD, data=None)]}, 400, ""),
        ({"inputs": columns(np.ones((2, 4)))[:3]}, 400, "`petal width (cm)` is missing"),
        ({"inputs": columns(np.ones((2, 4)))[2:]}, 400, "`sepal length (cm)` (float64), `sepal width (cm)` (float64)"),
        ({"inputs": columns(np.ones((2, 4))) * 2}, 400, "given twice"),
        ({"inputs": [matrix(GOOD)], "outputs": [{"name": "label"}] * 2}, 400, "asked for twice"),
        ({"inputs": [matrix(GOOD)], "outputs": [{"name": "lable"}]}, 400, "did you mean `label`?"),
        ({"inputs": [matrix(GOOD, parameters={"binary_data_size": 32})]}, 415, "binary"),
        (
            {"inputs": [matrix(GOOD)], "outputs": [{"name": "label", "parameters": {"binary_data": True}}]},
            415,
            "binary",
        ),
    ],
)
def test_each_refusal_has_the_protocols_form(client: httpx2.Client, body: Any, status: int, words: str) -> None:
    response = infer(client, body)
    assert response.status_code == status
    assert set(response.json()) == {"error"}
    assert words in response.json()["error"]
    assert response.headers["modelyard-error-code"] in ("invalid_input", "too_large", "unsupported_format")


def test_a_body_that_is_no_json_is_told_the_protocols_own_form(client: httpx2.Client) -> None:
    for body, said in ((b"", "the body is empty"), (b"hello", "the body is no JSON: invalid character (byte 0)")):
        response = client.post("/v2/models/iris/infer", content=body, headers={"content-type": "application/json"})
        assert response.status_code == 400
        assert said in response.json()["error"]
        assert 'expected {"inputs": [{"name": "...", "shape": [...]' in response.json()["error"]


def test_what_does_not_exist(client: httpx2.Client) -> None:
    for path in (
        "/v2/models/ghost",
        "/v2/models/iris/versions/9",
        "/v2/models/iris:1/versions/1",
        "/v2/x",
        "/v2/models",
    ):
        response = client.get(path)
        assert (response.status_code, response.headers["modelyard-error-code"]) == (404, "not_found"), path
    assert client.get("/v2/models/iris/infer").status_code == 405
