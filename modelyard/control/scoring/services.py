"""Every write of scoring: asked for, and its files deleted."""

from collections import Counter
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any

import msgspec
from django.conf import settings
from django.db import transaction

from modelyard.control.jobs.models import Job
from modelyard.control.jobs.services import submit, tell_after
from modelyard.control.registry.finding import find_alias, find_model, find_version
from modelyard.control.registry.models import VERSION_FACTS, Dataset, DatasetState, Version, VersionState
from modelyard.control.registry.uploads import release_later
from modelyard.control.scoring.models import ScoredFile
from modelyard.control.tenancy.models import Scope, Tenant
from modelyard.control.tenancy.services import Actor, record, require
from modelyard.core.errors import Conflict, InvalidInput, NotFound
from modelyard.core.reference import parse_reference
from modelyard.core.signature import Signature
from modelyard.sandbox.environments import check_named
from modelyard.scoring.fitting import check_columns
from modelyard.scoring.naming import FORMATS, column_names

KIND, PART_KIND = "scoring", "scoring-part"
CHAMPION = "champion"


def score(
    *,
    actor: Actor,
    model: str,
    dataset: Dataset,
    format: str = FORMATS[0],
    columns: Sequence[str] = (),
    entity: str = "",
    precompute: bool = False,
) -> Job:
    """Ask for predictions of all rows of a dataset, by the version that `model` names now: it stays that one.

    Args:
        model: `iris:3`, `iris@candidate`, or `iris`, the version that answers alone.
        columns: of the dataset, that stand in the result before the predictions.
        entity: the column that tells rows apart for who looks results up; it stands first.
        precompute: have the answers stored by entity at the end, and told from then on.

    Raises:
        NotFound: when there is no such model, version or alias.
        Conflict: when the version or the dataset is not ready, or several versions answer.
        InvalidInput: when the columns do not fit the version, or what shall be kept is not there.
    """
    version, payload = check_scoring(
        actor=actor,
        model=model,
        dataset=dataset,
        format=format,
        columns=columns,
        entity=entity,
        precompute=precompute,
    )
    with transaction.atomic():
        job = submit(tenant=actor.tenant, kind=KIND, payload=payload, created_by=actor.name)
        details = {"dataset": str(dataset), "job": str(job.pk), "asked": model, "format": format}
        record(actor=actor, verb="version.score", subject=f"version:{version}", details=details)
    return job


def check_scoring(
    *,
    actor: Actor,
    model: str,
    dataset: Dataset,
    format: str = FORMATS[0],
    columns: Sequence[str] = (),
    entity: str = "",
    precompute: bool = False,
) -> tuple[Version, dict[str, Any]]:
    """Return the version that `model` names now, and what its job is given, where that can be asked for.

    Raises:
        ModelyardError: as `score` says.
    """
    require(actor, Scope.WRITE)
    if dataset.tenant_id != actor.tenant.pk:
        raise NotFound(f"there is no dataset {dataset}", what="dataset")
    version = named_version(actor.tenant, model)
    if dataset.state != DatasetState.READY or not dataset.n_rows:
        raise Conflict(f"{dataset} is {dataset.state}: score one that is ready", state=dataset.state)
    if format not in FORMATS:
        raise InvalidInput.at("format", f"got {format[:40]!r}, expected one of {', '.join(FORMATS)}")
    if precompute and (not entity or format != FORMATS[0]):
        raise InvalidInput.at("precompute", f"answers are stored by entity: name `entity`, and score to {FORMATS[0]}")
    if precompute:
        _check_each_its_own(dataset, entity)
    signature = msgspec.convert(version.signature, Signature)
    types = {column["name"]: column["type"] for column in dataset.columns}
    check_columns(signature, types)
    payload = {
        "asked": model,
        "model": version.model.name,
        "number": version.number,
        "dataset": str(dataset),
        "format": format,
        "columns": _kept(types, signature, columns, entity),
        "entity": entity,
        "precompute": precompute,
    }
    return version, payload


