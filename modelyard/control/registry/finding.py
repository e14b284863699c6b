"""From what an address names to a row of the caller's tenant; what is missing and what is another's look the same."""

from difflib import get_close_matches

from modelyard.control.registry.models import Alias, Consumer, Model, ModelQuerySet, Version, VersionQuerySet
from modelyard.control.tenancy.models import Tenant
from modelyard.core.errors import NotFound
from modelyard.core.reference import NAME

COMPARED = 300
"""Names that a wrong one is compared with, at most."""


def find_model(tenant: Tenant, name: str, rows: ModelQuerySet | None = None) -> Model:
    """Return the tenant's model.

    Raises:
        NotFound: when there is none by that name.
    """
    models = Model.objects.all() if rows is None else rows
    found: Model | None = models.of(tenant).filter(name=name).first() if NAME.match(name) else None
    if found is None:
        near = _nearest(tenant, name)
        hint = f"; did you mean `{near}`?" if near else ""
        raise NotFound(f"there is no model by this name, or none that you may see{hint}", what="model")
    found.tenant = tenant
    return found


def _nearest(tenant: Tenant, name: str) -> str | None:
    """Return the name among the tenant's own that is most like `name`, which may be anything: nobody else's is read."""
    own = Model.objects.of(tenant).order_by("name").values_list("name", flat=True)
    wanted = name.lower()[:64]
    alike = own.filter(name__startswith=wanted[0])[:COMPARED] if NAME.match(wanted[:1]) else own.none()
    for names in (alike, own[:COMPARED]):
        if near := get_close_matches(wanted, names, n=1):
            return near[0]
    return None


def find_version(tenant: Tenant, name: str, number: int, rows: VersionQuerySet | None = None) -> Version:
    """Return the version of the tenant's model.

    Raises:
        NotFound: when there is no such model, or no version by that number.
    """
    model = find_model(tenant, name)
    versions = Version.objects.select_related("serving", "parent") if rows is None else rows
    found: Version | None = versions.filter(model=model, number=number).first()
    if found is None:
        raise NotFound("there is no version by this number, or none that you may see")
    found.model, found.tenant = model, tenant
    return found


def find_alias(model: Model, name: str) -> Alias:
    """Return the model's alias.

    Raises:
        NotFound: when it has none by that name.
    """
    found: Alias | None = None
    if NAME.match(name):
        found = Alias.objects.with_facts().filter(model=model, name=name).first()
    if found is None:
        raise NotFound("there is no alias by this name, or none that you may see")
    return found


def find_consumer(model: Model, name: str) -> Consumer:
    """Return who is declared to depend on the model.

    Raises:
        NotFound: when nobody is by that name.
    """
    found: Consumer | None = None
    if "\x00" not in name:
        found = Consumer.objects.filter(model=model, name=name).select_related("model").first()
    if found is None:
        raise NotFound("there is no consumer by this name, or none that you may see")
    return found
