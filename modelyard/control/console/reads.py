"""What the pages show, read in few queries however long a list is."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from django.core.paginator import Page, Paginator
from django.db.models import Count, Max, OuterRef, Prefetch, Q, QuerySet, Subquery, Sum

from modelyard.control.deployments.models import Arm, PlanRecord
from modelyard.control.jobs.models import Job
from modelyard.control.registry import finding
from modelyard.control.registry.dataset_models import HEAVY
from modelyard.control.registry.models import HEAVY as HEAVY_OF_VERSION
from modelyard.control.registry.models import Dataset, Model, Version, VersionFile
from modelyard.control.registry.services import MODEL_ROLE
from modelyard.control.tenancy.models import Tenant
from modelyard.control.tenancy.people import name_field
from modelyard.core.errors import NotFound
from modelyard.core.plan import Plan
from modelyard.core.signature import Signature

PAGE_SIZE = 25
MAX_NUMBER = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Served:
    """A version that answers (or, with no weight, only watches)."""

    number: int
    weight: float | None


@dataclass(frozen=True, slots=True)
class ModelLine:
    """A model as the list shows it."""

    model: Model
    versions: int
    ready: int
    checking: int
    arms: list[Served]
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """A plan of the past, or the one in force."""

    record: PlanRecord
    arms: list[Served]
    in_force: bool


@dataclass(frozen=True, slots=True)
class Numbers:
    """The numbers of a model's versions, the newest first: of all, and of those in a state or trained here."""

    every: list[int]
    ready: list[int]
    checking: list[int]
    trained: list[int]


@dataclass(frozen=True, slots=True)
class Family:
    """`parents` of a model's versions, by their keys; and the numbers of one version's parent and of its children."""

    parents: dict[int, int]
    parent: int | None
    children: list[int]


def page_of(items: Any, wanted: str | None, size: int = PAGE_SIZE, count: int | None = None) -> Page:
    """Return the page that `wanted` names; nonsense gives the first or the last. `count`: how many, where known."""
    paginator = Paginator(items, size)
    if count is not None:
        paginator.count = count
    return paginator.get_page(wanted)


def find_model(tenant: Tenant, name: str) -> Model:
    """Return the tenant's model.

    Raises:
        NotFound: when there is none by that name.
    """
    return finding.find_model(tenant, name, Model.objects.select_related("owner"))


def find_version(tenant: Tenant, name: str, number: int) -> Version:
    """Return the tenant's version.

    Raises:
        NotFound: when there is none by that number.
    """
    if number > MAX_NUMBER:
        raise NotFound(f"no version {number} of {name!r}")
    rows = Version.objects.select_related("job__parent", "serving", "dataset__artifact", "dataset__tenant")
    rows = rows.defer(*(f"dataset__{field}" for field in HEAVY)).annotate(pushed_bytes=_pushed_bytes())
    rows = rows.prefetch_related(Prefetch("files", VersionFile.objects.select_related("artifact")))
    return finding.find_version(tenant, name, number, rows)


def find_job(tenant: Tenant, key: UUID) -> Job:
    """Return the tenant's job.

    Raises:
        NotFound: when there is none.
    """
    rows = Job.objects.of(tenant).with_parts_progress().select_related("parent")
    found: Job | None = rows.filter(pk=key).first()
    if found is None:
        raise NotFound(f"there is no job {key}")
    return found


def models(tenant: Tenant, search: str) -> QuerySet[Model]:
    """Return the tenant's models whose name, problem or owner holds `search`."""
    rows = Model.objects.of(tenant).select_related("owner")
    search = search.replace("\x00", "").strip()
    if search:
        rows = rows.filter(
            Q(name__icontains=search)
            | Q(problem__icontains=search)
            | Q(**{f"owner__{name_field()}__icontains": search})
        )
    return rows.order_by("name")


def datasets(tenant: Tenant, search: str = "") -> QuerySet[Dataset]:
    """Return the tenant's datasets, those that match the search, the newest first."""
    rows = Dataset.objects.of(tenant).with_facts().defer(*HEAVY)
    search = search.replace("\x00", "").strip()
    if search:
        rows = rows.filter(Q(name__icontains=search) | Q(description__icontains=search))
    return rows.order_by("-created_at", "-pk")


