"""The demo: iris, fitted as a data scientist would and pushed through the API.

`python -m modelyard.cli.demo FOLDER pickle|onnx` fits and writes the files: in a process of its own, since
scikit-learn takes a second to import and a hundred megabytes to keep.
"""

import json
import pickle
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelyard.core.errors import Conflict, Unavailable

if TYPE_CHECKING:
    from modelyard.client import Answer, Client, Version

MODEL = "iris"
PROBLEM = "Which of three species of iris a flower belongs to, from four lengths in centimetres."
COLUMNS = ("sepal_length", "sepal_width", "petal_length", "petal_width")
FLOWER = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
FACTS = "facts.json"


class Fitting:
    """A child that fits the demo's model while the servers start."""

    def __init__(self, folder: Path, form: str, environment: dict[str, str]) -> None:
        self._folder = folder
        command = [sys.executable, "-m", "modelyard.cli.demo", str(folder), form]
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
            raise Unavailable(
                f"no demo model could be fitted ({last}): pip install 'modelyard[sklearn]' brings what it needs"
            )
        facts: dict[str, Any] = json.loads((self._folder / FACTS).read_text(encoding="utf-8"))
        return facts


def push(client: "Client", folder: Path, facts: dict[str, Any]) -> "Answer":
    """Push the fitted files, let the version answer, and ask it once.

    Raises:
        ModelyardError: the server's reason, when it takes or answers not.
    """
    with suppress(Conflict):  # of a first start that was cut off; the version below too
        client.create_model(MODEL, problem=PROBLEM)
    version = next(iter(client.versions(MODEL)), None)
    if version is None or version.state == "refused":
        version = _push_files(client, folder, facts)
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


def fit(folder: Path, form: str) -> dict[str, Any]:
    """Fit a scaler and a Perceptron on two thirds of iris, and write them to `folder` as two pickles or one ONNX."""
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
    write = _write_onnx if form == "onnx" else _write_pickles
    return {
        "files": write(folder, scaler, perceptron),
        "sample": "sample.parquet",
        "metrics": {"accuracy": round(accuracy, 4)},
        "description": "StandardScaler and Perceptron, fitted on 100 flowers; accuracy on the other 50",
        "parameters": {"perceptron": {"random_state": 0}, "test_size": 50},
        "data_digest": "sha256:" + hashlib.sha256(train.to_csv(index=False).encode()).hexdigest(),
    }


def _write_pickles(folder: Path, scaler: Any, perceptron: Any) -> list[str]:
    names = ["iris_scaler.pkl", "iris_perceptron.pkl"]
    for name, estimator in zip(names, (scaler, perceptron), strict=True):
        (folder / name).write_bytes(pickle.dumps(estimator, protocol=4))
    return names


def _write_onnx(folder: Path, scaler: Any, perceptron: Any) -> list[str]:
    import numpy as np
    from skl2onnx import to_onnx
    from sklearn.pipeline import make_pipeline

    graph = to_onnx(make_pipeline(scaler, perceptron), np.zeros((1, len(COLUMNS)), dtype=np.float64))
    (folder / "iris.onnx").write_bytes(graph.SerializeToString())
    return ["iris.onnx"]


if __name__ == "__main__":
    target = Path(sys.argv[1])
    (target / FACTS).write_text(json.dumps(fit(target, sys.argv[2])), encoding="utf-8")
