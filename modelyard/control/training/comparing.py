"""A version beside what the same training has made now: which parts are equal, and what around them differs."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from typing import Any

import msgspec

from modelyard.control.jobs.children import run_in_child
from modelyard.control.jobs.models import Job
from modelyard.control.registry.models import Dataset, Version, VersionFile
from modelyard.control.registry.services import MODEL_ROLE
from modelyard.control.registry.storage import store
from modelyard.runtimes.formats import tell
from modelyard.runtimes.packages import releases
from modelyard.sandbox.examination import checked, new_folder
from modelyard.sandbox.findings import Sameness, kept
from modelyard.trainers.running import PRELOAD
from modelyard.trainers.surroundings import code_of, surroundings
from modelyard.trainers.trainer import Fitted

COMPARE = "modelyard.runtimes.sameness:compare_models"
Files = Sequence[tuple[str, Path]]


@dataclass(frozen=True, slots=True)
class Made:
    """What the training has made now; `files` are the model's, without the sample."""

    dataset: Dataset
    fitted: Fitted
    files: Sequence[Path]


def compare(job: Job, version: Version, made: Made, scratch: Path) -> dict[str, Any]:
    """Return the report: of each part whether it is `equal`, and where not, what it was `then` and is `now`.

    `equal` of the whole is that of all parts; the environment is no part, but what may explain them.
    """
    told = (version.training or {}).get("report") or {}
    own = {"parameters": version.manifest.get("parameters", {})}
    then, now = told.get("parameters", own["parameters"]), kept(made.fitted.report).get("parameters", own["parameters"])
    digest = f"sha256:{made.dataset.artifact.digest}" if made.dataset.artifact else None
    parts = {
        "parameters": _part(differences(then, now)),
        "data": _part(differences({"digest": version.manifest.get("data_digest")}, {"digest": digest})),
        "metrics": _part(differences(version.metrics, made.fitted.metrics)),
        **_of_files(job, version, made, scratch),
    }
    return {
        "version": str(version),
        "dataset": str(made.dataset),
        "trainer": job.payload["trainer"],
        "equal": all(part["equal"] is not False for part in parts.values()),
        **parts,
        "environment": _part(differences(*environments(version, job.payload["trainer"]))),
    }


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what is not the same in both, by name; None where it is not there at all."""
    names = sorted({*then, *now})
    pairs = [(name, then.get(name), now.get(name)) for name in names]
    return [{"name": name, "then": old, "now": new} for name, old, new in pairs if not _is_same(old, new)]


def _is_same(old: Any, new: Any) -> bool:
    """Tell whether two values are the same; PostgreSQL gives a large float back as the integer that it shows."""
    return float(old) == new if isinstance(old, int) and isinstance(new, float) else bool(old == new)


def environments(version: Version, trainer: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what the version was made in and what there is now: code, Python, platform, each package's release."""
    manifest, here = version.manifest, surroundings()
    then: dict[str, Any] = dict(manifest.get("packages", {}))
    now: dict[str, Any] = releases(list(then))
    about = {"code": code_of(trainer), "python": here["python"], "platform": here["platform"]}
    return {**then, **{name: manifest.get(name) for name in about}}, {**now, **about}


def _part(found: list[dict[str, Any]]) -> dict[str, Any]:
    return {"equal": not found, "differences": found}


def _of_files(job: Job, version: Version, made: Made, scratch: Path) -> dict[str, Any]:
    """Compare the files byte by byte, and what the models answer for the kept sample."""
    rows = list(version.files.select_related("artifact"))
    old = [row for row in rows if row.role == MODEL_ROLE]
    sample = next((row for row in rows if row.role != MODEL_ROLE), None)
    then = {row.filename: row.artifact.digest for row in old}
    artifacts = _part(differences(then, {path.name: digest_of(path) for path in made.files}))
    if sample is None or version.signature is None:
        reason = "no sample of the version is kept"
        return {"predictions": {"equal": None, "rows": 0, "outputs": [], "reason": reason}, "artifacts": artifacts}
    with ExitStack() as opened:
        paths = {
            row.pk: opened.enter_context(store().local(str(version.tenant_id), row.artifact.digest)).resolve()
            for row in [*old, sample]
        }
        before = [(row.filename, paths[row.pk]) for row in old]
        now = [(path.name, path.resolve()) for path in made.files]
        found = _predictions(job, before, now, (sample, paths[sample.pk]), version, scratch)
    return {"predictions": found, "artifacts": artifacts}


def _predictions(
    job: Job, before: Files, now: Files, sample: tuple[VersionFile, Path], version: Version, scratch: Path
) -> dict[str, Any]:
    kept_sample, path = sample
    arguments = {
        "before": [[name, str(file), tell(name, file).value] for name, file in before],
        "now": [[name, str(file), tell(name, file).value] for name, file in now],
        "sample": [kept_sample.filename, str(path)],
        "signature": version.signature,
    }
    read = [path, *(file for _, file in [*before, *now])]
    said = run_in_child(job, COMPARE, arguments, read=read, scratch=new_folder(scratch, "comparing"), preload=PRELOAD)
    found = checked(said, Sameness)
    outputs = msgspec.to_builtins(found.outputs)
    return {"equal": not any(each.differing for each in found.outputs), "rows": found.rows, "outputs": outputs}


def digest_of(path: Path) -> str:
    """Return the sha256 of a file."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
