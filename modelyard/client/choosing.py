"""The part of the client that tells which version is the better one, and what it answers."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from modelyard.client.connected import Connected
from modelyard.client.records import Version
from modelyard.client.serving import await_served
from modelyard.client.transport import API
from modelyard.core.errors import InvalidInput
from modelyard.core.reference import Reference, check_name


class Loser(msgspec.Struct, frozen=True, kw_only=True):
    """A version that was not chosen; `reason` says why, `failures` which constraints it breaks, and by how much."""

    number: int
    code: str
    reason: str
    value: float | None = None
    failures: list[dict[str, Any]] = []


class Winner(msgspec.Struct, frozen=True, kw_only=True):
    """The version that was chosen, with its value of the metric and all others that it has."""

    number: int
    reference: str
    value: float
    values: dict[str, float] = {}


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Which version is the best, and why each of the others is not.

    Attributes:
        ties: how one of several equal ones is chosen.
        champion: the version that answered most before.
        changed: false where it was only told, or was so already.
        undo: the call that takes the change back: `verb`, `method`, `path`, `body`.
    """

    model: str
    metric: str
    direction: str
    winner: Winner
    losers: list[Loser] = []
    constraints: list[str] = []
    ties: str = ""
    champion: int | None = None
    alias: str | None = None
    activate: bool = False
    changed: bool = False
    undo: dict[str, Any] | None = None


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Two versions beside one another. Rows hold `name`, `change` (same, changed, added, dropped), `left` and `right`.

    Attributes:
        differences: name of a part to how many of its rows differ.
        signature: `columns` and `outputs` that differ, `reordered`, and whether both are `known`.
        features: `added` and `dropped`, of those that reach the predictor or, as `where` says, of the inputs.
        steps: of the fitted estimator: `rows`, each with the `parameters` that differ.
        metrics: rows with `difference` (right less left) and which is `better`, where that is known.
        measured: the same of `p95_seconds` and `size_bytes`.
    """

    model: str
    left: dict[str, Any]
    right: dict[str, Any]
    same: bool
    differences: dict[str, int]
    signature: dict[str, Any]
    features: dict[str, Any]
    steps: dict[str, Any]
    parameters: list[dict[str, Any]] = []
    metrics: list[dict[str, Any]] = []
    measured: list[dict[str, Any]] = []
    packages: list[dict[str, Any]] = []
    data: list[dict[str, Any]] = []
    manifest: list[dict[str, Any]] = []
    about: list[dict[str, Any]] = []


def wish(**fields: Any) -> dict[str, Any]:
    """Return the body of a `select`: what is None or empty is left out, times are ISO 8601."""
    given = {name: value for name, value in fields.items() if value not in (None, "", False) and value != []}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in given.items()}


def listed(texts: str | Sequence[str]) -> list[str]:
    """Return one text, or several, as a list."""
    return [texts] if isinstance(texts, str) else list(texts)


def side(model: str, version: Any) -> str:
    """Return how the server is asked for one side of a comparison: a number, an alias or `champion`.

    Raises:
        InvalidInput: when it is of another model.
    """
    reference = version if isinstance(version, Reference) else None
    if reference is None:
        named = getattr(version, "number", version)
        return str(named) if isinstance(named, int) else check_name(str(named), "a version")
    if reference.model != model:
        raise InvalidInput(f"{reference} is of another model, expected a version of {model}")
    if reference.version is not None:
        return str(reference.version)
    return reference.alias or "champion"


class Choosing(Connected):
    """What `Client` inherits."""

    def select(
        self,
        model: str,
        metric: str = "",
        *,
        direction: str = "",
        constraints: str | Sequence[str] = (),
        alias: str = "",
        activate: bool = False,
        pool_aliases: str | Sequence[str] = (),
        pool_from: int | None = None,
        pool_to: int | None = None,
        pool_since: datetime | str | None = None,
        expect: int | None = None,
        reason: str = "",
        wait: bool = True,
        despite_consumers: bool = False,
    ) -> Selection:
        """Choose the best ready version of a model by a metric; let an alias name it, or activate it, or only tell.

        Args:
            metric: one of the versions', or `p95_seconds` or `size_bytes`, which were measured when they were pushed;
                left out, the charter's is meant.
            direction: `maximize` or `minimize`; known of well-known metrics.
            constraints: as `p95_seconds<=5ms`, `size_bytes<=50MiB`, `accuracy>=0.95`.
            pool_aliases, pool_from, pool_to, pool_since: look only at what these name, at these numbers, at what was
                pushed since.
            expect: the winner that was told before; is it another one now, nothing is changed.
            wait, despite_consumers: as in `promote`.

        Raises:
            Conflict: when no version keeps to the constraints; `details["losers"]` says why of each.

        Example:
            >>> yard.select("iris", "accuracy", constraints=["p95_seconds<=5ms"], alias="candidate").winner.number
            3
        """
        body = wish(
            metric=metric, direction=direction, constraints=listed(constraints), alias=alias,
            activate=activate, pool_aliases=listed(pool_aliases), pool_from=pool_from, pool_to=pool_to,
            pool_since=pool_since, expect=expect, reason=reason, despite_consumers=despite_consumers,
        )  # fmt: skip
        path = f"{API}/models/{check_name(model, 'a model')}/select"
        if not (alias or activate):
            body = {name: value for name, value in body.items() if name not in ("reason", "despite_consumers")}
            return self._get(path, Selection, body)
        selection = self._send("POST", path, Selection, body)
        if wait:
            await_served(self._data, f"{model}@{alias}" if alias else model, selection.winner.number)
        return selection

    def compare(self, model: str, left: Version | int | str, right: Version | int | str) -> Comparison:
        """Put two versions of a model beside one another; each is a number, an alias or `champion`.

        Example:
            >>> [row for row in yard.compare("iris", "champion", 3).metrics if row["better"] == "right"]
        """
        sides = {"left": side(model, left), "right": side(model, right)}
        path = f"{API}/models/{check_name(model, 'a model')}/compare"
        return self._get(path, Comparison, sides)