def lines(page: Page) -> list[ModelLine]:
    """Return what the list shows of each model of a page."""
    found: list[Model] = list(page.object_list)
    keys = [model.pk for model in found]
    counted: dict[int, Any] = {
        row["model"]: row
        for row in Version.objects.filter(model__in=keys)
        .values("model")
        .annotate(
            total=Count("pk"),
            ready=Count("pk", filter=Q(state="ready")),
            checking=Count("pk", filter=Q(state="checking")),
            newest=Max("created_at"),
        )
        .order_by()
    }
    planned = dict(
        PlanRecord.objects.filter(deployment__model__in=keys)
        .values_list("deployment__model")
        .annotate(Max("at"))
        .order_by()
    )
    arms: dict[int, list[Served]] = {}
    for arm in Arm.objects.filter(deployment__model__in=keys).select_related("version", "deployment"):
        arms.setdefault(arm.deployment.model_id, []).append(Served(arm.version.number, arm.weight))
    shown = []
    for model in found:
        row: dict[str, Any] = counted.get(model.pk, {})
        times = [model.created_at, row.get("newest"), planned.get(model.pk)]
        shown.append(
            ModelLine(
                model=model,
                versions=row.get("total", 0),
                ready=row.get("ready", 0),
                checking=row.get("checking", 0),
                arms=sort_arms(arms.get(model.pk, [])),
                changed_at=max(time for time in times if time),
            )
        )
    return shown


def sort_arms(arms: list[Served]) -> list[Served]:
    """Put the version that answers most first, and shadows last."""
    return sorted(arms, key=lambda arm: (arm.weight is None, -(arm.weight or 0), arm.number))


def arms_of(model: Model) -> list[Served]:
    """Return what serves now."""
    rows = Arm.objects.filter(deployment__model=model).values_list("version__number", "weight")
    return sort_arms([Served(*row) for row in rows])


def numbers_of(model: Model) -> Numbers:
    """Return the numbers of all the model's versions, by one query."""
    told = model.versions.annotate(is_trained=Q(training__isnull=False)).order_by("-number")
    rows = list(told.values_list("number", "state", "is_trained"))
    return Numbers(
        every=[number for number, _, _ in rows],
        ready=[number for number, state, _ in rows if state == "ready"],
        checking=[number for number, state, _ in rows if state == "checking"],
        trained=[number for number, _, is_trained in rows if is_trained],
    )


def what_keeps(arms: list[Served], checking: list[int]) -> str:
    """Tell why a model of which these serve, and these are checked, cannot be deleted now, and what helps; empty when
    nothing keeps it."""
    if arms:
        numbers = ", ".join(str(arm.number) for arm in arms)
        serving = f"Versions {numbers} are" if len(arms) > 1 else f"Version {numbers} is"
        return f"{serving} in service. Stop serving first, then delete."
    return f"Version {min(checking)} is being checked. Wait until that is over, then delete." if checking else ""


def aliased(aliases: Iterable[tuple[str, int]]) -> dict[int, list[str]]:
    """Return the names of each version's aliases, by its number."""
    found: dict[int, list[str]] = {}
    for name, number in aliases:
        found.setdefault(number, []).append(name)
    return found


def history(model: Model) -> QuerySet[PlanRecord]:
    """Return the model's plans, newest first."""
    return PlanRecord.objects.filter(deployment__model=model).order_by("-number")


def history_lines(records: list[PlanRecord], newest: int | None) -> list[HistoryLine]:
    """Return what the page shows of each plan; `newest` is the number of the one in force."""
    shown = []
    for record in records:
        plan = msgspec.convert(record.plan, Plan)
        arms = [Served(arm.version, arm.weight) for arm in plan.arms]
        arms += [Served(number, None) for number in plan.shadows]
        shown.append(HistoryLine(record, arms, record.number == newest))
    return shown


def versions(model: Model) -> QuerySet[Version]:
    """Return the model's versions, newest first, with what the table shows but their aliases."""
    rows: QuerySet[Version] = model.versions.defer(*HEAVY_OF_VERSION, "manifest")
    return rows.annotate(pushed_bytes=_pushed_bytes()).order_by("-number")


def _pushed_bytes() -> Subquery:
    """Return the size of a version's files as they were pushed; null when they are not kept."""
    files = VersionFile.objects.filter(version=OuterRef("pk"), role=MODEL_ROLE).order_by().values("version")
    return Subquery(files.annotate(total=Sum("artifact__size_bytes")).values("total"))


def versions_of(dataset: Dataset) -> QuerySet[Version]:
    """Return the versions that name the dataset, the newest first, with what a picture of them shows."""
    rows = dataset.versions.select_related("model__tenant", "job__parent", "serving")
    return rows.defer(*HEAVY_OF_VERSION).order_by("-pk")


def family_of(version: Version) -> Family:
    """Return what is related to a version among those of its model, by one query."""
    rows = list(version.model.versions.order_by("number").values_list("pk", "number", "parent"))
    numbers = {key: number for key, number, _ in rows}
    return Family(
        parents={key: parent for key, _, parent in rows if parent in numbers},
        parent=numbers.get(version.parent_id) if version.parent_id else None,
        children=[number for _, number, parent in rows if parent == version.pk],
    )


def signature_of(version: Version) -> Signature | None:
    """Return the version's signature, or None while there is none."""
    return msgspec.convert(version.signature, Signature) if version.signature else None
