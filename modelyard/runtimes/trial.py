"""What happens to an ONNX graph in a clean sandboxed child: audited, described, run. Targets of `sandbox.run`."""

import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from modelyard.core.errors import ModelFailed, ModelRefused
from modelyard.core.signature import Signature
from modelyard.core.tensors import Batch, take
from modelyard.runtimes import parity
from modelyard.runtimes.audit import audit
from modelyard.runtimes.frames import read_batch, read_file
from modelyard.runtimes.onnx import OnnxRuntime, open_session
from modelyard.runtimes.timing import time_calls

MANY_ROWS = 10_000
"""A graph is run with as many rows as a request may have by default: what grows faster than they do shows here."""
MAX_ELEMENTS = 4_000_000
"""Of one column, or one matrix, in a dry run; about what a request's body may hold."""


def try_graph(graph: str, rows: str, expected: str, signature: dict[str, Any]) -> dict[str, Any]:
    """Audit a converted graph, run it, and compare with the estimator's answers."""
    data = Path(graph).read_bytes()
    found = audit(data, "the converted graph")
    runtime = OnnxRuntime(open_session(Path(graph)), msgspec.convert(signature, Signature))
    batch = read_batch(*read_file(Path(rows)))
    try:
        given = runtime.predict(batch)
    except ModelFailed as error:
        comparison = parity.Comparison(batch.n_rows, failure=error.message)
    else:
        comparison = parity.compare(read_file(Path(expected))[1], given, batch.n_rows)
    seconds = _many(runtime, batch) if comparison.agrees else 0.0
    return {
        "audit": msgspec.to_builtins(found),
        "comparison": msgspec.to_builtins(comparison),
        "many_seconds": seconds,
        "timing": msgspec.to_builtins(time_calls(runtime.predict, batch)) if comparison.agrees else None,
    }


def _many(runtime: OnnxRuntime, batch: Batch) -> float:
    """Run as many rows as a request may have; return the seconds."""
    width = 1 if batch.matrix is None else batch.matrix.shape[1]
    count = min(MANY_ROWS, max(1, MAX_ELEMENTS // width))
    many = take(batch, np.arange(count) % batch.n_rows)
    started = time.monotonic()
    try:
        runtime.predict(many)
    except ModelFailed as error:
        raise ModelRefused(f"the graph does not answer {count} rows at once: {error.message}") from error
    return time.monotonic() - started
