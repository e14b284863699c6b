"""What is said to those who want to serve a version that cannot."""

import pytest

from modelyard.control.deployments.services import activate
from modelyard.control.registry import services
from modelyard.control.registry.models import Model, Version, VersionState
from modelyard.control.tenancy.services import Actor
from modelyard.core.errors import Conflict
from tests.integration.control import versions

pytestmark = pytest.mark.django_db


def test_who_promotes_a_refused_version_is_told_why_it_was_refused(admin: Actor, model: Model) -> None:
    version = versions.register(admin, model)
    refusal = {"code": "model_refused", "message": "it is no pickle", "details": {}}
    Version.objects.filter(pk=version.pk).update(state=VersionState.REFUSED, refusal=refusal)
    version.refresh_from_db()
    why = "it was refused because: it is no pickle"
    with pytest.raises(Conflict, match=f"only a ready version can serve; {why}"):
        activate(actor=admin, version=version)
    with pytest.raises(Conflict, match=f"only a ready version can have an alias; {why}"):
        services.move_alias(actor=admin, model=model, name="candidate", version=version)


def test_a_version_that_is_checked_has_no_refusal(admin: Actor, model: Model) -> None:
    with pytest.raises(Conflict, match=r"only a ready version can serve$"):
        activate(actor=admin, version=versions.register(admin, model))
