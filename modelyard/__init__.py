"""Modelyard turns a trained Python model into a governed, monitored prediction service."""

import os
from typing import TYPE_CHECKING, Any

# ONNX Runtime reads this when it is first imported, and else writes an id beneath the home folder and reports to its
# makers. Here, as no process of ours gets at it but through this package, whatever its environment.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

if TYPE_CHECKING:
    from modelyard.client import Client
    from modelyard.embed.predicting import apredict, predict

__version__ = "0.1.0"
__all__ = ["Client", "__version__", "apredict", "predict"]


def __getattr__(name: str) -> Any:
    """Give a name when it is first asked for: whoever imports a part of the package pays for that part only.

    `predict` and `apredict` answer within a Django project that Modelyard is a part of; see docs/django.md.
    """
    if name == "Client":
        from modelyard.client import Client

        return Client
    if name in ("predict", "apredict"):
        from modelyard.embed import predicting

        return getattr(predicting, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
