"""Every change of what serves. Each appends a plan; none changes one.

Going back: `rollback` brings back the newest plan before the one in force that answers, and answers in another way.
Rolled back again it goes on from there, further back, as undo does in an editor: it never comes back to the plan that
it was called to leave. A plan that serves nothing is never gone back to (that is `deactivate`), so a rollback after a
deactivation brings back what served before it.
"""

import math
from typing import Any

import msgspec
from django.db import transaction

from modelyard.control.deployments.models import Arm, Deployment, PlanRecord
from modelyard.control.registry.consumers import check_callers, check_consumers
from modelyard.control.registry.facts import check_text
from modelyard.control.registry.models import Model, Version, VersionState
from modelyard.control.registry.services import lock_model, lock_version, mark_changed
from modelyard.control.tenancy.models import Scope
from modelyard.control.tenancy.services import Actor, record, require
from modelyard.core import plan as plans
from modelyard.core.errors import Conflict, InvalidInput
from modelyard.core.plan import Plan

MAX_REASON = 2000
LARGEST: dict[str, float] = {"max_rows": 10_000_000, "max_body_bytes": 1 << 30, "timeout_seconds": 3600}


def activate(*, actor: Actor, version: Version, reason: str = "", despite_consumers: bool = False) -> PlanRecord:
    """Let one version answer everything. Where it does already, nothing is appended.

    Raises:
        Conflict: when the version is not ready, or runs code and the tenant forbids that.
        HasConsumers: when it refuses what consumers of the model may ask as things are, and nothing was said of them.
    """
    require(actor, Scope.WRITE)
    check_text(reason, "reason", MAX_REASON)
    with transaction.atomic():
        model = lock_model(actor, version.model)
        target = lock_version(actor, version)
        _check_servable(actor, target)
        now = in_force(model)
        check_callers(model, now.as_plan().champion if now else None, target, despite_consumers, "")
        return _append(actor, model, _only(target), [target], verb="activate", reason=reason)


def promote(
    *, actor: Actor, model: Model, number: int, reason: str = "", despite_consumers: bool = False
) -> PlanRecord:
    """Activate the model's version of that number.

    Raises:
        InvalidInput: when there is no such version.
        Conflict, HasConsumers: as `activate`.
    """
    require(actor, Scope.WRITE)
    version = model.versions.of(actor.tenant).filter(number=number).select_related("model").first()
    if version is None:
        raise InvalidInput.at(
            "version", f"{model.name} has no version {number}, expected the number of one that is ready"
        )
    return activate(actor=actor, version=version, reason=reason, despite_consumers=despite_consumers)


def deactivate(*, actor: Actor, model: Model, reason: str = "", despite_consumers: bool = False) -> PlanRecord:
    """Serve nothing by the model's name alone; by number and by alias its versions answer on.

    Where nothing is served already, nothing is appended.

    Raises:
        Conflict: when the model was never served.
        HasConsumers: when consumers ask for what the plan decides, and nothing was said of them.
    """
    require(actor, Scope.WRITE)
    check_text(reason, "reason", MAX_REASON)
    with transaction.atomic():
        locked = lock_model(actor, model)
        if in_force(locked) is None:
            raise Conflict(f"{locked.name} was never served: there is nothing to deactivate")
        check_consumers(locked, despite_consumers, uses="")
        return _append(actor, locked, Plan(), [], verb="deactivate", reason=reason)


def rollback(*, actor: Actor, model: Model, reason: str = "") -> PlanRecord:
    """Bring back what served before; the module says what that means.

    Raises:
        Conflict: when nothing else served before, or a version that did was deleted.
    """
    require(actor, Scope.WRITE)
    check_text(reason, "reason", MAX_REASON)
    with transaction.atomic():
        locked = lock_model(actor, model)
        target = _before(locked)
        plan = target.as_plan()
        versions = _versions(actor, locked, plan, f"plan {target.number}, of {target.at:%Y-%m-%d %H:%M} UTC,")
        return _append(actor, locked, plan, versions, verb="rollback", reason=reason, restores=target.number)


def change_limits(
    *, actor: Actor, model: Model, despite_consumers: bool = False, **limits: float | int | None
) -> Deployment:
    """Set the model's own limits; None means the data plane's, and what is not given stays.

    Raises:
        InvalidInput: when a limit is unknown, not positive, or too large.
        HasConsumers: when a limit becomes less, or was the data plane's, and nothing was said of the consumers.
    """
    require(actor, Scope.WRITE)
    for name, value in limits.items():
        _check_limit(name, value)
    with transaction.atomic():
        locked = lock_model(actor, model)
        deployment = _deployment(actor, locked)
        merged = {**deployment.limits, **limits}
        kept = {name: value for name, value in merged.items() if value is not None}
        before = deployment.limits
        less = [name for name, value in kept.items() if value < before.get(name, math.inf)]
        if less:
            check_consumers(locked, despite_consumers, because=f"{less[0]} becomes {kept[less[0]]:g}")
        if kept != before:
            Deployment.objects.filter(pk=deployment.pk).update(limits=kept)
            details = {"before": before, "after": kept}
            deployment.limits = kept
            mark_changed(locked)
            record(actor=actor, verb="deployment.limits", subject=f"model:{locked.name}", details=details)
    return deployment


