"""Who answers the try-it form: handed in by `config`, since the console may not import the data plane."""

from typing import Any, Protocol

from modelyard.control.tenancy.models import Tenant
from modelyard.core.errors import Unavailable


class Predictor(Protocol):
    """Asks the data plane, in process when embedded and over HTTP when split."""

    def predict(self, tenant: Tenant, reference: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """Return the body that `POST /predict/{ref}` answers with.

        Raises:
            ModelyardError: what the data plane refused with.
        """

    def stored(self, tenant: Tenant, model: str, entity: str) -> dict[str, Any]:
        """Return the body that `GET /precomputed/{model}/{entity}` answers with.

        Raises:
            ModelyardError: what the data plane refused with.
        """


_current: Predictor | None = None


def hand_in(predictor: Predictor | None) -> None:
    """Let `predictor` answer from now on; None takes it away."""
    global _current
    _current = predictor


def current() -> Predictor:
    """Return who answers.

    Raises:
        Unavailable: when nobody was handed in.
    """
    if _current is None:
        raise Unavailable("this process cannot ask the data plane: it was started without a predictor")
    return _current
