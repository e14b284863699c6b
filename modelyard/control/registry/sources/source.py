"""What every source of datasets can do."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from modelyard.control.tenancy.models import Scope


class Source(Protocol):
    """Fetches the bytes of a dataset from places that the operator has named; a caller names places and never leads
    anywhere else.

    Attributes:
        kind: the word for it.
        field: what a caller says besides the place: `file` or `query`.
        scope: that a caller needs.
    """

    kind: str
    field: str
    scope: Scope

    def places(self) -> list[str]:
        """Return the names of the places that the operator has allowed."""

    def check(self, given: dict[str, str]) -> str:
        """Look at what a caller asks for, as far as it can be told at once, and return its format.

        Raises:
            InvalidInput, UnsupportedFormat: when it cannot be.
            Misconfigured: when a package lacks here.
        """

    def fetch(self, given: dict[str, Any], scratch: Path, max_bytes: int) -> Iterator[bytes]:
        """Give the bytes, in a worker; `scratch` is an empty folder, `max_bytes` what will be taken at most.

        Raises:
            InvalidInput, TooLarge: there is no such thing, or it is too large.
            Unavailable: the place does not answer; another try may succeed.
        """
