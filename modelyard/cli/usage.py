"""What a person typed and cannot be read as what it stands for: exit code 2, as for an unknown option."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from difflib import get_close_matches

from modelyard.core.errors import InvalidInput
from modelyard.core.metrics import parse_constraint
from modelyard.core.origins import read_origin
from modelyard.core.reference import VERSION, check_alias, check_name, parse_reference
from modelyard.core.table import check_dataset_name, parse_dataset


class NotUnderstood(InvalidInput):
    """The command line itself is wrong; nothing was asked of a server."""


def _understood(read: Callable[[str], object], text: str) -> str:
    """Return `text`, which `read` can read."""
    try:
        read(text)
    except InvalidInput as error:
        raise NotUnderstood(error.message) from None
    return text


def reference(text: str) -> str:
    """Return `text`, which names a model, a version or an alias (a callback of an argument)."""
    return _understood(parse_reference, text)


def version_reference(text: str) -> str:
    """Return `text`, which names one version, by number or alias (a callback of an argument)."""
    if str(parse_reference(reference(text)).model) == text:
        raise NotUnderstood(f"{text!r} names no version: expected one, as in '{text}:3'")
    return text


def dataset_reference(text: str) -> str:
    """Return `text`, which names a dataset, with or without its number (a callback of an argument)."""
    return _understood(parse_dataset, text)


def dataset_or_none(text: str) -> str:
    """Return `text`, which names a dataset or is empty (a callback of an option)."""
    return dataset_reference(text) if text else text


def model_name(text: str) -> str:
    """Return `text`, which may name a model (a callback of an argument)."""
    return _understood(lambda name: check_name(name, "a model"), text)


def dataset_name(text: str) -> str:
    """Return `text`, which may name a dataset (a callback of an option)."""
    return _understood(check_dataset_name, text)


def schedule_name(text: str) -> str:
    """Return `text`, which may name a schedule (a callback of an argument)."""
    return _understood(lambda name: check_name(name, "a schedule"), text)


def tenant_name(text: str) -> str:
    """Return `text`, which may name a tenant (a callback of an argument)."""
    return _understood(lambda name: check_name(name, "a tenant"), text)


def alias_name(text: str) -> str:
    """Return `text`, which may have named an alias, once with digits alone too (a callback of an argument)."""
    return _understood(lambda name: check_name(name, "an alias"), text)


def version_number(text: str) -> int:
    """Return the number of a version (the parser of an argument); an alias names no other alias."""
    if not VERSION.match(text):
        raise NotUnderstood(f"{text[:64]!r} is no version's number: expected one, as 3; an alias names no other alias")
    return int(text)


def new_alias(text: str) -> str:
    """Return `text`, which may name an alias, or is empty (a callback)."""
    return _understood(check_alias, text) if text else text


def consumer_name(text: str) -> str:
    """Return `text`, which may name a consumer (a callback of an argument)."""
    if not text.strip() or "/" in text:
        raise NotUnderstood(f"{text!r} names no consumer: expected a name without slashes")
    return text


def origin(text: str) -> str:
    """Return `text`, which is an origin that may be allowed (a callback of an argument)."""
    return _understood(read_origin, text)


def constraints(texts: list[str] | None) -> list[str]:
    """Return `texts`, each of which is a constraint (a callback of an option)."""
    with in_options({"constraints": "--constraint"}):
        return [_understood(parse_constraint, text) for text in texts or []]


def choice(option: str, text: str, choices: Iterable[str]) -> str:
    """Return `text`, which is one of `choices`."""
    known = [str(each) for each in choices]
    if text not in known:
        near = get_close_matches(text.lower(), known, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise NotUnderstood(f"{option} {text!r}: expected one of {', '.join(known)}{hint}")
    return text


@contextmanager
def in_options(options: Mapping[str, str]) -> Iterator[None]:
    """Let what is refused name the options that were typed, in the place of the fields that they became."""
    try:
        yield
    except InvalidInput as error:
        for field, option in options.items():
            error.message = re.sub(rf"(?:^|(?<=; )){field}(?=: )|`{field}`", option, error.message)
        raise


def moment(option: str, text: str) -> datetime:
    """Return the moment that `text` says, in UTC where it says no time zone."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise NotUnderstood(
            f"{option} {text!r}: expected ISO 8601, as 2027-01-31 or 2027-01-31T18:00:00+01:00"
        ) from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
