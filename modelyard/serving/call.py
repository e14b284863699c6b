"""One request on its way through the core."""

import time
from typing import TYPE_CHECKING, Any, Protocol

from modelyard.core.errors import ModelyardError
from modelyard.serving.message import Done, Request
from modelyard.serving.protocols.decoder import Decoded

if TYPE_CHECKING:
    from modelyard.serving.served import TenantView, VersionView


class BodyProtocol(Protocol):
    """One shape of bodies. An instance has no state: it serves all requests."""

    name: str

    def decode(self, call: "Call", view: "VersionView", max_rows: int) -> Decoded:
        """Read the request's body for a version.

        Raises:
            InvalidInput, TooLarge: when it does not fit.
        """

    def encode(self, call: "Call", outputs: dict[str, list[Any]], prediction: str) -> bytes:
        """Write the answer's body; the rows' prediction ids are `<prediction>.<row>`."""

    def refuse(self, error: ModelyardError, request_id: str) -> bytes:
        """Write an error's body."""


class Call:
    """What is known of a request so far.

    Attributes:
        at: when it came, in seconds since 1970; `started` is the same on `time.perf_counter`.
        model: name of the tenant's model, once it is known to exist.
        view: the version that answers.
        probability: with which the plan chose it; None when the request named it.
        state: the protocol's own.
    """

    __slots__ = (
        "at",
        "decoded",
        "done",
        "model",
        "probability",
        "protocol",
        "request",
        "request_id",
        "started",
        "state",
        "tenant",
        "view",
    )

    def __init__(self, request: Request, done: Done, request_id: str, protocol: BodyProtocol) -> None:
        self.request = request
        self.done = done
        self.request_id = request_id
        self.protocol = protocol
        self.at = time.time()
        self.started = time.perf_counter()
        self.tenant: TenantView | None = None
        self.model: str | None = None
        self.view: VersionView | None = None
        self.probability: float | None = None
        self.decoded: Decoded | None = None
        self.state: Any = None
