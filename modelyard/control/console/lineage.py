"""A version's lineage as a picture: what it was made of, by which job, and from which earlier version.

Positions are computed here, in the units of an SVG's view box, once for wide screens and once for narrow ones.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from django.urls import reverse

from modelyard.control.jobs.models import Job
from modelyard.control.registry.models import HEAVY, Dataset, Version

MOST_EARLIER = 5
"""Parents of parents that are drawn, and versions of a dataset."""
MOST_TRAINED = 12
BOX, HIGH, GAP, ROW_GAP = 190, 52, 44, 24
NARROW_BOX, NARROW_GAP, INSET = 140, 36, 16
CHARACTERS, NARROW_CHARACTERS = 24, 17
"""That fit a box; a longer name is cut, and whole in the box's title and in the list."""


@dataclass(frozen=True, slots=True)
class Thing:
    """A dataset, job or version; `detail` is a short digest or a state, `whole` the digest as it is."""

    kind: str
    name: str
    detail: str = ""
    whole: str = ""
    href: str = ""
    here: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """A version, and what it came of."""

    version: Thing
    job: Thing | None = None
    dataset: Thing | None = None

    @property
    def things(self) -> list[Thing]:
        return [thing for thing in (self.dataset, self.job, self.version) if thing]


@dataclass(frozen=True, slots=True)
class Box:
    """A thing, and where it is."""

    thing: Thing
    x: int
    y: int
    width: int
    text: str
    detail: str
    high: int = HIGH


@dataclass(slots=True)
class Picture:
    """What is drawn; `arrows` are paths that end at a box."""

    layout: str
    width: int
    height: int = 0
    boxes: list[Box] = field(default_factory=list)
    arrows: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Lineage:
    """A picture in two layouts, and the same in words."""

    title: str
    said: str
    steps: list[Step]
    pictures: list[Picture]
    more: int = 0


def of_version(version: Version, parents: Mapping[int, int]) -> Lineage:
    """Return what led to a version, itself first. `parents`: of the model's versions, by their keys; one query more
    where it has one."""
    keys = [version.pk]
    while len(keys) <= MOST_EARLIER and keys[-1] in parents:
        keys.append(parents[keys[-1]])
    chain = [version, *_earlier(version, keys[1:])]
    more = int(chain[-1].pk in parents)
    steps = [_step(each, here=each is version) for each in chain]
    said = "; ".join(_sentence(step, after) for step, after in zip(steps, [*steps[1:], None], strict=True))
    return Lineage(f"Lineage of {version}", f"{said}.", steps, [_wide(steps), _narrow(steps)], more)


def of_dataset(dataset: Dataset, versions: Sequence[Version], total: int) -> Lineage:
    """Return what was trained on a dataset."""
    of = _dataset(dataset, here=True)
    steps = [Step(_version(each), _job(each), of if place == 0 else None) for place, each in enumerate(versions)]
    names = ", ".join(step.version.name for step in steps)
    drawn = [_wide(steps, chained=False), _narrow(steps, chained=False)]
    said = f"{names} came of {dataset}."
    return Lineage(f"What descends from {dataset}", said, steps, drawn, total - len(steps))


def _earlier(version: Version, keys: Sequence[int]) -> list[Version]:
    """Return the versions of the same model by these keys, in their order."""
    if not keys:
        return []
    rows = Version.objects.select_related("dataset__artifact", "dataset__tenant", "job__parent", "serving")
    found = rows.defer(*HEAVY).filter(model=version.model_id).in_bulk(keys)
    for each in found.values():
        each.model = version.model
    return [found[key] for key in keys if key in found]


def _step(version: Version, *, here: bool) -> Step:
    dataset = _dataset(version.dataset) if version.dataset else _told_data(version)
    return Step(_version(version, here=here), _job(version), dataset)


def _version(version: Version, *, here: bool = False) -> Thing:
    place = {"tenant": version.model.tenant.name, "name": version.model.name, "number": version.number}
    digest = version.serving.digest if version.serving else ""
    detail = _short(digest) or version.state
    return Thing("Version", str(version), detail, digest, reverse("console:version", kwargs=place), here)


def _job(version: Version) -> Thing | None:
    """Return the job that made it: the training, of which its registration is a part, or that alone."""
    if version.job is None:
        return None
    job: Job = version.job.parent if version.job.parent and version.job.own_parent else version.job
    address = reverse("console:job", kwargs={"tenant": version.model.tenant.name, "job": job.pk})
    return Thing("Job", job.kind.replace("_", " "), str(job.pk)[:8], str(job.pk), address)


