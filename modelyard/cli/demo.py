"""The demo: iris, uploaded as a dataset and learnt from through the API.

Where files that carry code are not opened, nothing is trained: `python -m modelyard.cli.demo FOLDER` fits the model and
writes it as ONNX, in a process of its own, since scikit-learn takes a second to import and a hundred megabytes to keep.
"""

import csv
import json
import subprocess
import sys
from contextlib import suppress
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelyard.core.errors import Conflict, ModelRefused, Unavailable

if TYPE_CHECKING:
    from modelyard.client import Answer, Client, Version
    from modelyard.client.records import Job

MODEL = "iris"
PROBLEM = "Which of three species of iris a flower belongs to, from four lengths in centimetres."
COLUMNS = ("sepal_length", "sepal_width", "petal_length", "petal_width")
FLOWER = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
TARGET = "species"
LEARNING = {"target": TARGET, "estimator": "LogisticRegression"}
FACTS = "facts.json"
PACKAGES = "pip install 'modelyard[sklearn]' brings what it needs"


class Fitting:
    """A child that fits the demo's model while the servers start, where they are not to."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._folder = folder
        command = [sys.executable, "-m", "modelyard.cli.demo", str(folder)]
        self._child = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self) -> None:
        """Stop it, if it still runs."""
        if self._child.poll() is None:
            self._child.kill()
        self._child.wait()

    def facts(self) -> dict[str, Any]:
        """Wait for the files and return what is known of them.

        Raises:
            Unavailable: when fitting failed; the usual reason is that scikit-learn is not installed.
        """
        _, text = self._child.communicate()
        if self._child.returncode:
            last = (text.strip().splitlines() or ["no reason was given"])[-1]
            raise Unavailable(f"no demo model could be fitted ({last}): {PACKAGES}")
        facts: dict[str, Any] = json.loads((self._folder / FACTS).read_text(encoding="utf-8"))
        return facts


def train(client: "Client", folder: Path) -> "Answer":
    """Upload iris, have a version trained on it, let that answer, and ask it once.

    What a first start that was cut off has begun is not begun again.

    Raises:
        ModelyardError: the server's reason, when it trains or answers not.
    """
    _make_model(client)
    version = _newest(client)
    if version is None:
        job = _open_training(client) or client.train(
            MODEL, str(client.push_dataset(write_table(folder), name=MODEL).check()), parameters=LEARNING
        )
        *_, end = client.watch(job)
        if end.data["state"] != "succeeded":
            said = (end.data["error"] or {}).get("message", "its job gave no reason")
            raise ModelRefused(f"the demo's model was not trained, the job is {end.data['state']}: {said}")
        version = client.version(MODEL, end.data["outcome"]["number"])
    return _served(client, version)


def push(client: "Client", folder: Path, facts: dict[str, Any]) -> "Answer":
    """Push the fitted files, let the version answer, and ask it once.

    Raises:
        ModelyardError: the server's reason, when it takes or answers not.
    """
    _make_model(client)
    return _served(client, _newest(client) or _push_files(client, folder, facts))


def write_table(folder: Path) -> Path:
    """Write iris as CSV, from the file that lies in scikit-learn: importing that takes a second.

    Raises:
        Unavailable: when scikit-learn is not installed.
    """
    found = find_spec("sklearn")
    if found is None or found.origin is None:
        raise Unavailable(f"no demo model can be trained without scikit-learn: {PACKAGES}")
    source, target = Path(found.origin).parent / "datasets" / "data" / "iris.csv", folder / "iris.csv"
    with source.open(encoding="utf-8", newline="") as read, target.open("w", encoding="utf-8", newline="") as write:
        rows = csv.reader(read)
        _, _, *names = next(rows)
        writer = csv.writer(write)
        writer.writerow([*COLUMNS, TARGET])
        writer.writerows([*row[:-1], names[int(row[-1])]] for row in rows)
    return target


def _make_model(client: "Client") -> None:
    with suppress(Conflict):  # of a first start that was cut off
        client.create_model(MODEL, problem=PROBLEM)


def _newest(client: "Client") -> "Version | None":
    version = next(iter(client.versions(MODEL)), None)
    return None if version is None or version.state == "refused" else version


def _open_training(client: "Client") -> "Job | None":
    newest = islice(client.jobs(kind="training"), 1)
    return next((job for job in newest if job.is_open), None)


def _served(client: "Client", version: "Version") -> "Answer":
    client.promote(MODEL, client.wait(version).check(), reason="the demo of the first start")
    return client.predict(MODEL, FLOWER)


def _push_files(client: "Client", folder: Path, facts: dict[str, Any]) -> "Version":
    return client.push(
        *[folder / name for name in facts["files"]],
        name=MODEL,
        sample=folder / facts["sample"],
        metrics=facts["metrics"],
        description=facts["description"],
        manifest={"seed": 0, "parameters": facts["parameters"], "data_digest": facts["data_digest"]},
    )


def fit(folder: Path) -> dict[str, Any]:
    """Fit a scaler and a Perceptron on two thirds of iris, and write them to `folder` as one ONNX."""
    import hashlib

    from sklearn.datasets import load_iris
    from sklearn.linear_model import Perceptron
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import StandardScaler

    iris = load_iris(as_frame=True)
    table = iris.data.set_axis(list(COLUMNS), axis=1)
    species = iris.target_names[iris.target]
    train, test, train_species, test_species = train_test_split(
        table, species, test_size=50, random_state=0, stratify=species
    )
    scaler = StandardScaler().fit(train)
    perceptron = Perceptron(random_state=0).fit(scaler.transform(train), train_species)
    accuracy = float(perceptron.score(scaler.transform(test), test_species))
    test.to_parquet(folder / "sample.parquet", index=False)
    return {
        "files": _write_onnx(folder, scaler, perceptron),
        "sample": "sample.parquet",
        "metrics": {"accuracy": round(accuracy, 4)},
        "description": "StandardScaler and Perceptron, fitted on 100 flowers; accuracy on the other 50",
        "parameters": {"perceptron": {"random_state": 0}, "test_size": 50},
        "data_digest": "sha256:" + hashlib.sha256(train.to_csv(index=False).encode()).hexdigest(),
    }


def _write_onnx(folder: Path, scaler: Any, perceptron: Any) -> list[str]:
    import numpy as np
    from skl2onnx import to_onnx
    from sklearn.pipeline import make_pipeline

    pipeline = make_pipeline(scaler, perceptron)
    # The operator that makes dictionaries of scores takes no doubles.
    plain = {id(pipeline): {"zipmap": False}}
    graph = to_onnx(pipeline, np.zeros((1, len(COLUMNS)), dtype=np.float64), options=plain)
    (folder / "iris.onnx").write_bytes(graph.SerializeToString())
    return ["iris.onnx"]


if __name__ == "__main__":
    target = Path(sys.argv[1])
    (target / FACTS).write_text(json.dumps(fit(target)), encoding="utf-8")
