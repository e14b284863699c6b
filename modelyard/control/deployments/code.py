"""Whom it hurts when a tenant's versions that carry code answer no more."""

from modelyard.control.deployments.models import Arm
from modelyard.control.registry.consumers import SHOWN, refuse
from modelyard.control.registry.models import Alias, Consumer, Version
from modelyard.control.tenancy.models import Tenant


def check_code(tenant: Tenant) -> None:
    """Let pass when nobody is declared to ask for what a version that carries code answers.

    Raises:
        HasConsumers: naming what would answer no more, and them, with their contacts.
    """
    code = (
        Version.objects.of(tenant).filter(isolated=True).exclude(runtime="onnx")
    )  # a graph is no code, in a child too
    arms = Arm.objects.filter(version__in=code, weight__isnull=False)
    stopped = {(model, f":{number}") for model, number in code.values_list("model", "number")}
    stopped |= {
        (model, f"@{name}") for model, name in Alias.objects.filter(version__in=code).values_list("model", "name")
    }
    stopped |= {(model, "") for model in arms.values_list("version__model", flat=True)}
    consumers = Consumer.objects.of(tenant).select_related("model").order_by("model__name", "name")
    hurt = [consumer for consumer in consumers if (consumer.model_id, consumer.uses) in stopped]
    if hurt:
        asked = list(dict.fromkeys(f"{consumer.model.name}{consumer.uses}" for consumer in hurt))
        more = f" and {len(asked) - SHOWN} more" if len(asked) > SHOWN else ""
        refuse(f"without `runs_code` {', '.join(asked[:SHOWN])}{more} answer no more", hurt)
