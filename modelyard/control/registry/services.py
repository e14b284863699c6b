"""Every write of models, versions and aliases.

Rows are locked in one order, so that no two verbs wait for each other: artifacts, model, versions, deployment, tenant.
"""

import re
from collections.abc import Sequence
from typing import Any

import msgspec
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Max, Prefetch, ProtectedError, RestrictedError, prefetch_related_objects
from django.utils import timezone
from msgspec import structs

from modelyard.control.jobs.models import Job
from modelyard.control.jobs.services import Part, split, submit
from modelyard.control.registry import facts
from modelyard.control.registry.charters import append_charter, charter_of, write_charter
from modelyard.control.registry.consumers import check_callers, check_consumers, declare_consumer, remove_consumer
from modelyard.control.registry.dataset_models import Dataset, DatasetState
from modelyard.control.registry.locks import lock_model, lock_version
from modelyard.control.registry.models import HEAVY, Alias, DeletedVersion, Model, Version, VersionFile, VersionState
from modelyard.control.registry.uploads import Upload, keep_upload, lock, release, release_later
from modelyard.control.rest.limits import upload_too_large
from modelyard.control.rest.public import root
from modelyard.control.tenancy.models import Member, Scope
from modelyard.control.tenancy.people import Person
from modelyard.control.tenancy.services import Actor, bump, record, require
from modelyard.core.errors import Conflict, InUse, InvalidInput, NotFound
from modelyard.core.reference import check_alias as check_alias_name
from modelyard.core.reference import check_name
from modelyard.core.signature import Signature
from modelyard.runtimes.formats import declared, sample_suffix
from modelyard.sandbox.environments import check_named

__all__ = [
    "Upload",
    "alias_undo",
    "change_model",
    "check_alias",
    "create_model",
    "declare_consumer",
    "delete_alias",
    "delete_model",
    "delete_version",
    "keep_upload",
    "lock_model",
    "lock_version",
    "mark_changed",
    "move_alias",
    "register_version",
    "remove_consumer",
    "write_charter",
]

KIND = "registration"
MAX_FILES = 8
RESERVED_ALIAS = "champion"
MODEL_ROLE, SAMPLE_ROLE = "model", "sample"
SHA256 = re.compile(r"sha256:[0-9a-f]{64}\Z")
_UNSET: Any = object()


def create_model(*, actor: Actor, name: str, problem: str = "", owner: Person | None = None) -> Model:
    """Make a model without versions. Numbers go on where a deleted model of this name ended.

    Raises:
        InvalidInput: when the name breaks the rule, or the owner is no member of the tenant.
        Conflict: when there is one by this name.
    """
    require(actor, Scope.WRITE)
    check_name(name, "a model")
    facts.check_text(problem, "problem")
    _check_owner(actor, owner)
    try:
        with transaction.atomic():
            model = Model.objects.create(
                tenant=actor.tenant, name=name, problem=problem, owner=owner, created_by=actor.name
            )
            # Looked up only now: the name was free, so whoever deleted its last bearer has committed.
            former = DeletedVersion.objects.of(actor.tenant).filter(model_name=name).aggregate(last=Max("number"))
            model.last_number = former["last"] or 0
            model.save(update_fields=["last_number"])
            record(actor=actor, verb="model.create", subject=f"model:{name}")
    except IntegrityError:
        raise Conflict(f"there is a model called {name!r} already") from None
    return model


def change_model(*, actor: Actor, model: Model, problem: str = _UNSET, owner: Person | None = _UNSET) -> Model:
    """Change what may change of a model; what is not given stays.

    Raises:
        InvalidInput: when the owner is no member of the tenant.
    """
    require(actor, Scope.WRITE)
    changes: dict[str, Any] = {}
    if problem is not _UNSET:
        changes["problem"] = facts.check_text(problem, "problem")
    if owner is not _UNSET:
        _check_owner(actor, owner)
        changes["owner"] = owner
    with transaction.atomic():
        locked = lock_model(actor, model)
        if changes:
            Model.objects.filter(pk=locked.pk).update(**changes)
            if "problem" in changes and locked.charters.exists():
                append_charter(actor, locked, structs.replace(charter_of(locked), problem=problem))
            details = {**changes, "owner": owner.get_username() if owner else None} if "owner" in changes else changes
            record(actor=actor, verb="model.change", subject=f"model:{locked.name}", details=details)
    return Model.objects.select_related("owner").get(pk=locked.pk)


