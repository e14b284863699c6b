"""What a child of another environment's interpreter does for an `IsolatedRuntime`; see `runtimes.elsewhere`."""

from typing import Any

from modelyard.runtimes.elsewhere import Estimator, open_files
from modelyard.sandbox.answering import answer_all


def serve(path: str, signature: dict[str, Any], answer_fd: int) -> None:
    """Open the file; see `answer_all`."""

    def load() -> Estimator:
        return Estimator(open_files([["the file", path]]), signature["columns"], signature["outputs"])

    answer_all(load, answer_fd)
