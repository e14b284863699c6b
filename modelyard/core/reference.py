"""How a request names what should answer: `iris`, `iris:3` or `iris@candidate`."""

import re
from dataclasses import dataclass

from modelyard.core.errors import InvalidInput

NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?\Z")
VERSION = re.compile(r"[1-9][0-9]{0,9}\Z")
NAME_RULE = "1 to 64 lower-case letters, digits, '.', '_' or '-', beginning and ending with a letter or digit"


@dataclass(frozen=True, slots=True)
class Reference:
    """A model, and at most one of a version number and an alias; with neither, the deployment's plan decides."""

    model: str
    version: int | None = None
    alias: str | None = None

    def __str__(self) -> str:
        if self.version is not None:
            return f"{self.model}:{self.version}"
        return f"{self.model}@{self.alias}" if self.alias else self.model


def check_name(name: str, what: str) -> str:
    """Return `name` if it may name a `what` (a model, an alias, a tenant).

    Raises:
        InvalidInput: with the rule, when it may not.
    """
    if not NAME.match(name):
        raise InvalidInput(f"{name!r} cannot name {what}: expected {NAME_RULE}")
    return name


def check_alias(name: str) -> str:
    """Return `name` if it may name an alias: digits alone would look like a version's number.

    Raises:
        InvalidInput: with the rule, when it may not.
    """
    if check_name(name, "an alias").isdigit():
        raise InvalidInput(
            f"{name!r} cannot name an alias: it looks like a version's number, which follows a colon, as in 'iris:3'; "
            "expected a letter in it"
        )
    return name


def parse_reference(text: str) -> Reference:
    """Read a reference.

    Raises:
        InvalidInput: when it is none of the three forms.
    """
    model, colon, version = text.partition(":")
    if colon:
        if not VERSION.match(version) or int(version) >= 2**31:
            raise InvalidInput(f"version {version!r} in {text!r}: expected a positive whole number, as in 'iris:3'")
        return Reference(check_name(model, "a model"), version=int(version))
    model, at, alias = text.partition("@")
    if at:
        return Reference(check_name(model, "a model"), alias=check_name(alias, "an alias"))
    return Reference(check_name(model, "a model"))
