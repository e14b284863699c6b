"""What each kind of job does: a table from kind to handler, filled by the apps that have jobs."""

from typing import TYPE_CHECKING, Any, Protocol

from modelyard.control.jobs.models import Job
from modelyard.core.errors import Misconfigured, ModelyardError

if TYPE_CHECKING:
    from modelyard.control.jobs.reporting import Report


class Handler(Protocol):
    """Does the jobs of one kind. It may run more than once for a job, at the same time even, but completes it once.

    With `repeatable = True` an ended job may be run again: a new one, of the same payload. With a method `about(job)`
    it says in its own words what a job is about; it asks no database, since lists of jobs call it for each.
    """

    def run(self, job: Job, report: "Report") -> dict[str, Any]:
        """Do the work outside any transaction, and return the outcome (JSON).

        Rows that belong to the outcome are written inside `services.completing(job, outcome)`, which makes them and
        the job's success one transaction; what `run` returns is then ignored. So it is after `services.split`: once
        the parts have ended, `run` is called again, and sees them as `job.parts`.

        It says how far it is by `report(fraction, message)`, and adds to the log by `report.log(text)`. When the job
        was cancelled, took too long or is another worker's, `report` and `report.check` raise, and a sandboxed child
        that this thread waits for is ended: let these errors pass.

        Raises:
            ModelyardError: the job has failed for good. Those of `services.AGAIN`, and any other exception, count an
                attempt, of which there are 3.
        """

    def failed(self, job: Job, error: ModelyardError) -> None:
        """Write what follows from the failure; called once, in the transaction that makes the job FAILED, or, with
        `Cancelled`, CANCELLED."""


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


def kinds() -> list[str]:
    """Return the kinds of jobs that are done in this process."""
    return sorted(_handlers)


def is_repeatable(kind: str) -> bool:
    """Tell whether an ended job of this kind may be run again."""
    return bool(getattr(_handlers.get(kind), "repeatable", False))


def about(job: Job) -> str:
    """Return what a job is about, as `late on small:1`: the words that the console, the API and the command show.

    They are its handler's, where that has some, else the model, version and dataset that the job was given.
    """
    own = getattr(_handlers.get(job.kind), "about", None)
    return str(own(job)) if own else named_in(job.payload)


def named_in(payload: dict[str, Any]) -> str:
    """Return the version or model, and the dataset, that a payload names."""
    model, number, dataset = (payload.get(name) for name in ("model", "number", "dataset"))
    if model is None:
        return f"{dataset}:{number}" if dataset and number else str(dataset or "")
    made = f"{model}:{number}" if number else str(model)
    return f"{made} on {dataset}" if dataset else made


def handler_for(kind: str) -> Handler:
    """Return who does jobs of `kind`.

    Raises:
        Misconfigured: when nobody does in this process.
    """
    try:
        return _handlers[kind]
    except KeyError:
        raise Misconfigured(f"no handler does jobs of the kind {kind!r} here") from None