def delete_model(*, actor: Actor, model: Model, despite_consumers: bool = False) -> None:
    """Delete a model with its versions and their bytes, its aliases and its charter; what versions were stays known.

    Raises:
        InUse: while it serves, or a version is being checked.
        HasConsumers: when nothing was said of them.
    """
    require(actor, Scope.WRITE)
    with transaction.atomic():
        locked = lock_model(actor, model)
        check_consumers(locked, despite_consumers)
        versions = list(locked.versions.with_facts().defer(*HEAVY).select_for_update(of=("self",)))
        _refuse_checking(versions)
        kept = [_epitaph(actor, version) for version in versions]
        digests = [digest for version in versions for digest in _digests(version)]
        aliases = dict(locked.aliases.values_list("name", "version__number"))
        try:
            locked.delete()
        except (ProtectedError, RestrictedError) as error:
            raise _in_use(f"the model {locked.name}", error, "deactivate it first") from None
        DeletedVersion.objects.bulk_create(reversed(kept))
        bump(actor.tenant)
        details = {"versions": sorted(version.number for version in versions), "aliases": aliases}
        record(actor=actor, verb="model.delete", subject=f"model:{locked.name}", details=details)
        release_later(actor.tenant, digests)


def register_version(
    *,
    actor: Actor,
    model: Model,
    files: Sequence[Upload],
    sample: Upload | None = None,
    metrics: dict[str, Any] | None = None,
    manifest: dict[str, Any] | None = None,
    description: str = "",
    parent: Version | None = None,
    dataset: Dataset | None = None,
    signature: dict[str, Any] | Signature | None = None,
    environment: str = "",
    training: dict[str, Any] | None = None,
    baseline: dict[str, Any] | None = None,
    part_of: Job | None = None,
) -> Version:
    """Make a version of files that were kept; it is `checking` until the job that is made with it has examined them.

    `environment`: the Python environment that opens and serves it; empty: the server's own, or, for what another
    release of scikit-learn wrote, one that fits. `training` and `baseline` are what a trainer told; `part_of` is the
    job that trained it, which waits for the registration as its part.

    Raises:
        LeaseLost, Cancelled: when that job is not its worker's any more, or not wanted.
        InvalidInput: when something said of it does not fit; the files are released.
        TooLarge: when the files are too large together.
        UnsupportedFormat: when a name alone says that it is no file that is taken.
    """
    require(actor, Scope.WRITE)
    uploads = [*files, *([sample] if sample else [])]
    try:
        _check_uploads(files, sample)
        check_named(environment, settings.MODELYARD.environments)
        if isinstance(signature, Signature):
            signature = msgspec.to_builtins(signature)
        given = facts.check_signature(signature)
        said = {
            "metrics": facts.check_metrics({} if metrics is None else metrics),
            "manifest": _check_manifest({} if manifest is None else manifest),
            "description": facts.check_text(description, "description"),
            "signature": None if given is None else msgspec.to_builtins(given),
            "parent": _check_parent(model, parent),
            "dataset": _check_dataset(actor, dataset),
            "environment": environment,
            "training": training,
            "baseline": baseline,
        }
        with transaction.atomic():
            return _register(actor, model, files, sample, said, part_of)
    except Exception:
        release(actor.tenant, [upload.stored.digest for upload in uploads])
        raise


def _register(
    actor: Actor,
    model: Model,
    files: Sequence[Upload],
    sample: Upload | None,
    said: dict[str, Any],
    part_of: Job | None,
) -> Version:
    uploads = [*((MODEL_ROLE, upload) for upload in files), *([(SAMPLE_ROLE, sample)] if sample else [])]
    artifacts = lock(actor.tenant, [upload.stored for _, upload in uploads])
    rows = Model.objects.of(actor.tenant).filter(pk=model.pk)
    if not rows.update(last_number=F("last_number") + 1):
        raise NotFound(f"there is no model {model.name!r}")
    number = rows.values_list("last_number", flat=True).get()
    payload = {"model": model.name, "number": number}
    if part_of is None:
        job = submit(tenant=actor.tenant, kind=KIND, payload=payload, created_by=actor.name)
    else:
        (job,) = split(part_of, [Part(KIND, payload)])
    version = Version.objects.create(
        tenant=actor.tenant, model=model, number=number, job=job, created_by=actor.name, **said
    )
    VersionFile.objects.bulk_create(
        VersionFile(
            tenant=actor.tenant,
            version=version,
            artifact=artifacts[upload.stored.digest],
            position=position,
            role=role,
            filename=upload.filename,
        )
        for position, (role, upload) in enumerate(uploads)
    )
    details = {"files": [{"filename": upload.filename, "digest": upload.stored.digest} for _, upload in uploads]}
    record(actor=actor, verb="version.register", subject=f"version:{model.name}:{number}", details=details)
    return version


