"""The command as people type it, and a server that it talks to."""

import json
import os
import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import Perceptron
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tests.servers import forked, shared
from tests.servers import modelyard as modelyard_server

COLUMNS = ["sepal_length", "sepal_width", "petal_length", "petal_width"]


@dataclass(frozen=True)
class Said:
    """What a command answered with."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.code == 0, self.err
        return json.loads(self.out)


Run = Callable[..., Said]


def command(*arguments: object, stdin: str = "", **environment: str) -> Said:
    """Run `modelyard` to its end."""
    told = modelyard_server.environment(**environment)
    done = forked.run([modelyard_server.COMMAND, *arguments], environment=told, stdin=stdin)
    return Said(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home folder to be; nothing that a test starts in it is left when the test has failed."""
    folder = tmp_path / "home"
    yield folder
    modelyard_server.end_all(folder)


@dataclass(frozen=True)
class Yard:
    """The run's server."""

    url: str
    key: str
    home: Path


@pytest.fixture(scope="session")
def yard() -> Yard:
    running = shared.running("modelyard", modelyard_server.start)
    folder = Path(os.environ[shared.VARIABLE]) / "modelyard"
    return Yard(running.url, (folder / "key").read_text(), folder / "home")


@pytest.fixture
def run(yard: Yard, tmp_path: Path) -> Run:
    """Run a verb against the server, with the key in the environment and no kept login."""

    def ask(*arguments: object, **more: Any) -> Said:
        known = {"MODELYARD_URL": yard.url, "MODELYARD_KEY": yard.key, "XDG_CONFIG_HOME": str(tmp_path / "config")}
        return command(*arguments, **{**known, **more})

    return ask


@dataclass(frozen=True)
class Iris:
    """Files of a fitted model, its test rows, and what the fitted model says to them."""

    pipeline: Path
    scaler: Path
    perceptron: Path
    sample: Path
    rows: pd.DataFrame
    expected: list[int]


@pytest.fixture(scope="session")
def iris(tmp_path_factory: pytest.TempPathFactory) -> Iris:
    folder = tmp_path_factory.mktemp("iris")
    rows, species = load_iris(return_X_y=True, as_frame=True)
    rows = rows.set_axis(COLUMNS, axis=1)
    fitted = make_pipeline(StandardScaler(), Perceptron(random_state=0)).fit(rows, species.to_numpy())
    for name, part in (("pipeline", fitted), ("scaler", fitted[0]), ("perceptron", fitted[1])):
        (folder / f"{name}.pkl").write_bytes(pickle.dumps(part, protocol=4))
    rows.iloc[::3].to_csv(folder / "sample.csv", index=False)
    files = [folder / f"{name}.pkl" for name in ("pipeline", "scaler", "perceptron")]
    return Iris(*files, folder / "sample.csv", rows, [int(one) for one in fitted.predict(rows)])
