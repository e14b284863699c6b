"""What stays in memory, of real models on a real server: pinned, on demand within a bound, and what the index tells."""

import json
import pickle
import signal
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_wine
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression

from tests.acceptance.command.conftest import Said, command
from tests.servers.modelyard import Up, up

pytestmark = pytest.mark.timeout(300)
DATA = {"iris": load_iris, "wine": load_wine, "cancer": load_breast_cancer, "diabetes": load_diabetes}


def fitted(name: str) -> Any:
    data, target = DATA[name](return_X_y=True, as_frame=True)
    if name == "iris":
        return LogisticRegression(max_iter=500).fit(data, target), data
    forest = RandomForestRegressor if name == "diabetes" else RandomForestClassifier
    return forest(60, max_depth=9, random_state=0).fit(data, target), data


def verb(running: Up, *arguments: object) -> Said:
    said = command(*arguments, MODELYARD_URL=running.url, MODELYARD_KEY=running.told["key"])
    assert said.code == 0, said.err
    return said


def index(running: Up) -> dict[str, tuple[str, str]]:
    request = urllib.request.Request(
        f"{running.url}/v2/repository/index", b"{}", {"Authorization": f"Bearer {running.told['key']}"}
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        return {entry["name"]: (entry["state"], entry["reason"]) for entry in json.loads(response.read())}


def test_forests_share_a_bound_and_what_is_preloaded_stays(home: Path, tmp_path: Path) -> None:
    sizes, samples = {}, {}
    running = up(home, "--no-demo", MODELYARD_PRELOAD="none")
    key = running.told["key"]
    for name in DATA:
        model, data = fitted(name)
        file = tmp_path / f"{name}.pkl"
        file.write_bytes(pickle.dumps(model, protocol=4))
        data.head(3).to_csv(tmp_path / f"{name}.csv", index=False)
        samples[name] = model.predict(data.head(3)).tolist()
        pushed = verb(running, "push", file, "--name", name, "--sample", tmp_path / f"{name}.csv", "--json").json
        sizes[name] = pushed["result"]["measured"]["size_bytes"]
        verb(running, "promote", f"{name}:1")
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(timeout=60) == 0

    # room for two of the three forests at a time
    bound = 5 * (sum(sizes.values()) - sizes["iris"] - min(sizes["wine"], sizes["cancer"], sizes["diabetes"]) // 2)
    running = up(home, "--no-demo", MODELYARD_PRELOAD="iris", MODELYARD_MAX_LOADED_BYTES=str(bound))
    running.told["key"] = key
    assert index(running)["iris"] == ("READY", "")
    assert index(running)["wine"] == ("UNAVAILABLE", "not loaded: nobody has asked for it yet")
    for name in ("wine", "cancer", "diabetes"):
        answered = verb(running, "predict", name, tmp_path / f"{name}.csv", "--json").json
        assert answered["predictions"] == pytest.approx(samples[name])
        assert index(running)[name] == ("READY", "")
    now = index(running)
    assert now["iris"] == ("READY", "")
    assert now["wine"] == ("UNAVAILABLE", "unloaded: others needed the room")
    assert verb(running, "predict", "wine", tmp_path / "wine.csv", "--json").json["predictions"] == samples["wine"]
    assert index(running)["cancer"][1] == "unloaded: others needed the room"
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(timeout=60) == 0