def delete_version(*, actor: Actor, version: Version, despite_consumers: bool = False) -> None:
    """Delete a version, and its bytes when no other version of the tenant has them; what it was stays known.

    Raises:
        InUse: while the plan in force, an alias or a declared consumer needs it, or it is being checked;
            `details["users"]` names them.
    """
    require(actor, Scope.WRITE)
    with transaction.atomic():
        model = lock_model(actor, version.model)
        locked = lock_version(actor, version)
        _refuse_checking([locked])
        prefetch_related_objects([locked], Prefetch("files", VersionFile.objects.select_related("artifact")))
        check_consumers(model, despite_consumers, uses=f":{locked.number}")
        kept, digests, was_ready = _epitaph(actor, locked), _digests(locked), locked.state == VersionState.READY
        try:
            locked.delete()
        except (ProtectedError, RestrictedError) as error:
            raise _in_use(f"version {kept.number} of {model.name}", error, "let them name another version") from None
        kept.save(force_insert=True)
        if was_ready:
            mark_changed(model)
        record(actor=actor, verb="version.delete", subject=f"version:{model.name}:{kept.number}", details=kept.facts)
        release_later(actor.tenant, digests)


def move_alias(*, actor: Actor, model: Model, name: str, version: Version, despite_consumers: bool = False) -> Alias:
    """Let `model@name` mean `version` from now on.

    Raises:
        InvalidInput: when the name breaks the rule or is reserved, or the version is of another model.
        Conflict: when the version is not ready.
        HasConsumers: when consumers who ask by that name would be refused, and nothing was said of them.
    """
    require(actor, Scope.WRITE)
    check_alias(name)
    with transaction.atomic():
        locked = lock_model(actor, model)
        target = lock_version(actor, version)
        if target.model_id != locked.pk:
            raise InvalidInput.at("version", f"{target} is of another model, expected one of {locked.name}")
        if target.state != VersionState.READY:
            text = f"{target} is {target.state}: only a ready version can have an alias{target.refused_because}"
            raise Conflict(text, state=target.state)
        before = Alias.objects.filter(model=locked, name=name).select_related("version").first()
        check_callers(locked, before.version.number if before else None, target, despite_consumers, f"@{name}")
        values = {"version": target, "moved_by": actor.name, "moved_at": timezone.now()}
        alias, _ = Alias.objects.update_or_create(
            model=locked, name=name, defaults=values, create_defaults={**values, "tenant": actor.tenant}
        )
        alias.model, alias.before = locked, before.version.number if before else None
        mark_changed(locked)
        details = {"before": alias.before, "after": target.number}
        record(actor=actor, verb="alias.move", subject=f"alias:{locked.name}@{name}", details=details)
    return alias


def check_alias(name: str) -> str:
    """Return `name` if an alias by it may be moved.

    Raises:
        InvalidInput: when it breaks the rule, or is reserved.
    """
    check_alias_name(name)
    if name == RESERVED_ALIAS:
        raise InvalidInput.at(
            "alias", f"{name!r} is no alias that can be moved: it is the version that answers most; promote one"
        )
    return name


def alias_undo(model_name: str, name: str, before: int | None, *, despite: bool = False) -> dict[str, Any]:
    """Return the call that lets an alias that was moved mean version `before` again; None: there was no alias.

    `despite`: it was moved despite consumers, and goes back despite them.
    """
    path = f"{root()}api/v1/models/{model_name}/aliases/{name}/"
    if before is None:
        says = f"remove the alias {name}"
        return {"verb": "alias", "method": "DELETE", "path": path, "body": None, "says": says}
    told = {"despite_consumers": True} if despite else {}
    says = f"let {model_name}@{name} be version {before} again"
    return {"verb": "alias", "method": "PUT", "path": path, "body": {"version": before, **told}, "says": says}


