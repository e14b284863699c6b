"""A Django project that the command runs in: `manage.py modelyard` hands it in, and the verbs ask for it here."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelyard.core.errors import InvalidInput

if TYPE_CHECKING:
    from modelyard.client import Client
    from modelyard.core.settings import Settings

SPELLING = "python manage.py modelyard"
_OURS = re.compile(r"(^|[`&;] ?)modelyard (?=[a-z])")


@dataclass(frozen=True, slots=True)
class Project:
    """What the verbs need of a project.

    Attributes:
        settings: ours, as its `MODELYARD` says them.
        client: gives a client that asks the project in this very process, for the tenant of that name.
        tenant: gives the tenant's name that is meant where none is said.
    """

    settings: "Settings"
    client: "Callable[[str], Client]"
    tenant: Callable[[], str]


_project: Project | None = None


def enter(project: Project | None) -> None:
    """Run the verbs in `project` from now on; None leaves it."""
    global _project
    _project = project


def current() -> Project | None:
    """Return the project that the command runs in, if it runs in one."""
    return _project


def refuse_home(home: object) -> None:
    """Refuse a folder that is given where the project says it.

    Raises:
        InvalidInput: when there is one.
    """
    if home is not None:
        raise InvalidInput(
            "--home is not taken here: MODELYARD['HOME'] in the project's settings says where all is kept"
        )


def spelled(text: str) -> str:
    """Return a text whose commands are written as they are called here."""
    return _OURS.sub(rf"\1{SPELLING} ", text) if _project is not None else text
