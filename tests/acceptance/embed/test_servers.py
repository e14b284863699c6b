"""The same project, and the same answers, under every server that runs Django projects."""

import json
import time

import pytest

from modelyard import Client
from tests.acceptance.embed.conftest import COMMANDS, Garden, serve

pytestmark = pytest.mark.timeout(400)

CLEAN = [name for name in COMMANDS if name not in ("runserver", "uvicorn-plain")]
"""Servers that let a process end what it began. The others kill it: uvicorn by the signal that it was ended by, and
runserver's reloader at once when it is told to end."""


def handed_over(garden: Garden, ids: set[str]) -> set[str]:
    """Return which of the ids were handed over within ten seconds; each at most once."""
    end = time.monotonic() + 10
    while True:
        logged = garden.logged()
        assert len(logged) == len(set(logged))
        if ids <= set(logged) or time.monotonic() > end:
            return ids & set(logged)
        time.sleep(0.2)


@pytest.mark.parametrize("name", COMMANDS)
def test_predictions_are_answered_in_process(garden: Garden, name: str) -> None:
    server = serve(garden, name)
    ids: set[str] = set()
    pids = set()
    for path, more in (("rows", {"json": garden.rows}), ("queryset", {}), ("instances", {})):
        said = server.ask(f"/flowers/{path}/", **more)
        assert said["predictions"] == garden.expected, path
        ids |= {one.rpartition(".")[0] for one in said["ids"]}
        pids.add(said["pid"])
    in_the_loop = server.ask("/flowers/async/", json=garden.rows[:4])
    assert in_the_loop["predictions"] == [garden.expected[:4]] * 2

    # Not the process that pushed and promoted, nor any other that was told to: the server's own.
    assert garden.manage("shell", "-v0", "-c", "import os; print(os.getpid())").stdout.strip() not in map(str, pids)
    if name.startswith("gunicorn"):
        end = time.monotonic() + 60
        while len(pids) < 2 and time.monotonic() < end:
            server.client.close()
            server.client = type(server.client)(base_url=server.url, timeout=60, trust_env=False)
            said = server.ask("/flowers/rows/", json=garden.rows)
            assert said["predictions"] == garden.expected
            pids.add(said["pid"])
            ids |= {one.rpartition(".")[0] for one in said["ids"]}
        assert len(pids) == 2

    with Client(f"{server.url}/ml", garden.key) as yard:
        over_http = yard.predict("iris", garden.rows)
        assert over_http.predictions == garden.expected
        assert "iris" in [model.name for model in yard.models()]
    ids.add(over_http.prediction_ids[0].rpartition(".")[0])

    code = server.stop()
    if name in CLEAN:
        assert code in (0, -15), garden.said(name)
        assert garden.spooling() == [], garden.said(name)
        assert "Exception ignored" not in garden.said(name)
    else:
        # Killed by the signal: what it had answered lies on the disk, and the next process hands it over.
        garden.manage("shell", "-v0", "-c", "import modelyard; modelyard.predict('iris', [[5.1, 3.5, 1.4, 0.2]])")
    assert handed_over(garden, ids) == ids


@pytest.mark.parametrize("name", ["gunicorn-preload", "uvicorn"])
def test_a_version_comes_by_the_api_beneath_the_prefix(garden: Garden, name: str) -> None:
    server = serve(garden, name)
    model = f"iris-{name}"
    with Client(f"{server.url}/ml", garden.key) as yard:
        version = yard.push(garden.files["model"], name=model, sample=garden.files["sample"])
        assert (version.state, version.runtime) == ("ready", "onnx")
        deployed = yard.promote(model, version)
        assert deployed.undo
        assert deployed.undo["path"] == f"/ml/api/v1/models/{model}/deactivate"
        time.sleep(1.0)  # the worker that was asked knows at once, the others within a second
        for _ in range(6):
            assert yard.predict(model, garden.rows).predictions == garden.expected
        yard.deactivate(model)
        yard.delete(model)
    server.stop()


def test_a_body_that_is_too_large_is_not_taken(garden: Garden) -> None:
    """The bounds of the stand-alone server hold in a project too, though its own let more through."""
    for name in ("gunicorn", "uvicorn"):
        server = serve(garden, name)
        bearer = {"Authorization": f"Bearer {garden.key}"}
        large = b'{"name": "' + b"x" * (3 << 20) + b'"}'
        kind = {"Content-Type": "application/json"}
        refused = server.client.post("/ml/api/v1/models/", content=large, headers={**bearer, **kind})
        assert refused.status_code == 413, refused.text
        streamed = server.client.post("/ml/api/v1/models/", content=iter([large]), headers={**bearer, **kind})
        assert streamed.status_code in (400, 413), streamed.text
        rows = b'{"rows": [' + b" " * (9 << 20) + b"]}"
        refused = server.client.post("/ml/predict/iris", content=rows, headers={**bearer, **kind})
        assert refused.json()["error"]["code"] == "too_large"
        server.stop()


FORKED = """
import json, os, signal, threading
import modelyard
rows = %r
before = modelyard.predict("iris", rows).predictions
child = os.fork()
if not child:
    from modelyard.embed import process
    again = modelyard.predict("iris", rows).predictions
    process.stop()
    os._exit(0 if again == before else 1)
late = threading.Timer(100, os.kill, (child, signal.SIGABRT))  # it tells then what its threads are at
late.start()
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
late.cancel()
print(json.dumps([code, before, modelyard.predict("iris", rows).predictions]))
"""


def test_a_child_makes_a_core_of_its_own(garden: Garden) -> None:
    """Whoever predicts while the project is loaded, before the server forks, does no harm to the children."""
    told = garden.manage("shell", "-v0", "-c", FORKED % garden.rows)
    assert json.loads(told.stdout) == [0, garden.expected, garden.expected], told.stderr
    assert garden.spooling() == []
