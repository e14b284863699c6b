"""From what an address names to a row of the caller's tenant; what is missing and what is another's look the same."""

from difflib import get_close_matches
from typing import Any

from django.db.models import QuerySet

from modelyard.control.registry.dataset_models import Dataset, DatasetQuerySet, DatasetState
from modelyard.control.registry.models import Alias, Consumer, Model, ModelQuerySet, Version, VersionQuerySet
from modelyard.control.tenancy.models import Member, Tenant
from modelyard.control.tenancy.people import Person, name_field
from modelyard.core.errors import InvalidInput, NotFound
from modelyard.core.reference import NAME
from modelyard.core.table import parse_dataset

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
    return _most_alike(name.lower()[:64], Model.objects.of(tenant).order_by("name").values_list("name", flat=True))


def _most_alike(wanted: str, own: QuerySet[Any]) -> str | None:
    """Return what is most like `wanted` among these names, which are in order."""
    alike = own.filter(name__startswith=wanted[0])[:COMPARED] if NAME.match(wanted[:1]) else own.none()
    for names in (alike, own[:COMPARED]):
        if near := get_close_matches(wanted, list(names), n=1):
            return str(near[0])
    return None


def find_version(tenant: Tenant, name: str, number: int, rows: VersionQuerySet | None = None) -> Version:
    """Return the version of the tenant's model.

    Raises:
        NotFound: when there is no such model, or no version by that number.
    """
    versions = Version.objects.select_related("serving", "parent") if rows is None else rows
    named = versions.select_related("model").filter(model__tenant=tenant, model__name=name, number=number)
    found: Version | None = named.first() if NAME.match(name) else None
    if found is None:
        find_model(tenant, name)
        raise NotFound("there is no version by this number, or none that you may see")
    found.tenant = found.model.tenant = tenant
    return found


def numbered_version(model: Model, place: str, number: int) -> Version:
    """Return the model's version that somebody named at `place` of what was sent.

    Raises:
        InvalidInput: when there is none by that number.
    """
    found: Version | None = model.versions.filter(number=number).select_related("model").first()
    if found is None:
        newest = f"the newest is {model.last_number}" if model.last_number else "it has none yet"
        raise InvalidInput.at(place, f"{model.name} has no version {number}: expected one of its numbers; {newest}")
    return found


def named_owner(tenant: Tenant, name: str) -> Person:
    """Return the member that somebody named as an owner. Nobody else is looked up: others' people look like nobody.

    Raises:
        InvalidInput: when no active member signs in by that name.
    """
    members = Member.objects.of(tenant).filter(**{f"user__{name_field()}": name}).select_related("user")
    found: Person | None = next((member.user for member in members if member.user.is_active), None)
    if found is None:
        raise InvalidInput.at("owner", f"{name!r} is no member of this tenant: expected the name of one who is")
    return found


def find_dataset(tenant: Tenant, reference: str, rows: DatasetQuerySet | None = None) -> Dataset:
    """Return the tenant's dataset: of `flights` the newest that is ready (else the newest), `flights:2` itself.

    Raises:
        NotFound: when there is none by that reference.
    """
    try:
        named = parse_dataset(reference)
    except InvalidInput:
        raise _no_dataset(tenant, reference) from None
    datasets = Dataset.objects.with_facts() if rows is None else rows
    found: Dataset | None
    own = datasets.of(tenant).filter(name=named.model).order_by("-number")
    found = own.filter(number=named.version).first() if named.version else own.ready().first() or own.first()
    if found is None:
        raise _no_dataset(tenant, reference)
    found.tenant = tenant
    return found


def named_dataset(tenant: Tenant, reference: str) -> Dataset:
    """Return the dataset that a version is said to be made from.

    Raises:
        InvalidInput: when there is none that is ready.
    """
    try:
        found = find_dataset(tenant, reference)
    except NotFound:
        raise InvalidInput.at("dataset", f"there is no dataset {reference[:80]!r}: expected one as flights:2") from None
    if found.state != DatasetState.READY:
        raise InvalidInput.at("dataset", f"{found} is {found.state}: expected one that is ready")
    return found


def _no_dataset(tenant: Tenant, reference: str) -> NotFound:
    """Return the error, with the tenant's own dataset that is most like the reference, where one is."""
    wanted = reference.partition(":")[0].lower()[:64]
    own = Dataset.objects.of(tenant).order_by("name").values_list("name", flat=True).distinct()
    near = _most_alike(wanted, own)
    hint = f"; did you mean `{near}`?" if near else ""
    if near == wanted:
        hint = f"; the newest is `{Dataset.objects.of(tenant).filter(name=near).order_by('-number').first()}`"
    return NotFound(f"there is no dataset by this name or number, or none that you may see{hint}")


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
