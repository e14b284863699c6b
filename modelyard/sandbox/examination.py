"""From uploaded files to what is served: told apart, opened in the sandbox, converted, compared, decided.

This process reads no more of a file than its first bytes. A first child opens the files, and from then on belongs to
whoever wrote them: what it says and leaves is bounded and checked here, and believed only about its own model. The
graph that it leaves is audited and run in a second, clean child before it may run in the serving process.
"""

import hashlib
import os
import shutil
import stat
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from modelyard.core.errors import InvalidInput, ModelRefused, ModelyardError
from modelyard.core.signature import Signature
from modelyard.runtimes.formats import Format, tell
from modelyard.sandbox import layers
from modelyard.sandbox.findings import Opened, Tried, TriedGraph
from modelyard.sandbox.limits import Limits
from modelyard.sandbox.measuring import measure_isolated, measured
from modelyard.sandbox.run import plain_text, run

_OPEN = "modelyard.runtimes.opening:open_estimator"
_TRY = "modelyard.runtimes.trial:try_graph"
_TRY_UPLOADED = "modelyard.runtimes.uploaded:open_graph"
_OPEN_PRELOAD = (
    "numpy",
    "joblib",
    "msgspec",
)  # the rest once the file is seen to name it: a hostile one waits for nothing
_TRY_PRELOAD = ("numpy", "onnx", "onnxruntime", "msgspec")
_MAX_FILES = 16
_MOST_MANY_SECONDS = 20.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Examined:
    """What became of an upload.

    Attributes:
        format: of what was uploaded, as `runtimes.formats.Format`.
        runtime: alias of the runtime that serves.
        isolated: it must run in a sandboxed child.
        serving: the file that is served, in the scratch folder or one of those uploaded.
        signature: what it takes and gives.
        sample: at most 8 rows, as JSON values.
        report: what was tried and found, as JSON values.
        packages: of the installation that opened it.
        measured: how long one row takes, of what is served: see `measuring.measured`.
    """

    format: str
    runtime: str
    isolated: bool
    serving: Path
    signature: Signature
    sample: list[dict[str, Any]]
    report: dict[str, Any]
    packages: dict[str, str] = field(default_factory=dict)
    measured: dict[str, Any] = field(default_factory=dict)


def examine(
    files: Sequence[tuple[str, Path]],
    *,
    sample: tuple[str, Path] | None = None,
    signature: Signature | None = None,
    runs_code: bool = True,
    scratch: Path,
    limits: Limits,
) -> Examined:
    """Find out what the files, (client's name, local path) each in the order of the pipeline, are, and how to serve.

    `runs_code`: the tenant allows to serve, in a sandboxed child, files that carry code; without it what does not
    convert is refused. `scratch` is an empty folder of the caller's, who removes it after it has taken `serving`.
    `limits.seconds` holds for all of it together.

    Raises:
        ModelRefused: with the reason, for people.
        InvalidInput, UnsupportedFormat, TooLarge: the sample, the signature or a name does not fit.
        Misconfigured: the sandbox is not whole on this machine.
        Unavailable: no child could be started.
    """
    started = time.monotonic()
    formats = tell_all(files)
    given = None if signature is None else msgspec.to_builtins(signature)
    if formats[0] is Format.ONNX:
        return _graph(files[0], sample, given, scratch, limits, started)
    return _estimator(files, formats, sample, given, runs_code, scratch, limits, started)


def tell_all(files: Sequence[tuple[str, Path]]) -> list[Format]:
    if not 1 <= len(files) <= _MAX_FILES:
        raise InvalidInput(f"{len(files)} files: expected 1 to {_MAX_FILES}")
    formats = [tell(name, path) for name, path in files]
    if Format.ONNX in formats and len(files) > 1:
        raise ModelRefused(
            "an ONNX file cannot be joined with others: expected it alone, or estimators saved by scikit-learn"
        )
    return formats


def _estimator(
    files: Sequence[tuple[str, Path]],
    formats: Sequence[Format],
    sample: tuple[str, Path] | None,
    given: dict[str, Any] | None,
    runs_code: bool,
    scratch: Path,
    limits: Limits,
    started: float,
) -> Examined:
    first = new_folder(scratch, "opened")
    arguments = {
        "files": [[name, str(path.resolve()), kind.value] for (name, path), kind in zip(files, formats, strict=True)],
        "sample": None if sample is None else [sample[0], str(sample[1].resolve())],
        "signature": given,
        "scratch": str(first.resolve()),
    }
    read = [path for _, path in files] + ([] if sample is None else [sample[1]])
    opened = checked(run(_OPEN, arguments, read=read, scratch=first, limits=limits, preload=_OPEN_PRELOAD), Opened)
    graph = take_left(first / "model.onnx", scratch / "model.onnx", limits)
    tried, reason = _second(first, graph, opened, scratch, left_of(limits, started))
    if reason is None and graph is not None:
        runtime, isolated, serving = "onnx", False, graph
    else:
        serving = _original(files, first, scratch, limits)
        runtime, isolated = "sklearn", True
        if not runs_code:
            raise ModelRefused(
                f"the model cannot be served as plain data ({reason}), and this tenant allows no files that carry code"
            )
    report = {
        "attempted": True,
        "converted": graph is not None,
        "served": "onnx" if runtime == "onnx" else "original",
        "reason": "outputs agree with the fitted estimator's on every row tried" if runtime == "onnx" else reason,
        "estimator": opened.estimator,
        "steps": opened.steps,
        **opened.preprocessing(),
        "warnings": opened.warnings,
        "ignored_columns": opened.ignored_columns,
        **figures(tried, opened.rows),
        **common_facts(opened.packages, serving, started),
    }
    known = formats[0] if len(set(formats)) == 1 else Format.PICKLE
    if isolated or tried is None:
        speed = measure_isolated(serving, opened.signature, runtime, opened.sample, left_of(limits, started))
    else:
        speed = measured(tried.timing)
    return Examined(
        known.value, runtime, isolated, serving, opened.signature, opened.sample, report, opened.packages, speed
    )


