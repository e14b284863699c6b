"""How to take back what a call just changed: the equal call, for programs, the console and the command to show."""

from typing import Any

from modelyard.control.deployments.models import PlanRecord
from modelyard.control.rest.public import root
from modelyard.core.plan import Plan


def undo_of(record: PlanRecord, model_name: str, *, despite: bool = False) -> dict[str, Any] | None:
    """Return the call that brings back the plan before `record`; None when nothing was there to change.

    A plan of one version comes back by promoting that version, which says exactly what will serve, whatever others do
    in between; a plan of several by a rollback; and no plan by deactivating. `despite`: it was made despite consumers,
    and is taken back despite them.
    """
    before = PlanRecord.objects.filter(deployment=record.deployment_id, number=record.number - 1).first()
    plan = before.as_plan() if before else Plan()
    told: dict[str, Any] = {"despite_consumers": True} if despite else {}
    if not plan.arms:
        return _call(model_name, "deactivate", told, "")
    if len(plan.versions) == 1:
        number = plan.versions[0]
        return _call(model_name, "promote", {"version": number, **told}, f" {number}")
    return _call(model_name, "rollback", {}, "")


def _call(model_name: str, verb: str, body: dict[str, Any], argument: str) -> dict[str, Any]:
    path = f"{root()}api/v1/models/{model_name}/{verb}"
    says = {"promote": "promote version", "rollback": "roll back", "deactivate": "serve nothing"}[verb]
    return {"verb": verb, "method": "POST", "path": path, "body": body, "says": f"{says}{argument}"}
