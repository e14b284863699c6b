"""The model of the benchmark, as a pickle for the peers and published for the data plane."""

import hashlib
import pickle
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from skl2onnx import to_onnx
from sklearn.datasets import load_iris
from sklearn.linear_model import Perceptron
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from modelyard.artifacts.filesystem import FilesystemStore
from modelyard.core.plan import Arm, Plan
from modelyard.core.settings import Settings
from modelyard.core.signature import Column, DataType, Output, Role, Signature
from modelyard.exchange import publication
from modelyard.exchange.medium import FolderMedium
from modelyard.exchange.snapshot import KeyEntry, ModelDocument, ServedVersion, TenantDocument

TENANT = "1"


@dataclass(frozen=True)
class Iris:
    """A fitted scaler and Perceptron, and the rows that it knows."""

    estimator: Any
    table: Any

    def rows(self, count: int) -> list[dict[str, float]]:
        return [dict(zip(self.table.columns, row, strict=True)) for row in self.table.iloc[:count].to_numpy().tolist()]

    def classes(self, count: int) -> list[int]:
        """Return the fitted estimator's own answers for `rows(count)`."""
        found: list[int] = self.estimator.predict(self.table.iloc[:count]).tolist()
        return found

    def save_pickle(self, path: Path) -> None:
        path.write_bytes(pickle.dumps(self.estimator, protocol=4))


def fit() -> Iris:
    table, species = load_iris(return_X_y=True, as_frame=True)
    table = table.sample(frac=1, random_state=0)
    estimator = make_pipeline(StandardScaler(), Perceptron(random_state=0)).fit(table, species[table.index])
    return Iris(estimator, table)


def publish(iris: Iris, home: Path) -> str:
    """Put the model where a data plane with this home finds it, and return a key that may ask it."""
    settings = Settings.read({}, home=home)
    graph = to_onnx(iris.estimator, np.zeros((1, 4)), options={"zipmap": False}, target_opset=21)
    names = [output.name for output in graph.graph.output]
    signature = Signature(
        tuple(Column(name, DataType.FLOAT64) for name in iris.table.columns),
        (
            Output(names[0], DataType.INT64, role=Role.PREDICTION),
            Output(names[1], DataType.FLOAT64, (3,)),
        ),
    )
    stored = FilesystemStore(settings.artifacts).put(TENANT, [graph.SerializeToString()], settings.max_upload_bytes)
    version = ServedVersion(1, stored.digest, stored.size_bytes, "onnx", False, signature, iris.rows(3))
    document = ModelDocument("iris", Plan((Arm(1, 1.0),)), {1: version})
    medium = FolderMedium(settings.exchange)
    digest = publication.write_model(medium, TENANT, document)
    key = f"yard_{secrets.token_hex(4)}_{secrets.token_urlsafe(32)}"
    entry = KeyEntry(key[:13], hashlib.sha256(key.encode()).hexdigest(), ("predict",))
    publication.write_tenant(
        medium,
        TenantDocument(TENANT, "bench", 1, secrets.token_hex(32), (entry,), {"iris": digest}),
    )
    return key
