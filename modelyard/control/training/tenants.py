"""One training for several tenants: a job of the operator's, each part of which is a tenant's own training."""

from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from django.db import transaction

from modelyard.control.jobs.models import Job, State
from modelyard.control.jobs.reporting import Report
from modelyard.control.jobs.services import Part, submit_in_parts
from modelyard.control.registry.finding import find_dataset
from modelyard.control.registry.models import Dataset
from modelyard.control.tenancy.models import Scope, Tenant
from modelyard.control.tenancy.services import Actor, record, require, system_actor
from modelyard.control.training.services import KIND as TRAINING
from modelyard.control.training.services import check_dataset, note, payload_of, read_asked
from modelyard.core.errors import Conflict, InvalidInput, ModelRefused, ModelyardError, NotFound
from modelyard.core.reference import check_name

KIND = "trainings"
MOST_TENANTS = 500
TOLD = 10
"""Tenants that a refusal tells of, at most."""


def train_tenants(
    *,
    actor: Actor,
    trainer: str,
    model: str,
    dataset: str,
    parameters: dict[str, Any],
    description: str = "",
    tenants: Sequence[str] | None,
    skip_missing: bool = False,
) -> Job:
    """Ask for a version of `model` in each of the tenants, None: in all, of the dataset that each has by that name.

    Each is that tenant's own job; the one returned waits for them, and is the operator's. `skip_missing` leaves out
    tenants whose data cannot be trained on.

    Raises:
        Forbidden: when the actor is not the operator.
        InvalidInput: when a tenant is unknown, lacks the dataset, or has one that does not fit; nothing starts then.
    """
    require(actor, Scope.OPERATOR)
    check_name(model, "a model")
    given = read_asked(trainer, parameters, description)
    found, unfit = _datasets(_named(tenants), dataset, trainer, given)
    if unfit and (not found or not skip_missing):
        raise _refused(unfit, bool(found))
    parts = [
        Part(TRAINING, payload_of(trainer, model, one, parameters, description), tenant=one.tenant) for one in found
    ]
    asked = {"trainer": trainer, "model": model, "dataset": dataset, "parameters": parameters, "skipped": unfit}
    with transaction.atomic():
        job, made = submit_in_parts(tenant=actor.tenant, kind=KIND, payload=asked, parts=parts, created_by=actor.name)
        for part, one in zip(made, found, strict=True):
            note(_in(one.tenant, actor.name), part)
        details = {"trainer": trainer, "dataset": dataset, "job": str(job.pk), "tenants": len(found)}
        record(actor=actor, verb="model.train", subject=f"model:{model}", details=details)
    return job


class TenantsTraining:
    """Does jobs of the kind "trainings", once their parts have ended; see `jobs.handlers.Handler`."""

    def run(self, job: Job, report: Report) -> dict[str, Any]:
        parts = job.parts.select_related("tenant").order_by("part")
        ended = [_ending(part) for part in parts]
        for one in ended:
            report.log(_said(one), "info" if one["state"] == State.SUCCEEDED else "warning")
        if not any(one["state"] == State.SUCCEEDED for one in ended):
            reasons = "; ".join(_said(one) for one in ended[:TOLD])
            rest = f"; and {len(ended) - TOLD} more" if len(ended) > TOLD else ""
            raise ModelRefused(f"no tenant has a version of it: {reasons}{rest}")
        skipped = [{"tenant": name, "reason": reason} for name, reason in job.payload["skipped"].items()]
        return {"model": job.payload["model"], "tenants": ended, "skipped": skipped}

    def failed(self, job: Job, error: ModelyardError) -> None:
        """Nothing follows: what is cancelled with it is each tenant's own job, which writes in that tenant's log."""


def _named(names: Sequence[str] | None) -> list[Tenant]:
    """Return the tenants in the order of their keys; None: all but the operator's own.

    Raises:
        InvalidInput: when one is unknown, or there are none, or too many.
    """
    every = Tenant.objects.filter(operates=False).order_by("pk")
    if names is None:
        found = list(every[: MOST_TENANTS + 1])
    else:
        found = list(every.filter(name__in=set(names)))
        for name in sorted(set(names) - {tenant.name for tenant in found}):
            near = get_close_matches(name, every.values_list("name", flat=True), 1)
            hint = f"; did you mean `{near[0]}`?" if near else ""
            raise InvalidInput.at("tenants", f"there is no tenant `{name[:64]}`{hint}", "unknown")
    if not found:
        raise InvalidInput.at("tenants", "expected one at least")
    if len(found) > MOST_TENANTS:
        raise InvalidInput.at("tenants", f"there are more than {MOST_TENANTS}: name as many at most")
    return found


def _datasets(
    tenants: Sequence[Tenant], reference: str, trainer: str, given: Any
) -> tuple[list[Dataset], dict[str, str]]:
    """Return each tenant's dataset, and of those that have none that fits, why."""
    found, unfit = [], {}
    for tenant in tenants:
        try:
            dataset = find_dataset(tenant, reference)
            check_dataset(trainer, given, dataset)
        except NotFound:
            unfit[tenant.name] = f"it has no dataset {reference[:80]}"
        except (InvalidInput, Conflict) as error:
            unfit[tenant.name] = error.message
        else:
            found.append(dataset)
    return found, unfit


def _refused(unfit: dict[str, str], others: bool) -> InvalidInput:
    reasons = "; ".join(f"{name}: {reason}" for name, reason in list(unfit.items())[:TOLD])
    rest = f"; and {len(unfit) - TOLD} more" if len(unfit) > TOLD else ""
    mend = "; `skip_missing` leaves them out" if others else ""
    return InvalidInput.at("tenants", f"nothing was started: {reasons}{rest}{mend}")


def _in(tenant: Tenant, name: str) -> Actor:
    """Return the operator within a tenant."""
    return replace(system_actor(tenant, "operator"), name=name)


def _ending(part: Job) -> dict[str, Any]:
    told = {"tenant": part.tenant.name, "job": str(part.pk), "state": part.state}
    if part.state != State.SUCCEEDED:
        error = part.error or {}
        return {**told, "error": {"code": error.get("code", ""), "message": error.get("message", "")}}
    outcome = part.outcome or {}
    return {**told, "number": outcome.get("number"), "metrics": outcome.get("metrics", {})}


def _said(ended: dict[str, Any]) -> str:
    if ended["state"] == State.SUCCEEDED:
        return f"{ended['tenant']}: version {ended['number']}"
    return f"{ended['tenant']}: {ended['state']}, {ended['error']['message']}"
