"""Fitted scikit-learn estimators. Loading one runs code that its file names: only ever in a sandboxed child."""

from pathlib import Path
from typing import Any, Self

from modelyard.core.signature import Signature
from modelyard.runtimes.asking import Asked
from modelyard.runtimes.loading import load_estimator


class SklearnRuntime(Asked):
    """An estimator that our own environment opens."""

    @classmethod
    def load(cls, path: Path, signature: Signature, threads: int = 1) -> Self:
        """Load the estimator; see `Runtime.load`."""
        return cls(load_estimator(path), signature.columns, signature.outputs)

    def unload(self) -> None:
        """Let the estimator go."""
        self._estimator = None

    def metadata(self) -> dict[str, Any]:
        """Return the library's release."""
        import sklearn

        return {"framework": "scikit-learn", "release": sklearn.__version__, "threads": 1}