def _second(
    first: Path, graph: Path | None, opened: Opened, scratch: Path, limits: Limits
) -> tuple[Tried | None, str | None]:
    """Try the converted graph in a clean child; return what came of it, and why it may not serve, if so."""
    if graph is None:
        return None, plain_text(opened.unconverted or "there is no converted graph")
    folder = new_folder(scratch, "tried")
    try:
        rows = take_left(first / "rows.frame", scratch / "rows.frame", limits)
        expected = take_left(first / "expected.frame", scratch / "expected.frame", limits)
        if rows is None or expected is None:
            return None, "there is nothing to compare the converted graph with"
        arguments = {
            "graph": str(graph.resolve()),
            "rows": str(rows.resolve()),
            "expected": str(expected.resolve()),
            "signature": msgspec.to_builtins(opened.signature),
        }
        tried = checked(
            run(_TRY, arguments, read=[graph, rows, expected], scratch=folder, limits=limits, preload=_TRY_PRELOAD),
            Tried,
        )
    except (ModelRefused, InvalidInput) as error:
        return None, f"the converted graph was tried in vain: {error.message}"
    objection = tried.objection(_MOST_MANY_SECONDS)
    return tried, objection and plain_text(objection)


def _graph(
    file: tuple[str, Path],
    sample: tuple[str, Path] | None,
    given: dict[str, Any] | None,
    scratch: Path,
    limits: Limits,
    started: float,
) -> Examined:
    name, path = file
    folder = new_folder(scratch, "tried")
    arguments = {
        "graph": [name, str(path.resolve())],
        "sample": None if sample is None else [sample[0], str(sample[1].resolve())],
        "signature": given,
    }
    read = [path] + ([] if sample is None else [sample[1]])
    # A graph carries no code: where a layer is missing, the child is still bounded, and its crash survived.
    trying = replace(limits, unsafe_without_sandbox=True)
    tried = checked(
        run(_TRY_UPLOADED, arguments, read=read, scratch=folder, limits=trying, preload=_TRY_PRELOAD), TriedGraph
    )
    objections = list(tried.audit.refused)
    if tried.many_seconds > _MOST_MANY_SECONDS:
        objections.append(f"10,000 rows take {tried.many_seconds:.0f} s")
    if objections:
        layers.require(limits)
    report = {
        "attempted": False,
        "converted": False,
        "served": "onnx",
        "reason": "; ".join(objections)[:2000] or "all its operators are on the list of those that surely end",
        "warnings": [],
        "ignored_columns": tried.ignored_columns,
        "rows": tried.rows,
        "audit": msgspec.to_builtins(tried.audit),
        **common_facts(tried.packages, path, started),
    }
    speed = measured(tried.timing)
    if objections:
        speed = measure_isolated(path, tried.signature, "onnx", tried.sample, left_of(limits, started))
    return Examined(
        Format.ONNX.value, "onnx", bool(objections), path, tried.signature, tried.sample, report, tried.packages, speed
    )


def left_of(limits: Limits, started: float) -> Limits:
    """Return the bounds with what is left of the time."""
    return limits.within(limits.seconds - (time.monotonic() - started))


def common_facts(packages: dict[str, str], serving: Path, started: float) -> dict[str, Any]:
    return {
        "packages": packages,
        "digest": _digest(serving),
        "seconds": round(time.monotonic() - started, 3),
    }


def figures(tried: Tried | None, rows: int) -> dict[str, Any]:
    if tried is None:
        return {
            "rows": rows,
            "largest_difference": None,
            "class_mismatches": None,
            "disagreeing_rows": None,
            "audit": None,
        }
    comparison = tried.comparison
    return {
        "rows": comparison.rows,
        "largest_difference": {"absolute": comparison.largest_absolute, "relative": comparison.largest_relative},
        "class_mismatches": comparison.class_mismatches,
        "disagreeing_rows": comparison.disagreeing,
        "audit": msgspec.to_builtins(tried.audit),
    }


def checked(result: dict[str, Any], kind: type[T]) -> T:
    try:
        return msgspec.convert(result, kind, strict=True)
    except (msgspec.ValidationError, ModelyardError, RecursionError) as error:
        raise ModelRefused(f"the process that opened the file answered nonsense: {str(error)[:300]}") from None


def new_folder(scratch: Path, name: str) -> Path:
    folder = scratch / name
    folder.mkdir(mode=0o700)
    return folder


def take_left(path: Path, target: Path, limits: Limits) -> Path | None:
    """Copy a file that a child left to where no child ever wrote; None when it left none.

    Raises:
        ModelRefused: when it is no regular file, or too large.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError:
        raise ModelRefused("the process that opened the file left something that is no file") from None
    with os.fdopen(fd, "rb") as source:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
            raise ModelRefused("the process that opened the file left something that is no file")
        if status.st_size > limits.scratch_bytes:
            raise ModelRefused("the process that opened the file left too large a file")
        with target.open("xb") as sink:
            shutil.copyfileobj(source, sink, 1 << 20)
    return target


def _original(files: Sequence[tuple[str, Path]], first: Path, scratch: Path, limits: Limits) -> Path:
    """Return what is served when the graph is not: the one file, or what the first child joined of several."""
    if len(files) == 1:
        return files[0][1]
    joined = take_left(first / "joined.pkl", scratch / "joined.pkl", limits)
    if joined is None:
        raise ModelRefused("the files could not be joined into one pipeline")
    return joined


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
