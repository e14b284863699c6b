"""Estimators that only another environment can open: an old pickle, say. The way of an upload there.

The first child, of that environment, opens the files and says what they hold. A child of ours makes the rows, from
the sample and what the first said. Another of that environment's answers them. Nothing is converted: what our
converter would make could not be compared with releases that it does not know. All that comes out is checked here.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from modelyard.core.errors import InvalidInput, ModelRefused, ModelyardError
from modelyard.core.signature import Column, Output, Signature
from modelyard.runtimes.estimators import Facts
from modelyard.runtimes.formats import Format
from modelyard.sandbox import environments
from modelyard.sandbox.examination import (
    Examined,
    checked,
    common_facts,
    examine,
    figures,
    left_of,
    new_folder,
    take_left,
    tell_all,
)
from modelyard.sandbox.findings import Count, Packages, Text, Texts
from modelyard.sandbox.limits import Limits
from modelyard.sandbox.measuring import measure_isolated
from modelyard.sandbox.run import run

_DESCRIBE = "modelyard.runtimes.elsewhere:describe_files"
_PLAN = "modelyard.runtimes.opening:plan_rows"
_ANSWER = "modelyard.runtimes.elsewhere:answer_rows"
_PRELOAD = ("numpy", "joblib")
_PLAN_PRELOAD = ("numpy", "msgspec")
_Name = Annotated[str, Meta(max_length=1000)]


class Described(msgspec.Struct, frozen=True):
    """What the first child says of the estimator."""

    names: Annotated[list[_Name], Meta(max_length=10_000)] | None
    width: Annotated[int, Meta(ge=0, le=10_000)] | None
    facts: Annotated[list[Facts], Meta(max_length=10_000)]
    estimator: Text
    steps: Texts
    packages: Packages
    python: Annotated[str, Meta(max_length=50)]


class Planned(msgspec.Struct, frozen=True):
    """What our own child says of the rows; it has opened the sample, and nothing else."""

    columns: tuple[Column, ...]
    rows: Count
    ignored_columns: Texts
    shown: Annotated[list[dict[str, Any]], Meta(max_length=64)]


class Answered(msgspec.Struct, frozen=True):
    """What the last child says of the answers; `shown` are the first rows that are answered."""

    outputs: tuple[Output, ...]
    answered: Count
    shown: Annotated[list[Annotated[int, Meta(ge=0, le=63)]], Meta(max_length=8)]


def examine_where(
    files: Sequence[tuple[str, Path]],
    *,
    environment: str,
    known: Mapping[str, Path],
    sample: tuple[str, Path] | None,
    signature: Signature | None,
    runs_code: bool,
    scratch: Path,
    limits: Limits,
) -> tuple[Examined, str]:
    """Examine the files (see `examination.examine`) in the environment named, else in our own; where that refuses them
    because another release of scikit-learn wrote them, in those of `known` that fit. Return the environment too, empty
    for our own.

    Raises:
        ModelRefused, InvalidInput, UnsupportedFormat, TooLarge, Unavailable: see `examine`.
        Misconfigured: also when the environment named is gone.
    """
    given: dict[str, Any] = {"sample": sample, "signature": signature, "runs_code": runs_code}
    started = time.monotonic()
    if environment:
        return _examine_in(environment, known, files, scratch=scratch, limits=limits, **given), environment
    try:
        return examine(files, scratch=new_folder(scratch, "own"), limits=limits, **given), ""
    except ModelRefused as refusal:
        release = refusal.details.get("written_by")
        if release is None:
            raise
        own, written_by = refusal, str(release)
    fitting = environments.fitting(written_by, known)
    if not fitting:
        gone = environments.unusable(known)
        if gone:
            raise ModelRefused(f"{own.message}; {'; '.join(gone)[:500]}: {environments.MEND}", **own.details)
        raise ModelRefused(
            f"{own.message}; or have the operator name a Python environment with scikit-learn {written_by} "
            "(MODELYARD_ENVIRONMENTS), and push it again",
            **own.details,
        )
    left = left_of(limits, started)
    return _examine_in(fitting[0], known, files, scratch=scratch, limits=left, **given), fitting[0]


def _examine_in(
    name: str,
    known: Mapping[str, Path],
    files: Sequence[tuple[str, Path]],
    *,
    sample: tuple[str, Path] | None,
    signature: Signature | None,
    runs_code: bool,
    scratch: Path,
    limits: Limits,
) -> Examined:
    started = time.monotonic()
    formats = tell_all(files)
    if not {Format.PICKLE, Format.JOBLIB}.issuperset(formats):
        raise InvalidInput.at("environment", "expected .pkl or .joblib files: others need no environment of their own")
    if not runs_code:
        raise ModelRefused(f"this tenant allows no files that carry code, and in `{name}` nothing is converted")
    there = _There(name, environments.interpreter(name, known), files, scratch, limits, started)
    try:
        return _opened(there, formats, sample, signature)
    except (ModelRefused, InvalidInput) as error:
        raise type(error)(f"in the environment `{name}`: {error.message}", **error.details) from None


def _opened(
    there: "_There", formats: Sequence[Format], sample: tuple[str, Path] | None, signature: Signature | None
) -> Examined:
    described, serving = there.described()
    planned, rows = there.planned(described, sample, signature)
    answered = there.answered(serving, planned, rows)
    try:
        found = Signature(planned.columns, answered.outputs)
    except ModelyardError as error:
        raise ModelRefused(error.message) from None
    report = {
        "attempted": False,
        "converted": False,
        "served": "original",
        "reason": f"it is opened and served in the Python environment `{there.name}`, where nothing is converted",
        "environment": there.name,
        "python": described.python,
        "estimator": described.estimator,
        "steps": described.steps,
        "warnings": [],
        "ignored_columns": planned.ignored_columns,
        **figures(None, answered.answered),
        **common_facts(described.packages, serving, there.started),
    }
    shown = [planned.shown[index] for index in answered.shown if index < len(planned.shown)]
    kind = formats[0] if len(set(formats)) == 1 else Format.PICKLE
    speed = measure_isolated(serving, found, "sklearn", shown, there.left(), there.python)
    return Examined(kind.value, "sklearn", True, serving, found, shown, report, described.packages, speed)


@dataclass(frozen=True, slots=True)
class _There:
    """An environment at work on one upload; `limits.seconds` hold for all its children together, from `started` on."""

    name: str
    python: Path
    files: Sequence[tuple[str, Path]]
    scratch: Path
    limits: Limits
    started: float

    def left(self) -> Limits:
        """Return the bounds with what is left of the time."""
        return left_of(self.limits, self.started)

    def described(self) -> tuple[Described, Path]:
        """Return what the files hold, and the one to be served: the upload's own, or what several were joined into."""
        folder = new_folder(self.scratch, "described")
        arguments = {
            "files": [[name, str(path.resolve())] for name, path in self.files],
            "scratch": str(folder.resolve()),
        }
        described = checked(self._run(_DESCRIBE, arguments, [path for _, path in self.files], folder), Described)
        if len(self.files) == 1:
            return described, self.files[0][1]
        joined = take_left(folder / "joined.pkl", self.scratch / "joined.pkl", self.limits)
        if joined is None:
            raise ModelRefused("the files could not be joined into one pipeline")
        return described, joined

    def planned(
        self, described: Described, sample: tuple[str, Path] | None, given: Signature | None
    ) -> tuple[Planned, Path]:
        """Return the columns and the file of the rows, made by a child of our own."""
        folder = new_folder(self.scratch, "planned")
        arguments = {
            "names": described.names,
            "width": described.width,
            "facts": msgspec.to_builtins(described.facts),
            "sample": None if sample is None else [sample[0], str(sample[1].resolve())],
            "signature": None if given is None else msgspec.to_builtins(given),
            "scratch": str(folder.resolve()),
        }
        read = [] if sample is None else [sample[1]]
        said = run(_PLAN, arguments, read=read, scratch=folder, limits=self.left(), preload=_PLAN_PRELOAD)
        planned = checked(said, Planned)
        rows = take_left(folder / "rows.frame", self.scratch / "rows-elsewhere.frame", self.limits)
        if rows is None:
            raise ModelRefused("no rows could be made for the model")
        return planned, rows

    def answered(self, serving: Path, planned: Planned, rows: Path) -> Answered:
        """Return what the model answers to the rows."""
        arguments = {
            "files": [["the model", str(serving.resolve())]],
            "rows": str(rows.resolve()),
            "columns": msgspec.to_builtins(planned.columns),
        }
        folder = new_folder(self.scratch, "answered")
        return checked(self._run(_ANSWER, arguments, [serving, rows], folder), Answered)

    def _run(self, target: str, arguments: dict[str, Any], read: list[Path], folder: Path) -> dict[str, Any]:
        return run(
            target,
            arguments,
            read=read,
            scratch=folder,
            limits=self.left(),
            preload=_PRELOAD,
            python=self.python,
        )
