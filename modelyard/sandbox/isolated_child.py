"""What a child of our own interpreter does for an `IsolatedRuntime`: one of our runtimes, asked until it is ended."""

from pathlib import Path
from typing import Any

import msgspec

from modelyard.core.signature import Signature
from modelyard.runtimes.runtime import Runtime, runtime_class
from modelyard.sandbox.answering import answer_all


def serve(path: str, signature: dict[str, Any], runtime: str, threads: int, answer_fd: int) -> None:
    """Load the model with the runtime of that alias; see `answer_all`."""

    def load() -> Runtime:
        return runtime_class(runtime).load(Path(path), msgspec.convert(signature, Signature), threads)

    answer_all(load, answer_fd)
