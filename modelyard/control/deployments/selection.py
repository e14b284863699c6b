"""Which version of a pool is the best, and why each of the others is not. Pure: rows come in, a choice comes out."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from modelyard.control.registry.models import Version
from modelyard.core.errors import Conflict, InvalidInput
from modelyard.core.metrics import MEASURED, P95, SIZE, Constraint, Direction, amount, nearest

TIES = f"of equal ones the one with the smaller {SIZE}, then the lower {P95}, then the newest"
REASONS_TOLD = 5
"""In the message of a refusal; `details` holds them all."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Which ready versions are looked at: all, unless said otherwise.

    Attributes:
        aliases: only those that one of these names means.
        first: only from this number on.
        last: only up to this number.
        since: only those that were pushed at that moment or later.
    """

    aliases: tuple[str, ...] = ()
    first: int | None = None
    last: int | None = None
    since: datetime | None = None

    def __str__(self) -> str:
        said = [f"@{name}" for name in self.aliases]
        said += [f"from number {self.first}"] if self.first is not None else []
        said += [f"up to number {self.last}"] if self.last is not None else []
        said += [f"pushed since {self.since:%Y-%m-%d %H:%M} UTC"] if self.since else []
        return ", ".join(said)


@dataclass(frozen=True, slots=True)
class Loser:
    """A version that was not chosen.

    Attributes:
        code: `no_metric`, `constraint`, `runs_code`, `worse` or `tie`.
        reason: for people.
        value: of the metric, where it has it.
        failures: constraints that it breaks: `constraint`, `metric`, `value` (null: it has none), `by`.
    """

    number: int
    code: str
    reason: str
    value: float | None = None
    failures: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Choice:
    """The best version, and the others: those that came next first, then those that could not be chosen, best first."""

    winner: Version
    value: float
    losers: list[Loser]


@dataclass(frozen=True, slots=True)
class Wish:
    """What is looked for."""

    metric: str
    direction: Direction
    constraints: Sequence[Constraint] = ()


def check_known(pool: Sequence[Version], metric: str, constraints: Sequence[Constraint]) -> None:
    """Let pass metrics that somebody in the pool has.

    Raises:
        InvalidInput: when nobody has one; the message names the nearest.
    """
    known = {name for version in pool for name in version.values} | set(MEASURED)
    asked = [("metric", metric), *(("constraints", constraint.metric) for constraint in constraints)]
    for place, name in asked:
        if name not in known:
            raise InvalidInput.at(place, f"no version of the pool has `{name[:100]}`; {nearest(name, known)}")


def choose(pool: Sequence[Version], wish: Wish, *, runs_code: bool = True) -> Choice:
    """Return the best version of the pool. `runs_code`: one that carries code may be chosen.

    Raises:
        Conflict: when nobody in the pool can be chosen; `details["losers"]` says why of each.
    """
    fit: list[Version] = []
    unfit: list[Loser] = []
    for version in pool:
        obstacle = _obstacle(version, wish, runs_code)
        if obstacle:
            unfit.append(obstacle)
        else:
            fit.append(version)
    unfit.sort(key=lambda loser: _worth(loser.value, wish))
    if not fit:
        raise _nobody(pool, unfit)
    fit.sort(key=lambda version: _rank(version, wish))
    winner = fit[0]
    return Choice(winner, winner.values[wish.metric], [*(_beaten(each, winner, wish) for each in fit[1:]), *unfit])


def _rank(version: Version, wish: Wish) -> tuple[float, ...]:
    values = version.values
    unknown = float("inf")
    return _worth(values[wish.metric], wish), values.get(SIZE, unknown), values.get(P95, unknown), -version.number


def _worth(value: float | None, wish: Wish) -> float:
    """Return what sorts the best first, and those without a value last."""
    if value is None:
        return float("inf")
    return -value if wish.direction is Direction.MAXIMIZE else value


def _obstacle(version: Version, wish: Wish, runs_code: bool) -> Loser | None:
    """Return why a version cannot be chosen whatever the others are; None when it can."""
    values = version.values
    value = values.get(wish.metric)
    failures = [failure for constraint in wish.constraints if (failure := _failure(version, constraint))]
    if value is None:
        return Loser(version.number, "no_metric", _lacks(version, wish.metric), None, failures)
    if failures:
        said = "; ".join(failure["reason"] for failure in failures)
        return Loser(version.number, "constraint", said, value, failures)
    if version.isolated and not runs_code:
        return Loser(version.number, "runs_code", "it carries code, which this tenant does not run", value)
    return None


def _lacks(version: Version, metric: str) -> str:
    if metric != P95:
        return f"it has no `{metric}`"
    why = version.measured.get("reason") or "it was examined before this was measured: push it again"
    return f"its {P95} was not measured: {why}"


def _failure(version: Version, constraint: Constraint) -> dict[str, Any] | None:
    value = version.values.get(constraint.metric)
    told: dict[str, Any] = {"constraint": constraint.text, "metric": constraint.metric, "value": value, "by": None}
    if value is None:
        return {**told, "reason": f"{_lacks(version, constraint.metric)}, which `{constraint.text}` asks for"}
    if constraint.holds(value):
        return None
    by = abs(value - constraint.bound)
    shown = f"{constraint.metric} is {amount(constraint.metric, value)}"
    if not by or constraint.operator in ("==", "!="):
        return {**told, "by": by, "reason": f"{shown}, against `{constraint.text}`"}
    side = "over" if value > constraint.bound else "under"
    return {**told, "by": by, "reason": f"{shown}, {amount(constraint.metric, by)} {side} `{constraint.text}`"}


def _beaten(version: Version, winner: Version, wish: Wish) -> Loser:
    value, best = version.values[wish.metric], winner.values[wish.metric]
    theirs = f"version {winner.number}'s {amount(wish.metric, best)}"
    shown = f"{wish.metric} is {amount(wish.metric, value)}"
    if value != best:
        side = "more" if value > best else "less"
        gap = f"{amount(wish.metric, abs(value - best))} {side} than"
        return Loser(version.number, "worse", f"{shown}, {gap} {theirs}", value)
    return Loser(version.number, "tie", f"{shown}, as {theirs}; {_tie(version, winner)}", value)


def _tie(version: Version, winner: Version) -> str:
    """Return by which part of `TIES` the winner won."""
    for name in (SIZE, P95):
        own, its = version.values.get(name), winner.values.get(name)
        if own != its:
            ours = "not measured" if own is None else amount(name, own)
            return f"its {name} is {ours} against {'nothing' if its is None else amount(name, its)}"
    return "the other is newer"


def _nobody(pool: Sequence[Version], losers: list[Loser]) -> Conflict:
    said = [f"version {loser.number}: {loser.reason}" for loser in losers[:REASONS_TOLD]]
    rest = f"; and {len(losers) - REASONS_TOLD} more" if len(losers) > REASONS_TOLD else ""
    many = "the only version" if len(pool) == 1 else f"none of the {len(pool)} versions"
    verb = "cannot" if len(pool) == 1 else "can"
    return Conflict(
        f"{many} of the pool {verb} be chosen; nothing was changed. {'; '.join(said)}{rest}",
        losers=[as_facts(loser) for loser in losers],
    )


def as_facts(loser: Loser) -> dict[str, Any]:
    """Return a loser as JSON values."""
    return {name: getattr(loser, name) for name in ("number", "code", "reason", "value", "failures")}
