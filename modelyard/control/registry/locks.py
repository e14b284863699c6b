"""Rows read again and locked, in the one order that `services` names."""

from modelyard.control.registry.models import Model, Version
from modelyard.control.tenancy.services import Actor
from modelyard.core.errors import NotFound


def lock_model(actor: Actor, model: Model) -> Model:
    """Read the actor's model again, locked until the caller's transaction ends.

    Raises:
        NotFound: when it is gone, or another tenant's.
    """
    locked = Model.objects.of(actor.tenant).filter(pk=model.pk).select_for_update(no_key=True).first()
    if locked is None:
        raise NotFound(f"there is no model {model.name!r}")
    return locked


def lock_version(actor: Actor, version: Version) -> Version:
    """Read the actor's version again, locked until the caller's transaction ends; its model should be locked before.

    Raises:
        NotFound: when it is gone, or another tenant's.
    """
    rows = Version.objects.of(actor.tenant).filter(pk=version.pk)
    locked = rows.select_related("model", "serving").select_for_update(of=("self",)).first()
    if locked is None:
        raise NotFound(f"there is no version {version.number} of {version.model.name!r}")
    return locked
