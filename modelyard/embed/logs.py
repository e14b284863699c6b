"""What our code logs goes through the standard library's loggers, which the project's LOGGING describes."""

from collections.abc import MutableMapping
from typing import Any

import structlog


def follow_the_project() -> None:
    """Hand events on to the logger of their module, `modelyard....`, unless the project has set structlog up itself."""
    if structlog.is_configured():
        return
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.PositionalArgumentsFormatter(),
            as_record,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def as_record(logger: Any, level: str, event: MutableMapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of the logger's method: the event with its facts as the message, and both as attributes."""
    exc_info, stack_info = event.pop("exc_info", None), event.pop("stack_info", None)
    action = str(event.pop("event", ""))
    message = " ".join([action, *(f"{name}={value!r}" for name, value in event.items())])
    extra = {"action": action, "facts": dict(event)}
    return {"msg": message, "exc_info": exc_info, "stack_info": stack_info, "extra": extra}
