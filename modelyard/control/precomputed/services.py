"""Every write of precomputed answers."""

from typing import Any

from django.db import transaction
from django.db.models import Max

from modelyard.control.jobs.models import Job
from modelyard.control.jobs.services import submit
from modelyard.control.precomputed.models import Precomputation
from modelyard.control.precomputed.results import Result, result_of
from modelyard.control.registry.consumers import check_consumers
from modelyard.control.registry.finding import find_version
from modelyard.control.registry.locks import lock_model, lock_version
from modelyard.control.registry.models import Artifact, Model
from modelyard.control.registry.services import mark_changed
from modelyard.control.registry.uploads import release_later
from modelyard.control.rest.public import root
from modelyard.control.tenancy.models import Scope
from modelyard.control.tenancy.services import Actor, record, require
from modelyard.core.errors import Conflict, NotFound

KIND = "precomputing"
KEPT = 3
"""So many of a model's newest files are kept, and the one that was current before, for going back."""


def precompute(*, actor: Actor, model: Model, scoring: Job) -> Job:
    """Ask for the answers of a finished scoring to be stored by entity, and told from then on.

    Raises:
        NotFound: when the scoring is another tenant's.
        Conflict: when it is no scoring of this model that succeeded, or its result cannot be found by entity.
    """
    require(actor, Scope.WRITE)
    if scoring.tenant_id != actor.tenant.pk:
        raise NotFound(f"there is no job {scoring.pk}", what="job")
    result = result_of(scoring)
    if result.model != model.name:
        raise Conflict(f"the scoring is of {result.model}, not of {model.name}: publish it there")
    return precompute_result(actor=actor, result=result, scoring=scoring)


def precompute_result(*, actor: Actor, result: Result, scoring: Job) -> Job:
    """Ask for that in the caller's transaction: a scoring does so as the last of its own, where it was asked to.

    Raises:
        NotFound: when model or version are gone.
    """
    require(actor, Scope.WRITE)
    version = find_version(actor.tenant, result.model, result.version)
    payload = {
        "model": result.model,
        "version": result.version,
        "pieces": result.pieces,
        "entity": result.entity,
        "dataset": result.dataset,
        "scoring": str(scoring.pk),
    }
    with transaction.atomic():
        job = submit(tenant=actor.tenant, kind=KIND, payload=payload, created_by=actor.name)
        details = {"version": version.number, "scoring": str(scoring.pk), "job": str(job.pk)}
        record(actor=actor, verb="precomputed.ask", subject=f"model:{result.model}", details=details)
    return job


def publish(*, actor: Actor, model: Model, artifact: Artifact, job: Job, **made: Any) -> Precomputation:
    """Tell answers from this file from now on; in the transaction that completes the job, with the artifact locked.

    `made` are the row's columns that say what it was made from. Of older files all but the newest few are let go.
    """
    require(actor, Scope.WRITE)
    locked = lock_model(actor, model)
    rows = Precomputation.objects.filter(model=locked)
    number = (rows.aggregate(last=Max("number"))["last"] or 0) + 1
    before = rows.current().first()
    rows.current().update(is_current=False, version=None)
    published: Precomputation = Precomputation.objects.create(
        tenant=actor.tenant,
        model=locked,
        number=number,
        is_current=True,
        artifact=artifact,
        digest=artifact.digest,
        size_bytes=artifact.size_bytes,
        job=job,
        created_by=actor.name,
        **made,
    )
    _let_go(actor, locked, before)
    mark_changed(locked)
    said = {"version": published.version_number, "digest": artifact.digest, "rows": published.n_rows}
    details = {"number": number, **said}
    record(actor=actor, verb="precomputed.publish", subject=f"model:{locked.name}", details=details)
    return published


def activate(*, actor: Actor, model: Model, number: int) -> Precomputation:
    """Tell answers from a former file again. Where they are told from it already, nothing changes.

    Raises:
        NotFound: when the model has none by that number.
        Conflict: when the file is gone.
    """
    require(actor, Scope.WRITE)
    with transaction.atomic():
        locked = lock_model(actor, model)
        rows = Precomputation.objects.filter(model=locked)
        chosen: Precomputation | None = rows.with_facts().filter(number=number).first()
        if chosen is None:
            raise NotFound("the model has no stored answers by this number")
        if chosen.artifact_id is None:
            raise Conflict(f"the file of {chosen} is gone: only the newest {KEPT} are kept; publish the scoring again")
        version = locked.versions.filter(number=chosen.version_number).first()
        if version is None:
            raise Conflict(f"version {chosen.version_number}, which gave these answers, was deleted: publish others")
        before = current_of(locked)
        if before != chosen:
            rows.current().update(is_current=False, version=None)
            rows.filter(pk=chosen.pk).update(is_current=True, version=lock_version(actor, version))
            chosen.is_current = True
            mark_changed(locked)
            details = {"before": before.number if before else None, "after": number}
            record(actor=actor, verb="precomputed.activate", subject=f"model:{locked.name}", details=details)
    chosen.model = locked
    return chosen


def withdraw(*, actor: Actor, model: Model, despite_consumers: bool = False) -> Precomputation:
    """Tell no stored answers of the model any more, and return what they were told from; the file stays a while.

    Raises:
        NotFound: when none are told.
        HasConsumers: when somebody asks for the model by its name, as one does for these, and nothing was said of them.
    """
    require(actor, Scope.WRITE)
    with transaction.atomic():
        locked = lock_model(actor, model)
        before = current_of(locked)
        if before is None:
            raise NotFound(f"nothing is precomputed for {locked.name}: there is nothing to take away")
        check_consumers(locked, despite_consumers, uses="")
        Precomputation.objects.filter(pk=before.pk).update(is_current=False, version=None)
        mark_changed(locked)
        details = {"before": before.number, "after": None}
        record(actor=actor, verb="precomputed.withdraw", subject=f"model:{locked.name}", details=details)
    return before


def current_of(model: Model) -> Precomputation | None:
    """Return what the model's stored answers are told from, if any are."""
    found: Precomputation | None = Precomputation.objects.with_facts().current().filter(model=model).first()
    return found


def undo_of(model_name: str, before: int | None) -> dict[str, Any]:
    """Return the call that takes back a change of what is told: `before` is what was told from, None: nothing."""
    path = f"{root()}api/v1/models/{model_name}/precomputed/"
    if before is None:
        says = "tell no stored answers"
        return {"verb": "precomputed", "method": "DELETE", "path": path, "body": None, "says": says}
    says = f"tell stored answers from precomputation {before} again"
    return {"verb": "precomputed", "method": "POST", "path": f"{path}{before}/activate", "body": {}, "says": says}


def _let_go(actor: Actor, model: Model, before: Precomputation | None) -> None:
    """Forget the files of all but the newest, and but the one that was told from until now; the model is locked."""
    kept = Precomputation.objects.filter(model=model, artifact__isnull=False).order_by("-number")
    old = [row for row in kept[KEPT:] if row != before]
    Precomputation.objects.filter(pk__in=[row.pk for row in old]).update(artifact=None)
    release_later(actor.tenant, [row.digest for row in old])