def named_version(tenant: Tenant, reference: str) -> Version:
    """Return the version that a reference names now, which can score.

    Raises:
        NotFound, InvalidInput: when it names none.
        Conflict: when that one is not ready, or several answer for the model.
    """
    named = parse_reference(reference)
    model = find_model(tenant, named.model)
    if named.version is not None:
        number = named.version
    elif named.alias is not None and named.alias != CHAMPION:
        number = find_alias(model, named.alias).version.number
    else:
        versions = Version.objects.filter(model=model).annotate(**VERSION_FACTS).values("number", *VERSION_FACTS)
        numbers = sorted(one["number"] for one in versions if one.get("weight"))
        if not numbers:
            raise Conflict(f"{model.name} is not served: name the version, as {model.name}:{model.last_number or 1}")
        if len(numbers) > 1:
            told = ", ".join(f"{model.name}:{number}" for number in numbers)
            raise Conflict(f"{told} answer for {model.name}, each a share: name the one that shall score")
        number = numbers[0]
    version = find_version(tenant, model.name, number)
    if version.state != VersionState.READY or version.serving is None:
        raise Conflict(f"{version} is {version.state}: it cannot score{version.refused_because}", state=version.state)
    if version.isolated and not tenant.runs_code:
        raise Conflict(f"{version} carries code, and this tenant allows no files that do")
    check_named(version.environment, settings.MODELYARD.environments)
    return version


def answered_by_one(tenant: Tenant, names: Iterable[str]) -> list[str]:
    """Return the models of these names for which one version answers, alone: those that their name alone can score."""
    versions = Version.objects.of(tenant).filter(model__name__in=names).annotate(**VERSION_FACTS)
    answering = [one for one in versions.values("model__name", *VERSION_FACTS) if one.get("weight")]
    counted = Counter(one["model__name"] for one in answering)
    return [name for name, count in counted.items() if count == 1]


def delete_result(*, actor: Actor, job: Job) -> None:
    """Delete what a scoring left: its result and its failed rows. The job stays, and names no files any more.

    Raises:
        Conflict: while the job is open.
        NotFound: when it left nothing, or that is gone.
    """
    require(actor, Scope.WRITE)
    if job.kind == KIND and job.is_open:
        raise Conflict(f"the job is {job.state}: it has no result yet; cancelled, it leaves none", state=job.state)
    with transaction.atomic():
        files = ScoredFile.objects.of(actor.tenant).filter(job=job, job__kind=KIND).select_related("artifact")
        digests = [file.artifact.digest for file in files.select_for_update(of=("self",))]
        if not digests:
            raise NotFound("the job has no result, or it was deleted", what="result")
        files.delete()
        tell_after(job, files={})
        release_later(actor.tenant, digests)
        record(actor=actor, verb="scoring.delete", subject=f"job:{job.pk}", details={"pieces": digests})


def forget_parts(job: Job) -> list[str]:
    """Delete the rows of the files that a job's parts left, and return their digests, for `release_later`."""
    files = ScoredFile.objects.filter(job__parent=job)
    digests = list(files.values_list("artifact__digest", flat=True))
    files.delete()
    return digests


def _check_each_its_own(dataset: Dataset, entity: str) -> None:
    """Refuse to store answers by a column of which is known that it does not name each row by itself; what is not
    known now, the job that stores them finds out.

    Raises:
        InvalidInput: when values are missing, or the column repeats some and its values could be counted.
    """
    told: dict[str, Any] = next((one for one in dataset.summary if one["name"] == entity), {})
    distinct, rows = told.get("distinct"), dataset.n_rows or 0
    if told.get("missing"):
        why = "has missing values"
    elif distinct is not None and told.get("exact", True) and distinct < rows:
        why = f"has {distinct:,} value{'s' * (distinct != 1)} in {rows:,} rows"
    else:
        why = ""
    if why:
        raise InvalidInput.at(
            "entity", f"`{entity}` {why} in {dataset}: to store answers by, expected one of its own for each row"
        )


def _kept(types: dict[str, Any], signature: Signature, columns: Sequence[str], entity: str) -> list[str]:
    """Return the columns that stand before the predictions, the entity's first."""
    for place, name in [("entity", entity)] * bool(entity) + [("columns", one) for one in columns]:
        if name not in types:
            near = get_close_matches(name, list(types)[:300], 1)
            hint = f"; did you mean `{near[0]}`?" if near else ""
            raise InvalidInput.at(place, f"the dataset has no column `{name[:60]}`{hint}")
    if entity and not (types[entity] == "string" or "int" in types[entity]):
        raise InvalidInput.at("entity", f"column `{entity}` holds {types[entity]}, expected texts or whole numbers")
    found = list(dict.fromkeys([*([entity] if entity else []), *columns]))
    taken = [name for name in column_names(signature) if name in found]
    if taken:
        place = "entity" if taken[0] == entity else "columns"
        raise InvalidInput.at(place, f"`{taken[0]}` is what the predictions are called: leave it out")
    return found
