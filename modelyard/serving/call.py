"""One request on its way through the core."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from modelyard.core.errors import ModelyardError
from modelyard.core.tensors import Answer
from modelyard.serving.message import Done, Request
from modelyard.serving.protocols.decoder import Decoded

if TYPE_CHECKING:
    from modelyard.serving.served import TenantView, VersionView


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a request is answered with.

    Attributes:
        view: the version that answered, or of several the one by whose signature the request was read.
        outputs: output name to one value for each row, as JSON has it.
        prediction_ids: one for each row.
        versions: the number of each row's version, where entities went to several; else None.
        answer: the same outputs as arrays, where one version answered.
    """

    view: "VersionView"
    outputs: dict[str, list[Any]]
    prediction_ids: list[str]
    versions: Sequence[int] | None = None
    answer: Answer | None = None


class BodyProtocol(Protocol):
    """One shape of bodies. An instance has no state: it serves all requests."""

    name: str

    def decode(self, call: "Call", view: "VersionView", max_rows: int) -> Decoded:
        """Read the request's body for a version.

        Raises:
            InvalidInput, TooLarge: when it does not fit.
        """

    def encode(self, call: "Call", outcome: Outcome) -> bytes:
        """Write the answer's body."""

    def refuse(self, error: ModelyardError, request_id: str) -> bytes:
        """Write an error's body."""


class Part:
    """The rows of a request that one version answers: nearly always all of them.

    Attributes:
        rows: their places in the request; None for all.
        probability: with which the plan chose the version; None when the request named it.
        answer, error: what the engine gave back.
    """

    __slots__ = ("answer", "call", "error", "probability", "rows", "view")

    def __init__(
        self, call: "Call", view: "VersionView", probability: float | None, rows: Sequence[int] | None = None
    ) -> None:
        self.call = call
        self.view = view
        self.probability = probability
        self.rows = rows
        self.answer: Answer | None = None
        self.error: ModelyardError | None = None


class Call:
    """What is known of a request so far.

    Attributes:
        authorization: the header, which says who asks.
        at: when it came, in seconds since 1970; `started` is the same on `time.monotonic`.
        model: name of the tenant's model, once it is known to exist.
        view: the version by whose signature it was read.
        parts: who answers which rows.
        left: how many parts are not back from the engine; guarded by `lock` where there are several.
        state: the protocol's own.
    """

    __slots__ = (
        "at",
        "authorization",
        "decoded",
        "done",
        "left",
        "lock",
        "model",
        "parts",
        "protocol",
        "request",
        "request_id",
        "started",
        "state",
        "tenant",
        "view",
    )

    def __init__(
        self,
        request: Request,
        done: Done,
        request_id: str,
        protocol: BodyProtocol,
        authorization: bytes | None = None,
    ) -> None:
        self.request = request
        self.authorization = authorization
        self.done = done
        self.request_id = request_id
        self.protocol = protocol
        self.at = time.time()
        self.started = time.monotonic()
        self.tenant: TenantView | None = None
        self.model: str | None = None
        self.view: VersionView | None = None
        self.decoded: Decoded | None = None
        self.parts: Sequence[Part] = ()
        self.left = 1
        self.lock: threading.Lock | None = None
        self.state: Any = None
