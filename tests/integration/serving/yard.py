"""A data plane with real models, whose documents the tests publish by hand in the control plane's stead."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
from skl2onnx import to_onnx
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from modelyard.artifacts.filesystem import FilesystemStore
from modelyard.core.plan import Arm, Plan
from modelyard.core.settings import Settings
from modelyard.core.signature import Column, DataType, Output, Role, Signature
from modelyard.exchange import publication
from modelyard.exchange.medium import FolderMedium
from modelyard.exchange.snapshot import KeyEntry, Limits, ModelDocument, Precomputed, ServedVersion, TenantDocument
from tests.servers.shared import free_port

SECRET = "yard_abcdefgh_" + "x" * 43
STRANGER = "yard_stranger_" + "y" * 43
IRIS = ("sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)")
START_SECONDS = 60


@dataclass
class Trained:
    """A fitted pipeline and its ONNX twin."""

    estimator: Any
    rows: np.ndarray
    artifact: bytes
    signature: Signature

    def sample(self, count: int = 5) -> list[dict[str, Any]]:
        return [dict(zip(self.signature.names, row, strict=True)) for row in self.rows[:count].tolist()]


def train(rows: np.ndarray, labels: np.ndarray, names: tuple[str, ...], regularisation: float = 1.0) -> Trained:
    estimator = make_pipeline(StandardScaler(), LogisticRegression(C=regularisation, max_iter=500)).fit(rows, labels)
    graph = to_onnx(estimator, rows[:1].astype(np.float64), options={"zipmap": False}, target_opset=21)
    classes = tuple(estimator.classes_.tolist())
    found = {output.name for output in graph.graph.output}
    label, probability = (next(name for name in found if word in name) for word in ("label", "prob"))
    outputs = (
        Output(label, DataType.INT64, role=Role.PREDICTION, classes=classes),
        Output(probability, DataType.FLOAT64, (len(classes),), role=Role.PROBABILITIES, classes=classes),
    )
    signature = Signature(tuple(Column(name, DataType.FLOAT64) for name in names), outputs)
    return Trained(estimator, rows, graph.SerializeToString(), signature)


@dataclass
class Yard:
    """The control plane's part, by hand: artifacts, documents, index."""

    home: Path
    settings: Settings
    medium: FolderMedium = field(init=False)
    store: FilesystemStore = field(init=False)
    revisions: dict[str, int] = field(default_factory=dict)
    models: dict[str, dict[str, str]] = field(default_factory=dict)
    keys: dict[str, list[KeyEntry]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.medium = FolderMedium(self.settings.exchange)
        self.store = FilesystemStore(self.settings.artifacts)
        self.add_key("1", SECRET)

    def add_key(self, tenant: str, secret: str, **more: Any) -> None:
        entry = {"scopes": ("predict", "read"), **more}
        digest = hashlib.sha256(secret.encode()).hexdigest()
        self.keys.setdefault(tenant, []).append(KeyEntry(prefix=secret[5:13], sha256=digest, **entry))

    def version(self, trained: Trained, id: int, tenant: str = "1", **more: Any) -> ServedVersion:
        stored = self.store.put(tenant, [trained.artifact], 1 << 30)
        given = {"runtime": "onnx", "isolated": False, "sample": trained.sample(), **more}
        return ServedVersion(
            id=id, digest=stored.digest, size_bytes=stored.size_bytes, signature=trained.signature, **given
        )

    def publish(
        self,
        name: str,
        versions: dict[int, ServedVersion],
        plan: Plan | int | None = 1,
        tenant: str = "1",
        aliases: dict[str, int] | None = None,
        limits: Limits = Limits(),  # noqa: B008 - immutable
        precomputed: Precomputed | None = None,
    ) -> None:
        if not isinstance(plan, Plan):
            plan = Plan(arms=(Arm(plan, 1.0),)) if plan else Plan()
        document = ModelDocument(
            model=name, plan=plan, versions=versions, aliases=aliases or {}, limits=limits, precomputed=precomputed
        )
        self.models.setdefault(tenant, {})[name] = publication.write_model(self.medium, tenant, document)
        self.publish_tenant(tenant)

    def publish_tenant(self, tenant: str = "1", **more: Any) -> None:
        self.revisions[tenant] = self.revisions.get(tenant, 0) + 1
        document = TenantDocument(
            tenant=tenant,
            name=f"tenant-{tenant}",
            revision=self.revisions[tenant],
            mac_key=tenant.rjust(2, "0")[:2] * 32,
            keys=tuple(self.keys.get(tenant, ())),
            models=self.models.get(tenant, {}),
            **more,
        )
        publication.write_tenant(self.medium, document)


class Server:
    """`modelyard serve` as a process of its own."""

    def __init__(self, yard: Yard, **environment: str) -> None:
        self.yard = yard
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = yard.home / f"server-{self.port}.log"
        self.environment = environment
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Server":
        program = (
            "import os; from modelyard.core.settings import Settings; from modelyard.serving.standalone import run; "
            "run(Settings.read(os.environ))"
        )
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("MODELYARD_")},
            "MODELYARD_HOME": str(self.yard.home),
            "MODELYARD_SERVE_PORT": str(self.port),
            **self.environment,
        }
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([sys.executable, "-c", program], env=environment, stdout=log, stderr=log)
        wait_until(self._is_ready, START_SECONDS, self.log)
        return self

    def _is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()
        try:
            return httpx2.get(f"{self.url}/v2/health/ready", timeout=5).status_code == 200
        except httpx2.TransportError:
            return False

    def client(self, secret: str = SECRET) -> httpx2.Client:
        return httpx2.Client(base_url=self.url, headers={"authorization": f"Bearer {secret}"}, timeout=30)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(timeout=30)


def wait_until(holds: Callable[[], bool], seconds: float = 30.0, log: Path | None = None) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not so within {seconds} s\n{log.read_text() if log else ''}"
        time.sleep(0.02)
