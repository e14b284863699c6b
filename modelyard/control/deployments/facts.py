"""What this app knows of models and versions, added to the registry's reads."""

from django.db.models import OuterRef, Subquery

from modelyard.control.deployments.models import Arm
from modelyard.control.registry.models import MODEL_FACTS, VERSION_FACTS


def register() -> None:
    """Add `weight` to versions, and `champion`, the version that answers most, to models."""
    arms = Arm.objects.order_by("-weight", "id")
    VERSION_FACTS["weight"] = Subquery(arms.filter(version=OuterRef("pk")).values("weight")[:1])
    answering = arms.filter(deployment__model=OuterRef("pk"), weight__isnull=False)
    MODEL_FACTS["champion"] = Subquery(answering.values("version__number")[:1])
