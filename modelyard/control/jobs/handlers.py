"""What each kind of job does: a table from kind to handler, filled by the apps that have jobs."""

from collections.abc import Callable
from typing import Any, Protocol

from modelyard.control.jobs.models import Job
from modelyard.core.errors import Misconfigured, ModelyardError

Report = Callable[[float, str], None]
"""Says how far the work is (0 to 1) and what it does now; raises `LeaseLost` when the job is no longer ours."""


class Handler(Protocol):
    """Does the jobs of one kind. It may run more than once for a job, at the same time even, but completes it once."""

    def run(self, job: Job, report: Report) -> dict[str, Any]:
        """Do the work outside any transaction, and return the outcome (JSON).

        Rows that belong to the outcome are written inside `services.completing(job, outcome)`, which makes them and
        the job's success one transaction; what `run` returns is then ignored.

        Raises:
            ModelyardError: the job has failed for good. `Unavailable`, and any other exception, counts an attempt, of
                which there are 3.
        """

    def failed(self, job: Job, error: ModelyardError) -> None:
        """Write what follows from the failure; called once, in the transaction that makes the job FAILED."""


_handlers: dict[str, Handler] = {}


def register(kind: str, handler: Handler) -> None:
    """Let `handler` do the jobs of `kind`; called from `AppConfig.ready`.

    Raises:
        Misconfigured: when another handler does them already.
    """
    if kind in _handlers and type(_handlers[kind]) is not type(handler):
        raise Misconfigured(f"two handlers want jobs of the kind {kind!r}")
    _handlers[kind] = handler


def unregister(kind: str) -> None:
    """Forget the handler of `kind`."""
    _handlers.pop(kind, None)


def handler_for(kind: str) -> Handler:
    """Return who does jobs of `kind`.

    Raises:
        Misconfigured: when nobody does in this process.
    """
    try:
        return _handlers[kind]
    except KeyError:
        raise Misconfigured(f"no handler does jobs of the kind {kind!r} here") from None
