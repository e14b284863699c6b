"""Real data sets, and what is served of a model fitted to one."""

import importlib
import json
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from modelyard.core.tensors import Answer, Batch
from modelyard.runtimes.parity import batch_of
from modelyard.runtimes.runtime import Runtime, runtime_class
from modelyard.sandbox import examination
from modelyard.sandbox.examination import Examined, examine
from modelyard.sandbox.isolated import IsolatedRuntime
from modelyard.sandbox.limits import Limits


@dataclass
class Served:
    """A version as the data plane would hold it."""

    examined: Examined
    runtime: Runtime

    def answer(self, data: Any) -> Answer:
        """Answer rows given as a DataFrame or an array."""
        signature = self.examined.signature
        if isinstance(data, np.ndarray):
            return self.runtime.predict(Batch(len(data), matrix=np.ascontiguousarray(data, dtype=np.float64)))
        columns = {name: _plain(data[name]) for name in signature.names}
        return self.runtime.predict(batch_of(columns, signature))


def _plain(series: Any) -> np.ndarray:
    if series.dtype.kind in "iufb":
        return np.asarray(series.to_numpy())
    values = np.empty(len(series), dtype=object)
    values[:] = [value if isinstance(value, str) else None for value in series.tolist()]
    return values


def called_here(target: str, arguments: dict[str, Any], **_: Any) -> Any:
    """Call in this process what a sandboxed child would, which takes a second to import scikit-learn; as JSON too."""
    module, _, name = target.partition(":")
    function = getattr(importlib.import_module(module), name)
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")  # a child says them to nobody
        return json.loads(json.dumps(function(**json.loads(json.dumps(arguments)))))


@pytest.fixture
def no_children(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have files examined in this process."""
    monkeypatch.setattr(examination, "run", called_here)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Return a function that examines files, (name, bytes) each, and loads what is to be served."""
    loaded: list[Runtime] = []

    def call(*files: tuple[str, bytes], sample: tuple[str, bytes] | None = None, **given: Any) -> Served:
        folder = tmp_path / f"upload-{len(loaded)}"
        (folder / "scratch").mkdir(parents=True)
        stored = []
        for number, (name, data) in enumerate(files):
            path = folder / f"file-{number}"
            path.write_bytes(data)
            stored.append((name, path))
        if sample is not None:
            (folder / "sample").write_bytes(sample[1])
            given["sample"] = (sample[0], folder / "sample")
        examined = examine(stored, scratch=folder / "scratch", limits=Limits(seconds=180), **given)
        runtime: Runtime
        if examined.isolated:
            runtime = IsolatedRuntime.load(
                examined.serving, examined.signature, runtime=examined.runtime, limits=Limits(seconds=60)
            )
        else:
            runtime = runtime_class(examined.runtime).load(examined.serving, examined.signature)
        loaded.append(runtime)
        return Served(examined, runtime)

    yield call
    for runtime in loaded:
        runtime.unload()
