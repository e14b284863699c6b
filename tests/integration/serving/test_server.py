"""The data plane as its own process, over real HTTP: answers, refusals, limits, and no Django."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import httpx2
import numpy as np
import pytest

from modelyard.exchange.prediction_ids import parse
from modelyard.serving.core import Core
from tests.integration.serving.yard import SECRET, STRANGER, Server, Trained, Yard, wait_until

FIT = {"sepal length (cm)": 5.1, "sepal width (cm)": 3.5, "petal length (cm)": 1.4, "petal width (cm)": 0.2}


def error_of(response: httpx2.Response) -> dict[str, Any]:
    error: dict[str, Any] = response.json()["error"]
    assert set(error) <= {"code", "message", "details", "request_id"}
    assert error["request_id"] == response.headers["x-request-id"]
    return error


def test_every_row_equals_the_fitted_estimator(client: httpx2.Client, iris: Trained) -> None:
    rows = iris.sample(150)
    answer = client.post("/predict/iris", json={"rows": rows}).json()
    assert answer["model"] == "iris"
    assert answer["version"] == 1
    assert answer["predictions"] == iris.estimator.predict(iris.rows).tolist()
    given = [[row[name] for name in ("0", "1", "2")] for row in answer["probabilities"]]
    np.testing.assert_allclose(given, iris.estimator.predict_proba(iris.rows), rtol=1e-5, atol=1e-7)
    ids = [parse(one) for one in answer["prediction_ids"]]
    assert [one.row for one in ids] == list(range(150))
    assert {(one.tenant, one.version) for one in ids} == {(1, 11)}
    for one in ids[:3]:
        one.verify(b"\x01" * 32)


def test_the_three_forms_answer_alike(client: httpx2.Client, iris: Trained) -> None:
    rows = iris.sample(7)
    columns = list(reversed(rows[0]))
    bodies: list[dict[str, Any]] = [
        {"rows": rows},
        {"data": [list(row.values()) for row in rows]},
        {"columns": columns, "data": [[row[name] for name in columns] for row in rows]},
    ]
    answers = [client.post("/predict/iris", json=body).json() for body in bodies]
    for answer in answers:
        assert answer["predictions"] == answers[0]["predictions"]
        assert answer["probabilities"] == answers[0]["probabilities"]


def test_addresses_of_one_version_and_of_none(client: httpx2.Client) -> None:
    body = {"rows": [FIT]}
    for name in ("iris", "iris:1", "iris@champion"):
        assert client.post(f"/predict/{name}", json=body).json()["version"] == 1
    for name in ("iris:2", "iris@candidate", "ghost", "IRIS", "iris:x", "a/b", "%2e%2e", ""):
        response = client.post(f"/predict/{name}", json=body)
        assert (response.status_code, error_of(response)["code"]) == (404, "not_found"), name
    assert client.get("/elsewhere").status_code == 404
    assert error_of(client.post("/predict/irs", json=body))["message"].endswith("`irs`; did you mean `iris`?")
    assert client.post("/predict/iris/", json=body).json()["version"] == 1
    response = client.delete("/predict/iris")
    assert (response.status_code, response.headers["allow"]) == (405, "POST, GET")


def test_a_strangers_404_is_that_of_a_missing_model(shared_yard: Yard, client: httpx2.Client) -> None:
    shared_yard.add_key("2", STRANGER)
    shared_yard.publish_tenant("2")
    server = str(client.base_url)
    body = {"rows": [FIT]}
    with httpx2.Client(base_url=server, headers={"authorization": f"Bearer {STRANGER}"}) as stranger:
        wait_until(lambda: stranger.post("/predict/iris", json=body).status_code == 404)
        asks = [
            ("POST", "/predict/{}"),
            ("POST", "/predict/{}:1"),
            ("POST", "/predict/{}@champion"),
            ("GET", "/predict/{}"),
            ("GET", "/v2/models/{}"),
            ("GET", "/v2/models/{}/ready"),
            ("GET", "/v2/models/{}/versions/1"),
            ("GET", "/v2/models/{}/versions/1/ready"),
            ("POST", "/v2/models/{}/infer"),
            ("POST", "/v2/models/{}/versions/1/infer"),
            ("GET", "/precomputed/{}/1"),
        ]
        for method, path in asks:
            sent = {"json": body} if method == "POST" else {}
            foreign = stranger.request(method, path.format("iris"), **sent)
            missing = stranger.request(method, path.format("ghost"), **sent)
            assert foreign.status_code == missing.status_code == 404, path
            request_ids = (foreign.headers["x-request-id"], missing.headers["x-request-id"])
            texts = (
                foreign.text.replace(request_ids[0], "").replace("iris", "M"),
                missing.text.replace(request_ids[1], ""),
            )
            assert texts[0] == texts[1].replace("ghost", "M")


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Basic abc", f"Bearer {SECRET}x", SECRET, "Bearer pass_1_9999999999_" + "0" * 32],
)
def test_without_a_good_key_everything_but_health_is_401(client: httpx2.Client, header: str | None) -> None:
    headers = {} if header is None else {"authorization": header}
    anonymous = httpx2.Client(base_url=str(client.base_url), headers=headers)
    with anonymous:
        for path in ("/v2/health/live", "/v2/health/ready"):
            assert anonymous.get(path).status_code == 200
        for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS"):
            for path in ("/predict/iris", "/predict/ghost", "/v2", "/v2/models/iris", "/v2/models/iris/infer", "/x"):
                response = anonymous.request(method, path, content=b"{" if method == "POST" else None)
                assert response.status_code == 401, (method, path)
                assert response.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            {"rows": [{**FIT, "petal width (cm)": "41"}]},
            'column `petal width (cm)`: got "41" (string), expected float64',
        ),
        ({"rows": [FIT, {**FIT, "petal width (cm)": None}]}, "row 1, column `petal width (cm)`: got null"),
        ({"rows": [{**FIT, "petal width (cm)": True}]}, "got true (boolean), expected float64"),
        ({"rows": [{**FIT, "petal widht (cm)": 1}]}, "did you mean `petal width (cm)`?"),
        ({"rows": [{"sepal length (cm)": 1}]}, "3 columns are missing: `sepal width (cm)` (float64), `petal"),
        ({"rows": []}, "no rows"),
        ({"rows": [[1, 2, 3, 4]]}, "expected an object"),
        ({"data": [[1, 2, 3, 4], [1, 2, 3]]}, "row 1: got 3 values, expected 4"),
        ({"data": [[1, 2, 3, [4]]]}, "got a list"),
        ({"columns": ["a"], "data": [[1]]}, "unknown column `a`"),
        ({"columns": ["sepal length (cm)"] * 2, "data": [[1, 2]]}, "named twice"),
        ({"row": [FIT]}, "did you mean `rows`?"),
        (FIT, 'expected it in a list, {"rows": [{...}]}'),
        ({"rows": [FIT], "data": []}, "expected"),
        ([FIT], "a list"),
        ({"rows": [FIT], "entity_ids": ["a", "b"]}, "expected one for each of 1 rows"),
        ({"rows": [FIT], "entity_ids": [None]}, "strings or whole numbers"),
        ({"rows": [FIT], "options": {"probabilites": False}}, "did you mean `probabilities`?"),
        ({"rows": [FIT], "options": {"outputs": ["labels"]}}, "did you mean `label`?"),
    ],
)
def test_each_refusal_says_where_and_what_was_expected(client: httpx2.Client, body: Any, words: str) -> None:
    response = client.post("/predict/iris", json=body)
    assert response.status_code == 400
    error = error_of(response)
    assert error["code"] == "invalid_input"
    assert words in error["message"]


RAW = [
    b"",
    b"{",
    b"\xff",
    b"null",
    b"[" * 100_000,
    b'{"rows": [{"a": NaN}]}',
    b'{"data": [[1e999, 1, 1, 1]]}',
    b'"\\ud800"',
]


@pytest.mark.parametrize("body", RAW, ids=range(len(RAW)))
def test_what_is_no_json_or_no_number_is_refused(client: httpx2.Client, body: bytes) -> None:
    response = client.post("/predict/iris", content=body)
    assert response.status_code == 400
    assert error_of(response)["code"] == "invalid_input"


def test_pickles_are_no_content_type(client: httpx2.Client) -> None:
    for media in ("application/octet-stream", "application/python-pickle", "application/x-pickle", "text/csv"):
        response = client.post("/predict/iris", content=b"\x80\x04.", headers={"content-type": media})
        assert (response.status_code, error_of(response)["code"]) == (415, "unsupported_format")


def test_options_leave_out_and_add(client: httpx2.Client) -> None:
    body = {"rows": [FIT], "options": {"probabilities": False, "outputs": ["label"]}}
    answer = client.post("/predict/iris", json=body).json()
    assert "probabilities" not in answer
    assert answer["outputs"] == {"label": answer["predictions"]}


def test_too_many_rows_and_bytes_are_413(yard: Yard, iris: Trained, serve: Callable[..., Server]) -> None:
    yard.publish("iris", {1: yard.version(iris, 11)})
    server = serve(MODELYARD_MAX_BODY_BYTES="100000", MODELYARD_MAX_ROWS="50")
    with server.client() as client:
        assert client.post("/predict/iris", json={"data": [[1, 2, 3, 4]] * 50}).status_code == 200
        response = client.post("/predict/iris", json={"data": [[1, 2, 3, 4]] * 51})
        assert (response.status_code, error_of(response)["code"]) == (413, "too_large")
        assert client.post("/predict/iris", content=b" " * 100_001).status_code == 413
        assert client.post("/predict/iris", content=iter([b" " * 60_000] * 2)).status_code == 413
        assert client.post("/predict/iris", json={"rows": [FIT]}).status_code == 200
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(b"POST /predict/iris HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 413")


def test_the_request_id_is_kept_or_made(client: httpx2.Client) -> None:
    body = {"rows": [FIT]}
    kept = client.post("/predict/iris", json=body, headers={"x-request-id": "abc-1"})
    assert kept.headers["x-request-id"] == "abc-1"
    made = [client.post("/predict/iris", json=body, headers={"x-request-id": "a b\tc"}) for _ in range(2)]
    ids = {response.headers["x-request-id"] for response in made}
    assert len(ids) == 2
    assert not any(" " in one for one in ids)


def test_a_models_own_openapi_document(client: httpx2.Client) -> None:
    document = client.get("/predict/iris").json()
    assert document["openapi"].startswith("3.1")
    schema = document["paths"]["/predict/iris"]["post"]["requestBody"]["content"]["application/json"]
    assert set(schema["schema"]["oneOf"][0]["properties"]["rows"]["items"]["required"]) == set(FIT)
    assert client.post("/predict/iris", json=schema["example"]).status_code == 200


def test_digits_many_columns_many_rows(yard: Yard, digits: Trained, serve: Callable[..., Server]) -> None:
    yard.publish("digits", {1: yard.version(digits, 12)})
    with serve().client() as client:
        answer = client.post("/predict/digits", json={"rows": digits.sample(1797)}).json()
        assert answer["predictions"] == digits.estimator.predict(digits.rows).tolist()
        data = client.post("/predict/digits", json={"data": digits.rows.tolist()}).json()
        assert data["predictions"] == answer["predictions"]


def test_the_data_plane_imports_no_django() -> None:
    """Nor does the command that starts it."""
    program = (
        "import json, sys; import modelyard.cli.main, modelyard.serving.standalone;"
        "print(json.dumps([m for m in sys.modules if 'django' in m.lower()]))"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(found.stdout) == []


def test_it_answers_with_database_and_medium_gone_and_starts_again(
    yard: Yard, iris: Trained, serve: Callable[..., Server]
) -> None:
    yard.publish("iris", {1: yard.version(iris, 11)})
    database = yard.home / "db.sqlite3"
    database.write_bytes(b"")
    server = serve()
    body = {"rows": [FIT]}
    with server.client() as client:
        database.unlink()
        yard.settings.exchange.rename(yard.home / "away")
        yard.settings.artifacts.rename(yard.home / "away-too")
        assert client.post("/predict/iris", json=body).status_code == 200
    assert server.stop() == 0
    with serve().client() as client:
        assert client.post("/predict/iris", json=body).json()["version"] == 1


def test_sigterm_ends_it_cleanly(yard: Yard, iris: Trained, serve: Callable[..., Server]) -> None:
    yard.publish("iris", {1: yard.version(iris, 11)})
    server = serve()
    with server.client() as client:
        assert client.post("/predict/iris", json={"rows": [FIT]}).status_code == 200
    assert server.stop(signal.SIGTERM) == 0
    assert [path.name for path in yard.settings.spool.iterdir()] == ["host"]
    assert len(list(yard.medium.keys("spool/"))) == 1


def test_it_leaves_nothing_in_the_home_of_its_user(serve: Callable[..., Server], yard: Yard, iris: Trained) -> None:
    """ONNX Runtime keeps an id there when it reports to its makers."""
    user = yard.home / "user"
    user.mkdir()
    version = yard.version(iris, 11)
    yard.publish("iris", {1: version})
    yard.publish("child", {1: yard.version(iris, 12, isolated=True)})
    with serve(HOME=str(user), ORT_DISABLE_TELEMETRY="0", XDG_CACHE_HOME="").client() as client:
        for model in ("iris", "child"):
            assert client.post(f"/predict/{model}", json={"rows": [FIT]}).status_code == 200
        assert list(user.rglob("*")) == []


def test_it_is_not_ready_before_it_has_seen_a_snapshot(
    serve: Callable[..., Server], yard: Yard, iris: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[tuple[int, Any]] = []

    def looked(server: Server) -> bool:
        """Ready for this test: it answers whether it is."""
        try:
            answer = httpx2.get(f"{server.url}/v2/health/ready", timeout=5)
        except httpx2.TransportError:
            return False
        answers.append((answer.status_code, answer.json()))
        return True

    monkeypatch.setattr(Server, "_is_ready", looked)
    server = serve()
    with server.client() as client:
        assert client.get("/v2/health/live").json() == {"live": True}
        assert answers == [(503, {"ready": False})]
        yard.publish("iris", {1: yard.version(iris, 11)})
        wait_until(lambda: client.get("/v2/health/ready").json() == {"ready": True})
        assert client.get("/v2/models/iris/ready").status_code == 200


def test_it_says_what_it_waits_for(yard: Yard, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    core = Core(yard.settings, yard.medium, yard.store)
    core.start()
    core.stop()
    (said,) = [record for record in caplog.records if record.getMessage() == "waiting_for_snapshot"]
    assert str(yard.settings.exchange) in said.__dict__["reason"]
    assert "`modelyard tend`" in said.__dict__["reason"]
