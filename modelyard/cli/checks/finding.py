"""What a check found."""

from enum import StrEnum

import msgspec


class State(StrEnum):
    """`bad` is unsafe or does not work; `warning` works, with less than there could be."""

    OK = "ok"
    WARNING = "warning"
    BAD = "bad"


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of the report; `mend` is a command or value wherever there is one."""

    check: str
    state: State
    text: str
    mend: str = ""


def ok(check: str, text: str) -> Finding:
    return Finding(check, State.OK, text)


def warning(check: str, text: str, mend: str) -> Finding:
    return Finding(check, State.WARNING, text, mend)


def bad(check: str, text: str, mend: str) -> Finding:
    return Finding(check, State.BAD, text, mend)