def _only(version: Version) -> Plan:
    return Plan(arms=(plans.Arm(version=version.number, weight=1.0),))


def _deployment(actor: Actor, model: Model) -> Deployment:
    deployment, _ = Deployment.objects.get_or_create(model=model, defaults={"tenant": actor.tenant})
    return deployment


def in_force(model: Model) -> PlanRecord | None:
    """Return the model's newest plan; None while it was never served."""
    return PlanRecord.objects.filter(deployment__model=model).in_force().first()


def _append(
    actor: Actor,
    model: Model,
    plan: Plan,
    versions: list[Version],
    *,
    verb: str,
    reason: str,
    restores: int | None = None,
) -> PlanRecord:
    """Make `plan` the one in force; the model, and the versions that the plan names, are locked."""
    deployment = _deployment(actor, model)
    before = PlanRecord.objects.filter(deployment=deployment).in_force().first()
    if before is not None and before.as_plan() == plan:
        return before
    appended = PlanRecord.objects.create(
        tenant=actor.tenant,
        deployment=deployment,
        number=before.number + 1 if before else 1,
        plan=msgspec.json.decode(msgspec.json.encode(plan)),
        digests={str(version.number): version.serving.digest for version in versions if version.serving},
        verb=verb,
        reason=reason,
        restores=restores,
        actor=actor.name,
    )
    appended.appended = True
    weights = {arm.version: arm.weight for arm in plan.arms}
    Arm.objects.filter(deployment=deployment).delete()
    Arm.objects.bulk_create(
        Arm(tenant=actor.tenant, deployment=deployment, version=version, weight=weights.get(version.number))
        for version in versions
    )
    mark_changed(model)
    details = {"plan": appended.plan, "number": appended.number, "reason": reason}
    record(actor=actor, verb=f"deployment.{verb}", subject=f"model:{model.name}", details=details)
    return appended


def _check_servable(actor: Actor, version: Version) -> None:
    if version.state != VersionState.READY:
        text = f"{version} is {version.state}: only a ready version can serve{version.refused_because}"
        raise Conflict(text, state=version.state)
    if version.isolated and not type(actor.tenant).objects.filter(pk=actor.tenant.pk, runs_code=True).exists():
        raise Conflict(f"{version} carries code, which this tenant does not run: allow it, or push a model as ONNX")


def _before(model: Model) -> PlanRecord:
    """Return the record whose plan a rollback brings back."""
    records = PlanRecord.objects.filter(deployment__model=model)
    current = records.in_force().first()
    if current is None:
        raise Conflict(f"{model.name} was never served: there is nothing to go back to")
    start = current.restores or current.number
    for older in records.filter(number__lt=start).order_by("-number").iterator(chunk_size=100):
        plan = older.as_plan()
        if plan.arms and plan != current.as_plan():
            if older.restores:
                # It was brought back itself: the first time that it served is what lies before.
                older = records.get(number=older.restores)
            return older
    raise Conflict(f"nothing else served {model.name} before: there is nothing to go back to; promote a version")


def _versions(actor: Actor, model: Model, plan: Plan, who: str) -> list[Version]:
    """Return the versions of an older plan, locked, in the plan's order."""
    found = {
        version.number: lock_version(actor, version) for version in model.versions.filter(number__in=plan.versions)
    }
    gone = [number for number in plan.versions if number not in found]
    if gone:
        raise Conflict(f"{who} was answered by version {gone[0]}, which was deleted: promote another", version=gone[0])
    for version in found.values():
        _check_servable(actor, version)
    return [found[number] for number in plan.versions]


def _check_limit(name: str, value: Any) -> None:
    if name not in LARGEST:
        raise InvalidInput.at(f"limits.{name}", f"unknown limit `{name}`: expected some of {', '.join(LARGEST)}")
    if value is None:
        return
    whole = name != "timeout_seconds"
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        raise InvalidInput.at(
            f"limits.{name}", f"expected a {'whole ' if whole else ''}number, or null for the server's own limit"
        )
    if not math.isfinite(value) or not 0 < value <= LARGEST[name]:
        raise InvalidInput.at(f"limits.{name}", f"got {value}, expected a number above 0 and at most {LARGEST[name]:g}")