def _dataset(dataset: Dataset, *, here: bool = False) -> Thing:
    place = {"tenant": dataset.tenant.name, "ref": str(dataset)}
    digest = dataset.artifact.digest if dataset.artifact else ""
    address = reverse("console:dataset", kwargs=place)
    return Thing("Dataset", str(dataset), _short(digest) or dataset.state, digest, address, here)


def _told_data(version: Version) -> Thing | None:
    """Return the data that whoever pushed told of, which is not kept here."""
    digest = str((version.manifest or {}).get("data_digest") or "")
    return Thing("Data", "elsewhere", _short(digest.removeprefix("sha256:")), digest) if digest else None


def _short(digest: str) -> str:
    return f"{digest[:12]}…" if len(digest) > 12 else digest


def _sentence(step: Step, parent: Step | None) -> str:
    parts = [f"{step.version.name} was made"]
    parts += [f"of {step.dataset.name}"] if step.dataset and step.dataset.href else []
    parts += [f"by the job {step.job.name} {step.job.detail}"] if step.job else []
    parts += [f"from {parent.version.name}"] if parent else []
    return " ".join(parts) if len(parts) > 1 else f"nothing is told of how {step.version.name} was made"


def _wide(steps: Sequence[Step], *, chained: bool = True) -> Picture:
    """Draw a row a version: dataset, job, version. In a chain a parent is beneath its child, and points up at it; else
    all come of the first one's dataset."""
    picture = Picture("wide", 3 * BOX + 2 * GAP)
    columns = [0, BOX + GAP, 2 * (BOX + GAP)]
    for row, step in enumerate(steps):
        y = row * (HIGH + ROW_GAP)
        there = [(x, thing) for x, thing in zip(columns, (step.dataset, step.job, step.version), strict=True) if thing]
        picture.boxes += [_box(thing, x, y, BOX, CHARACTERS) for x, thing in there]
        middle = y + HIGH // 2
        for (left, _), (right, _) in pairwise(there):
            picture.arrows.append(f"M{left + BOX} {middle}H{right - 5}")
        if row and chained:
            picture.arrows.append(f"M{columns[2] + BOX // 2} {y}V{y - ROW_GAP + 5}")
        elif row:
            picture.arrows.append(f"M{BOX // 2} {HIGH}V{middle}H{there[0][0] - 5}")
        picture.height = y + HIGH
    return picture


def _narrow(steps: Sequence[Step], *, chained: bool = True) -> Picture:
    """Draw two columns: dataset above job at the left, the version at the right of its job."""
    picture = Picture("narrow", 2 * NARROW_BOX + NARROW_GAP)
    right, y, before = NARROW_BOX + NARROW_GAP, 0, 0
    inset = 0 if chained else INSET
    for row, step in enumerate(steps):
        if step.dataset:
            picture.boxes.append(_box(step.dataset, 0, y, NARROW_BOX, NARROW_CHARACTERS))
            y += (HIGH + ROW_GAP) if step.job or not chained else 0
        middle = y + HIGH // 2
        if step.job:
            picture.boxes.append(_box(step.job, inset, y, NARROW_BOX - inset, NARROW_CHARACTERS - 2))
        if step.dataset or step.job:
            picture.arrows.append(f"M{NARROW_BOX if step.job or chained else INSET // 2} {middle}H{right - 5}")
        if not chained:
            picture.arrows.append(f"M{INSET // 2} {HIGH}V{middle}H{inset - 4}")
        elif step.dataset and step.job:
            picture.arrows.append(f"M{NARROW_BOX // 2} {y - ROW_GAP}V{y - 5}")
        if row and chained:
            picture.arrows.append(f"M{right + NARROW_BOX // 2} {y}V{before + HIGH + 5}")
        picture.boxes.append(_box(step.version, right, y, NARROW_BOX, NARROW_CHARACTERS))
        before, picture.height = y, y + HIGH
        y += HIGH + ROW_GAP
    return picture


def _box(thing: Thing, x: int, y: int, width: int, characters: int) -> Box:
    name = thing.name
    text = name if len(name) <= characters else f"{name[: characters - 1]}…"
    room = characters - len(thing.kind)
    detail = thing.detail if len(thing.detail) <= room else f"{thing.detail.removesuffix('…')[: room - 1]}…"
    return Box(thing, x, y, width, text, f"{thing.kind} {detail}")
