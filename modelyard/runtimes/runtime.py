"""What every runtime can do, and the table of them."""

from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from modelyard.core.errors import Misconfigured
from modelyard.core.signature import Signature
from modelyard.core.tensors import Answer, Batch

CLASSES: dict[str, str] = {
    "onnx": "modelyard.runtimes.onnx:OnnxRuntime",
    "sklearn": "modelyard.runtimes.sklearn:SklearnRuntime",
}
"""Alias to `module:class`. The module, and the framework that it imports, is loaded when first needed."""


class Runtime(Protocol):
    """A loaded model. Its methods are called from one thread at a time."""

    @classmethod
    def load(cls, path: Path, signature: Signature, threads: int = 1) -> "Runtime":
        """Load the file, whose digest was checked.

        Raises:
            ModelRefused: when it is not of this runtime's format or does not fit the signature.
        """

    def predict(self, batch: Batch) -> Answer:
        """Return every output of the signature, each with `batch.n_rows` rows.

        Raises:
            ModelFailed: when the model does.
        """

    def unload(self) -> None:
        """Give back memory and threads; the object is not used again."""

    def metadata(self) -> dict[str, Any]:
        """Return facts for people: framework, its release, threads."""


def runtime_class(alias: str) -> type[Runtime]:
    """Import the runtime.

    Raises:
        Misconfigured: when there is none by this alias, or its extra is not installed.
    """
    if alias not in CLASSES:
        raise Misconfigured(f"no runtime is called {alias!r}: expected one of {', '.join(CLASSES)}")
    module, _, name = CLASSES[alias].partition(":")
    try:
        found: type[Runtime] = getattr(import_module(module), name)
        return found
    except ModuleNotFoundError as error:
        raise Misconfigured(
            f"runtime {alias!r} needs the package {error.name}: pip install 'modelyard[{alias}]'"
        ) from error
