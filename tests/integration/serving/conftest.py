"""Real models and a yard to publish them in."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest
from sklearn.datasets import load_digits, load_iris

from modelyard.core.settings import Settings
from tests.integration.serving.yard import IRIS, Server, Trained, Yard, train
from tests.servers.shared import free_port


@pytest.fixture(scope="session")
def iris() -> Trained:
    data = load_iris()
    return train(data.data, data.target, IRIS)


@pytest.fixture(scope="session")
def other_iris() -> Trained:
    """Give another version of the model, with other probabilities."""
    data = load_iris()
    return train(data.data, data.target, IRIS, regularisation=0.01)


@pytest.fixture(scope="session")
def digits() -> Trained:
    data = load_digits()
    return train(data.data, data.target, tuple(f"pixel_{place}" for place in range(64)))


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    return Yard(tmp_path, Settings.read({}, home=tmp_path, serve_port=free_port()))


@pytest.fixture
def serve(yard: Yard) -> Iterator[Callable[..., Server]]:
    """Give a function that starts a server over the yard; all are stopped at the end."""
    servers: list[Server] = []

    def start(**environment: str) -> Server:
        servers.append(Server(yard, **environment))
        return servers[-1].start()

    yield start
    for server in servers:
        if server.process is not None:
            server.stop()


@pytest.fixture(scope="module")
def shared_yard(tmp_path_factory: pytest.TempPathFactory) -> Yard:
    home = tmp_path_factory.mktemp("shared")
    return Yard(home, Settings.read({}, home=home))


@pytest.fixture(scope="module")
def shared_server(shared_yard: Yard, iris: Trained) -> Iterator[Server]:
    """Give a server that serves iris:1 and has nothing else; a test must leave that so."""
    shared_yard.publish("iris", {1: shared_yard.version(iris, 11)})
    server = Server(shared_yard).start()
    yield server
    server.stop()


@pytest.fixture
def client(shared_server: Server) -> Iterator[httpx2.Client]:
    with shared_server.client() as client:
        yield client
