"""What a person typed and cannot be read as what it stands for: exit code 2, as for an unknown option."""

from modelyard.core.errors import InvalidInput
from modelyard.core.reference import check_name, parse_reference


class NotUnderstood(InvalidInput):
    """The command line itself is wrong; nothing was asked of a server."""


def reference(text: str) -> str:
    """Return `text`, which names a model, a version or an alias (a callback of an argument)."""
    try:
        parse_reference(text)
    except InvalidInput as error:
        raise NotUnderstood(error.message) from None
    return text


def version_reference(text: str) -> str:
    """Return `text`, which names one version, by number or alias (a callback of an argument)."""
    if str(parse_reference(reference(text)).model) == text:
        raise NotUnderstood(f"{text!r} names no version: expected one, as in '{text}:3'")
    return text


def model_name(text: str) -> str:
    """Return `text`, which may name a model (a callback of an argument)."""
    try:
        return check_name(text, "a model")
    except InvalidInput as error:
        raise NotUnderstood(error.message) from None
