"""The one tree of errors. It knows no transport: `statuses` maps each code to HTTP.

Every error that a user may see is a `ModelyardError`: `code` is stable and for programs, the message is for
people and says what was wrong, where, what was expected, and the likely mend. It never holds a path, a host
name or a traceback.
"""

from typing import Any, ClassVar


class ModelyardError(Exception):
    """The root: what went wrong, for a person, and `details` for a program (values that JSON can carry)."""

    code: ClassVar[str] = "internal"

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details

    def body(self, request_id: str) -> dict[str, Any]:
        """Return the error body that both planes answer with."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.details:
            error["details"] = self.details
        return {"error": {**error, "request_id": request_id}}


class InvalidInput(ModelyardError):
    """What was sent does not fit what is expected there."""

    code = "invalid_input"

    @classmethod
    def at(cls, place: str, message: str, code: str = "invalid") -> "InvalidInput":
        """Say at which place it is (`metrics.accuracy`), in the message and, for programs, in `details["places"]`."""
        return cls(f"{place}: {message}", places=[{"place": place, "message": message, "code": code}])


class Unauthenticated(ModelyardError):
    """No key, or one that is unknown, expired or revoked."""

    code = "unauthenticated"


class Forbidden(ModelyardError):
    """The key or member is known, but its scope or role is too small."""

    code = "forbidden"


class NotFound(ModelyardError):
    """Nothing by that name, or nothing that this tenant may see: the two look the same."""

    code = "not_found"


class MethodNotAllowed(ModelyardError):
    """The address exists, but not for this method."""

    code = "method_not_allowed"


class NotAcceptable(ModelyardError):
    """None of the formats that the client accepts can be given."""

    code = "not_acceptable"


class Conflict(ModelyardError):
    """What was asked for contradicts what is there."""

    code = "conflict"


class InUse(Conflict):
    """Something still needs what was to be deleted; `details["users"]` names it."""

    code = "in_use"


class HasConsumers(InUse):
    """Somebody has declared to depend on it, and the caller did not say that they were told."""

    code = "has_consumers"


class TooLarge(ModelyardError):
    """A body, a batch or a file is over its limit."""

    code = "too_large"


class UnsupportedFormat(ModelyardError):
    """A content type or file format that is not taken here."""

    code = "unsupported_format"


class QuotaExceeded(ModelyardError):
    """The tenant has used up what it may use for now."""

    code = "quota_exceeded"


class DeadlineExceeded(ModelyardError):
    """The work was not done in the time that it had."""

    code = "deadline_exceeded"


class Cancelled(ModelyardError):
    """The work was given up because somebody asked for that."""

    code = "cancelled"


class LimitExceeded(ModelyardError):
    """The work used more than it may: time, memory or output."""

    code = "limit_exceeded"


class ChildFailed(ModelyardError):
    """The process that did the work crashed, or was killed."""

    code = "child_failed"


class Unavailable(ModelyardError):
    """Not now, but a later try may succeed."""

    code = "unavailable"


class ModelRefused(ModelyardError):
    """A file that cannot become a version: hostile, broken, too old, or not a model."""

    code = "model_refused"


class DatasetRefused(ModelyardError):
    """A file that cannot become a dataset: broken, too much for the sandbox, or no table."""

    code = "dataset_refused"


class ModelFailed(ModelyardError):
    """The model itself failed on an input that fits its signature."""

    code = "model_failed"


class ArtifactCorrupt(ModelyardError):
    """Stored bytes no longer have the digest that they are named by."""

    code = "artifact_corrupt"


class Misconfigured(ModelyardError):
    """A setting or the machine is not fit to run; the message holds the command or value that mends it."""

    code = "misconfigured"