def delete_alias(*, actor: Actor, model: Model, name: str, despite_consumers: bool = False) -> None:
    """Forget an alias; its version stays.

    Raises:
        NotFound: when the model has none by that name.
        HasConsumers: when consumers ask for it by that name, and nothing was said of them.
    """
    require(actor, Scope.WRITE)
    with transaction.atomic():
        locked = lock_model(actor, model)
        alias = Alias.objects.filter(model=locked, name=name).select_related("version").first()
        if alias is None:
            raise NotFound(f"{locked.name} has no alias {name!r}")
        check_consumers(locked, despite_consumers, uses=f"@{name}")
        alias.delete()
        mark_changed(locked)
        details = {"before": alias.version.number, "after": None}
        record(actor=actor, verb="alias.delete", subject=f"alias:{locked.name}@{name}", details=details)


def mark_changed(model: Model) -> None:
    """Say, in the caller's transaction, that the data plane must hear of a change of `model`."""
    Model.objects.filter(pk=model.pk).update(revision=F("revision") + 1)
    bump(model.tenant)


def _check_owner(actor: Actor, owner: Person | None) -> None:
    if owner is not None and not Member.objects.of(actor.tenant).filter(user=owner).exists():
        raise InvalidInput.at("owner", f"{owner.get_username()!r} is no member of this tenant")


def _check_uploads(files: Sequence[Upload], sample: Upload | None) -> None:
    if not 1 <= len(files) <= MAX_FILES:
        raise InvalidInput.at("file", f"{len(files)} files, expected 1 to {MAX_FILES}")
    uploads = [*files, *([sample] if sample else [])]
    for upload in uploads:
        facts.check_filename(upload.filename)
    for upload in files:
        declared(upload.filename)
    if sample is not None:
        sample_suffix(sample.filename)
    total, bound = sum(upload.stored.size_bytes for upload in uploads), settings.MODELYARD.max_upload_bytes
    if total > bound:
        raise upload_too_large()


def _check_manifest(value: Any) -> dict[str, Any]:
    manifest = facts.check_manifest(value)
    digest = manifest.get("data_digest")
    if digest is not None and not SHA256.match(digest):
        raise InvalidInput.at(
            "manifest.data_digest", f"got {digest[:80]!r}, expected `sha256:` and 64 hexadecimal digits"
        )
    return manifest


def _check_parent(model: Model, parent: Version | None) -> Version | None:
    if parent is not None and parent.model_id != model.pk:
        raise InvalidInput.at("parent", f"{parent} is of another model, expected a version of {model.name}")
    return parent


def _check_dataset(actor: Actor, dataset: Dataset | None) -> Dataset | None:
    if dataset is not None and (dataset.tenant_id != actor.tenant.pk or dataset.state != DatasetState.READY):
        raise InvalidInput.at("dataset", f"{dataset} is none that is ready")
    return dataset


def _refuse_checking(versions: Sequence[Version]) -> None:
    checking = [version.number for version in versions if version.state == VersionState.CHECKING]
    if checking:
        numbers = ", ".join(str(number) for number in checking[:10])
        raise InUse(f"version {numbers} is still being checked: wait until it is ready or refused", users=["a job"])


def _in_use(what: str, error: ProtectedError | RestrictedError, mend: str) -> InUse:
    held = error.protected_objects if isinstance(error, ProtectedError) else error.restricted_objects
    users = sorted({str(user) for user in held})
    return InUse(f"{what} is in use by {', '.join(users[:10])}: {mend}", users=users)


def _digests(version: Version) -> list[str]:
    found = [file.artifact.digest for file in version.files.all()]
    return [*found, *([version.serving.digest] if version.serving else [])]


def _epitaph(actor: Actor, version: Version) -> DeletedVersion:
    files = [file.facts() for file in version.files.all()]
    parent = version.parent
    return DeletedVersion(
        tenant=actor.tenant,
        model_name=version.model.name,
        number=version.number,
        facts={
            "state": version.state,
            "refusal": version.refusal,
            "description": version.description,
            "format": version.format,
            "runtime": version.runtime,
            "digest": version.serving.digest if version.serving else None,
            "files": files or (version.refusal or {}).get("files", []),
            "metrics": version.metrics,
            "measured": version.measured,
            "manifest": version.manifest,
            "parent": parent.number if parent else None,
            "dataset": str(version.dataset) if version.dataset else None,
            "created_by": version.created_by,
            "created_at": version.created_at.isoformat(),
        },
        deleted_by=actor.name,
    )
