"""`select`: the best version of a model's pool, told, or named by an alias, or activated, in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from modelyard.control.deployments import services
from modelyard.control.deployments.models import PlanRecord
from modelyard.control.deployments.selection import TIES, Choice, Pool, Wish, as_facts, check_known, choose
from modelyard.control.deployments.undo import undo_of
from modelyard.control.registry.charters import charter_of
from modelyard.control.registry.models import HEAVY, Model, Version
from modelyard.control.registry.services import alias_undo, check_alias, lock_model, move_alias
from modelyard.control.tenancy.models import Scope, Tenant
from modelyard.control.tenancy.services import Actor, record, require
from modelyard.core.errors import Conflict, InvalidInput
from modelyard.core.metrics import Constraint, Direction, direction_of, parse_constraint

MOST_VERSIONS = 1000
MOST_CONSTRAINTS = 20
MOST_ALIASES = 50


@dataclass(frozen=True, slots=True)
class Selection:
    """What `select` found and did.

    Attributes:
        champion: the version that answered most before; None: nothing was served.
        changed: false where it was only told, or was so already.
        undo: the call that takes the change back; None where nothing changed.
    """

    wish: Wish
    choice: Choice
    champion: int | None
    alias: str
    activates: bool
    changed: bool
    undo: dict[str, Any] | None

    def facts(self) -> dict[str, Any]:
        """Return all of it as JSON values."""
        winner = self.choice.winner
        return {
            "model": winner.model.name,
            "metric": self.wish.metric,
            "direction": str(self.wish.direction),
            "constraints": [constraint.text for constraint in self.wish.constraints],
            "ties": TIES,
            "winner": {
                "number": winner.number,
                "reference": str(winner),
                "value": self.choice.value,
                "values": winner.values,
            },
            "losers": [as_facts(loser) for loser in self.choice.losers],
            "champion": self.champion,
            "alias": self.alias or None,
            "activate": self.activates,
            "changed": self.changed,
            "undo": self.undo,
        }


def select(
    *,
    actor: Actor,
    model: Model,
    metric: str = "",
    direction: str = "",
    constraints: Sequence[str] = (),
    pool: Pool | None = None,
    alias: str = "",
    activates: bool = False,
    expect: int | None = None,
    reason: str = "",
    despite_consumers: bool = False,
) -> Selection:
    """Choose the best ready version; let `alias` name it, or activate it, or, with neither, only tell.

    Without a metric the charter's is meant; `direction` may be left out for a well-known one. `expect`: the winner that
    was told before; when it is another one now, nothing is changed. Until the transaction ends the model is locked: the
    winner cannot be deleted meanwhile.

    Raises:
        InvalidInput: when no metric is named, or nobody has it, a constraint is none, the direction is not known, or
            the alias may not be moved.
        Conflict: when nobody can be chosen, or the winner is not `expect`; why is in the message and the details.
        HasConsumers: when the winner refuses what consumers may ask as things are, and nothing was said of them.
    """
    require(actor, Scope.WRITE if alias or activates else Scope.READ)
    parsed = _constraints(constraints)
    if alias and activates:
        raise InvalidInput.at("alias", "expected an alias or `activate`, not both; select again for the other")
    if alias:
        check_alias(alias)
    with transaction.atomic():
        locked = lock_model(actor, model) if alias or activates else model
        metric = metric or _agreed_metric(locked)
        found = _pool(locked, pool or Pool())
        check_known(found, metric, parsed)
        wish = Wish(metric, _direction(metric, direction), parsed)
        choice = choose(found, wish, runs_code=not activates or _runs_code(actor))
        _check_expected(locked, choice, expect)
        champion = services.in_force(locked)
        before = champion.as_plan().champion if champion else None
        changed, undo = False, None
        if alias:
            changed, undo = _name(actor, locked, alias, choice.winner, despite_consumers)
        elif activates:
            changed, undo = _activate(actor, locked, choice, wish, reason, despite_consumers)
        selection = Selection(wish, choice, before, alias, activates, changed, undo)
        if changed:
            details = selection.facts()
            details["losers"] = {str(loser.number): loser.code for loser in choice.losers}
            record(actor=actor, verb="model.select", subject=f"model:{locked.name}", details=details)
    return selection


def candidates(model: Model, pool: Pool) -> list[Version]:
    """Return the ready versions of the pool, the newest first, without their heavy fields.

    Raises:
        InvalidInput: when the pool names an alias that is none, or holds too many.
    """
    rows = model.versions.ready().filter(serving__isnull=False).select_related("serving").defer(*HEAVY, "manifest")
    if pool.aliases:
        named = dict(model.aliases.values_list("name", "version"))
        lacking = [name for name in pool.aliases if name not in named]
        if lacking:
            there = ", ".join(sorted(named)[:20]) or "none"
            raise InvalidInput.at("pool_aliases", f"{model.name} has no alias {lacking[0][:64]!r}; it has {there}")
        rows = rows.filter(pk__in=[named[name] for name in pool.aliases])
    if pool.first is not None:
        rows = rows.filter(number__gte=pool.first)
    if pool.last is not None:
        rows = rows.filter(number__lte=pool.last)
    if pool.since is not None:
        rows = rows.filter(created_at__gte=pool.since)
    found = list(rows.order_by("-number")[: MOST_VERSIONS + 1])
    if len(found) > MOST_VERSIONS:
        raise InvalidInput.at(
            "pool", f"more than {MOST_VERSIONS} versions: narrow it by `pool_from`, `pool_to` or `pool_since`"
        )
    for version in found:
        version.model = model
    return found


def _pool(model: Model, pool: Pool) -> list[Version]:
    found = candidates(model, pool)
    if not found:
        which = f" ({pool})" if str(pool) else ""
        raise Conflict(f"{model.name} has no ready version to choose from{which}; nothing was changed", losers=[])
    return found


def _runs_code(actor: Actor) -> bool:
    return Tenant.objects.filter(pk=actor.tenant.pk, runs_code=True).exists()


def _check_expected(model: Model, choice: Choice, expect: int | None) -> None:
    if expect is None or choice.winner.number == expect:
        return
    now = f"version {choice.winner.number} would win now"
    if not model.versions.filter(number=expect).exists():
        known = expect <= model.last_number
        gone = "was deleted" if known else "was never there"
        raise Conflict(f"version {expect} of {model.name} {gone}: {now}. Nothing was changed; look again, then choose")
    why = next((loser.reason for loser in choice.losers if loser.number == expect), "it is not in the pool")
    raise Conflict(f"version {expect} is not the best: {why}; {now}. Nothing was changed; look again, then choose")


def _name(actor: Actor, model: Model, alias: str, winner: Version, despite: bool) -> tuple[bool, dict[str, Any] | None]:
    before = model.aliases.filter(name=alias).values_list("version__number", flat=True).first()
    if before == winner.number:
        return False, None
    move_alias(actor=actor, model=model, name=alias, version=winner, despite_consumers=despite)
    return True, alias_undo(model.name, alias, before, despite=despite)


def _activate(
    actor: Actor, model: Model, choice: Choice, wish: Wish, reason: str, despite: bool
) -> tuple[bool, dict[str, Any] | None]:
    why = reason or f"selected by {wish.metric}: {choice.value:.6g}, the best of {len(choice.losers) + 1}"
    appended: PlanRecord = services.activate(
        actor=actor, version=choice.winner, reason=why[: services.MAX_REASON], despite_consumers=despite
    )
    return (True, undo_of(appended, model.name, despite=despite)) if appended.appended else (False, None)


def _agreed_metric(model: Model) -> str:
    agreed = charter_of(model).metric
    if not agreed:
        raise InvalidInput.at("metric", f"expected one, since the charter of {model.name} names none")
    return agreed


def _direction(metric: str, given: str) -> Direction:
    if given:
        if given not in list(Direction):
            raise InvalidInput.at("direction", f"got {given[:40]!r}, expected one of {', '.join(Direction)}")
        return Direction(given)
    known = direction_of(metric)
    if known is None:
        raise InvalidInput.at(
            "direction", f"`{metric[:100]}` is no well-known metric: say whether to maximize or to minimize it"
        )
    return known


def _constraints(texts: Sequence[str]) -> list[Constraint]:
    if len(texts) > MOST_CONSTRAINTS:
        raise InvalidInput.at("constraints", f"{len(texts)} of them, expected at most {MOST_CONSTRAINTS}")
    return [parse_constraint(text) for text in texts]
