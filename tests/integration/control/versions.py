"""Real models as people save them, and versions made of them, for the tests of registry and deployments.

Imports of Django's models are within the functions: pytest may read this file before Django is set up.
"""

from __future__ import annotations

import pickle
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.datasets import load_iris
from sklearn.linear_model import Perceptron
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

if TYPE_CHECKING:
    from modelyard.control.registry.models import Model, Version
    from modelyard.control.tenancy.models import Tenant
    from modelyard.control.tenancy.services import Actor
    from modelyard.core.signature import Signature

IRIS = ("sepal_length", "sepal_width", "petal_length", "petal_width")


@lru_cache
def fitted() -> Any:
    rows, labels = load_iris(return_X_y=True)
    return make_pipeline(StandardScaler(), Perceptron(random_state=0)).fit(rows, labels)


@lru_cache
def pickled() -> bytes:
    """A whole pipeline."""
    return pickle.dumps(fitted(), protocol=4)


@lru_cache
def parts() -> tuple[bytes, bytes]:
    """A scaler and a bare Perceptron, each in a file of its own."""
    scaler, classifier = (step for _, step in fitted().steps)
    return pickle.dumps(scaler, protocol=4), pickle.dumps(classifier, protocol=4)


@lru_cache
def csv(rows: int = 20) -> bytes:
    """Sample rows with the columns' names."""
    table = load_iris().data[:rows]
    lines = [",".join(IRIS), *(",".join(str(value) for value in row) for row in table)]
    return ("\n".join(lines) + "\n").encode()


def rows(count: int = 5) -> np.ndarray:
    return np.asarray(load_iris().data[:count])


def signature() -> Signature:
    from modelyard.core.signature import Column, DataType, Output, Role, Signature

    columns = tuple(Column(name, DataType.FLOAT64) for name in IRIS)
    return Signature(columns, (Output("label", DataType.INT64, role=Role.PREDICTION, classes=(0, 1, 2)),))


def kept(tenant: Tenant) -> set[str]:
    """The digests of what the store holds of the tenant."""
    from modelyard.control.registry.storage import store

    return {stored.digest for stored in store().list(str(tenant.pk))}


def register(
    actor: Actor, model: Model, content: bytes = b"a model", filename: str = "model.pkl", **said: Any
) -> Version:
    """A version that is `checking`."""
    from modelyard.control.registry import services

    upload = services.keep_upload(actor=actor, filename=filename, chunks=[content])
    return services.register_version(actor=actor, model=model, files=[upload], **said)


def ready(
    actor: Actor, model: Model, content: bytes = b"a model", *, isolated: bool = False, serving: bytes | None = None,
    found: dict[str, Any] | None = None, **said: Any,
) -> Version:  # fmt: skip
    """A version made `ready` as the job does it, with a finding of our own (`found` changes it) in the place of the
    sandbox's."""
    import tempfile
    from pathlib import Path

    from modelyard.control.jobs.services import claim
    from modelyard.control.registry import registration, uploads
    from modelyard.control.registry.storage import store
    from modelyard.sandbox.examination import Examined

    version = register(actor, model, content, **said)
    served = serving if serving is not None else b"served: " + content
    stored = store().put(str(actor.tenant.pk), [served], 1 << 20)
    uploads.keep_stored(actor, stored)
    usual: dict[str, Any] = {
        "format": "sklearn-pickle",
        "runtime": "sklearn" if isolated else "onnx",
        "isolated": isolated,
        "serving": Path(tempfile.gettempdir()),
        "signature": signature(),
        "sample": [dict(zip(IRIS, row, strict=True)) for row in rows(2).tolist()],
        "report": {"converted": not isolated},
        "packages": {"scikit-learn": "1.7.0"},
    }
    job = claim(version.job_id, "test")
    assert job is not None
    registration._make_ready(job, version, Examined(**{**usual, **(found or {})}), stored)
    version.refresh_from_db()
    return version
