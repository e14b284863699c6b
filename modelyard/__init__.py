"""Modelyard turns a trained Python model into a governed, monitored prediction service."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelyard.client import Client

__version__ = "0.1.0"
__all__ = ["Client", "__version__"]


def __getattr__(name: str) -> Any:
    """Give `Client` when first asked for: whoever imports a part of the package pays for that part only."""
    if name == "Client":
        from modelyard.client import Client

        return Client
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
