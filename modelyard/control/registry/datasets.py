"""Every write of datasets."""

from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, ProtectedError

from modelyard.control.jobs.services import submit
from modelyard.control.registry import facts
from modelyard.control.registry.dataset_models import Dataset, DatasetName, DatasetState
from modelyard.control.registry.sources import source_of
from modelyard.control.registry.sources.formats import taken_format
from modelyard.control.registry.uploads import Upload, lock, release, release_later
from modelyard.control.rest.limits import DATASET
from modelyard.control.tenancy.models import Scope
from modelyard.control.tenancy.services import Actor, record, require
from modelyard.core.errors import InUse, NotFound
from modelyard.core.table import check_dataset_name, check_types
from modelyard.sandbox.limits import Limits

KIND = "dataset"
UPLOADED = "upload"
UPLOAD_SETTING = DATASET
TABLE_SLACK = 1.5
"""How much larger than what came the table may be, and the scratch folder with it: zstd makes it smaller as a rule."""


def limits() -> Limits:
    """Return the bounds in which a dataset is examined."""
    given = settings.MODELYARD
    return Limits(
        seconds=given.dataset_timeout_seconds,
        memory_bytes=given.sandbox_memory_bytes,
        scratch_bytes=int(TABLE_SLACK * given.max_dataset_bytes),
        result_bytes=64 << 20,
        unsafe_without_sandbox=given.unsafe_without_sandbox,
    )


def register_dataset(
    *, actor: Actor, name: str, upload: Upload, types: dict[str, str] | None = None, description: str = ""
) -> tuple[Dataset, bool]:
    """Make a dataset of a file that was kept, and tell whether it is new: where the same file was taken under this
    name with the same types, that dataset is the answer. It is `checking` until its job has examined it.

    Raises:
        InvalidInput: when something said of it does not fit; the file is released.
        UnsupportedFormat: when the file's name alone says that it is none that is taken.
    """
    require(actor, Scope.WRITE)
    try:
        said = _checked(name, types, description)
        given = {**said, "format": taken_format(facts.check_filename(upload.filename))}
        with transaction.atomic():
            # The artifact first: rows are locked in one order.
            artifact = lock(actor.tenant, [upload.stored])[upload.stored.digest]
            numbers = _lock_name(actor, name)
            known = _known(actor, name, upload.stored.digest, given)
            if known is None:
                source = {"kind": UPLOADED, "filename": upload.filename}
                of_file = {"original_digest": upload.stored.digest, "original_bytes": upload.stored.size_bytes}
                made = _register(actor, numbers, source=source, upload=artifact, **of_file, **given)
                return made, True
        release(actor.tenant, [upload.stored.digest])
        return known, False
    except Exception:
        release(actor.tenant, [upload.stored.digest])
        raise


def fetch_dataset(
    *,
    actor: Actor,
    name: str,
    source: dict[str, str],
    types: dict[str, str] | None = None,
    description: str = "",
) -> Dataset:
    """Make a dataset of what a place that the operator allowed holds now: its job fetches that and examines it.

    `source` names its `kind`, a `place`, and the `file` or `query`; see `sources.source_of`.

    Raises:
        Forbidden: when that kind needs a larger scope.
        InvalidInput, UnsupportedFormat: when something said of it does not fit.
    """
    require(actor, Scope.WRITE)
    found = source_of(source)
    require(actor, found.scope)
    said = {**_checked(name, types, description), "format": found.check(source)}
    with transaction.atomic():
        return _register(actor, _lock_name(actor, name), source=source, **said)


def delete_dataset(*, actor: Actor, dataset: Dataset) -> None:
    """Delete a dataset, and its bytes when no other of the tenant has them; its number is never used again.

    Raises:
        InUse: while a version names it, or it is being checked; `details["users"]` names them.
    """
    require(actor, Scope.WRITE)
    with transaction.atomic():
        rows = Dataset.objects.of(actor.tenant).filter(pk=dataset.pk)
        locked = rows.select_for_update(of=("self",)).select_related("artifact", "upload").first()
        if locked is None:
            raise NotFound(f"there is no dataset {dataset}")
        if locked.state == DatasetState.CHECKING:
            text = f"{locked} is still being checked: wait until it is ready or refused"
            raise InUse(text, users=["a job"], what="dataset")
        digests = [one.digest for one in (locked.artifact, locked.upload) if one is not None]
        details = {"state": locked.state, "digest": digests[0] if digests else None, "n_rows": locked.n_rows}
        try:
            locked.delete()
        except ProtectedError as error:
            users = sorted(str(user) for user in error.protected_objects)
            text = f"{dataset} is in use by {', '.join(users[:10])}: delete what was trained on it first"
            raise InUse(text, users=users, what="dataset") from None
        record(actor=actor, verb="dataset.delete", subject=f"dataset:{dataset}", details=details)
        release_later(actor.tenant, digests)


def _checked(name: str, types: dict[str, str] | None, description: str) -> dict[str, Any]:
    check_dataset_name(name)
    types = {} if types is None else types
    facts.check_json(types, "types", facts.MAX_SIGNATURE_BYTES)
    return {"given": check_types(types), "description": facts.check_text(description, "description")}


def _lock_name(actor: Actor, name: str) -> DatasetName:
    """Return the name's row, made where there is none, locked: what is registered under one name comes in turn."""
    DatasetName.objects.bulk_create([DatasetName(tenant=actor.tenant, name=name)], ignore_conflicts=True)
    return DatasetName.objects.of(actor.tenant).select_for_update(no_key=True).get(name=name)


def _known(actor: Actor, name: str, digest: str, given: dict[str, Any]) -> Dataset | None:
    rows = Dataset.objects.of(actor.tenant).filter(name=name, original_digest=digest, format=given["format"])
    alike = rows.exclude(state=DatasetState.REFUSED).order_by("-number")
    return next((one for one in alike if one.given == given["given"]), None)


def _register(actor: Actor, numbers: DatasetName, **said: Any) -> Dataset:
    """Write the dataset with its job; the name's row is locked."""
    DatasetName.objects.filter(pk=numbers.pk).update(last_number=F("last_number") + 1)
    number = numbers.last_number + 1
    payload = {"dataset": numbers.name, "number": number}
    job = submit(tenant=actor.tenant, kind=KIND, payload=payload, created_by=actor.name)
    dataset: Dataset = Dataset.objects.create(
        tenant=actor.tenant, name=numbers.name, number=number, job=job, created_by=actor.name, **said
    )
    details = {"source": said["source"], "original_digest": said.get("original_digest", "")}
    record(actor=actor, verb="dataset.register", subject=f"dataset:{dataset}", details=details)
    return dataset
