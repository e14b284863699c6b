"""The trainer that runs a function of an installed package, of those that the operator allows."""

import inspect
import re
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta

from modelyard.core.errors import InvalidInput, Misconfigured, ModelyardError
from modelyard.core.metrics import nearest
from modelyard.core.signature import Column, DataType
from modelyard.core.wording import one_line
from modelyard.trainers.schema import FLAG, TEXT, Schema
from modelyard.trainers.trainer import SAMPLE_ROWS, Baseline, Fitted, Remark, Report

SUFFIXES = (".onnx", ".skops", ".pkl", ".joblib")
"""Of files that are a model."""
_PATH = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*\Z")


class FunctionParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """See `docs/training.md`."""

    function: Annotated[
        str,
        Meta(
            max_length=200,
            description="one that the operator allows, as `package.module:function`",
            extra_json_schema={"format": "function"},
        ),
    ]
    parameters: Annotated[dict[str, Any], Meta(description="handed to the function as they are")] = {}
    target: Annotated[
        Annotated[str, Meta(min_length=1, max_length=200)] | None,
        Meta(description="the column that the model does not take", extra_json_schema={"format": "column"}),
    ] = None
    columns: Annotated[
        Annotated[list[str], Meta(min_length=1, max_length=2_000)] | None,
        Meta(description="that the function gets; without it all", extra_json_schema={"format": "columns"}),
    ] = None
    max_rows: Annotated[
        int, Meta(ge=10, le=100_000_000, description="of a larger dataset as many rows are drawn, by the seed")
    ] = 1_000_000
    seed: Annotated[int, Meta(ge=0, le=2**32 - 1, description="of the rows drawn; handed on as it is")] = 0


class FunctionTrainer:
    """Calls `function(table, parameters, report)`, where `table` is a DataFrame.

    It returns a fitted estimator. Where it has a parameter `out`, it is handed a folder, and may leave the model's
    files there (`SUFFIXES`, in the order of their names) and return None. What it reports last are the metrics.
    """

    name = "function"
    title = "A function of your own"
    version = "1"
    Parameters = FunctionParameters

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        self.allowed = tuple(allowed)
        for path in self.allowed:
            if not _PATH.match(path):
                raise Misconfigured(f"{path!r} names no function: expected 'package.module:function'")
        if len(set(self.allowed)) < len(self.allowed):
            raise Misconfigured("a function that may train is listed twice: expected each once")

    def check(self, parameters: FunctionParameters, schema: Schema) -> None:
        """See `Trainer`."""
        self._check_allowed(parameters.function)
        if schema.n_rows == 0:
            raise InvalidInput.at("dataset", "it has 0 rows: expected some to learn from")
        for name in parameters.columns or []:
            schema.column(name, "parameters.columns")
        if parameters.target is not None:
            schema.column(parameters.target, "parameters.target")
            if parameters.columns is not None and parameters.target not in parameters.columns:
                raise InvalidInput.at("parameters.target", f"column `{parameters.target}` is not among the columns")

    def modules(self, parameters: FunctionParameters) -> list[str]:
        """See `Trainer`."""
        return [parameters.function.partition(":")[0]]

    def _check_allowed(self, path: str) -> None:
        if path not in self.allowed:
            hint = nearest(path, self.allowed) if self.allowed else "none is; MODELYARD_TRAINING_FUNCTIONS names them"
            raise InvalidInput.at("parameters.function", f"`{path}` is not allowed here; {hint}", "unknown")

    def fit(self, dataset: Path, parameters: FunctionParameters, report: Report, out: Path) -> Fitted:
        """See `Trainer`."""
        from modelyard.trainers.describing import summarised
        from modelyard.trainers.leaving import leave_pipeline, leave_report, leave_sample
        from modelyard.trainers.reading import frame_of, read_rows
        from modelyard.trainers.surroundings import distributions_of, surroundings

        self._check_allowed(parameters.function)
        rows = read_rows(dataset, parameters.columns, parameters.max_rows, parameters.seed)
        frame = frame_of(rows.table)
        told = _Told(report)
        estimator = _call(parameters, frame.copy(), told, out)
        files = (leave_pipeline(estimator, out),) if estimator is not None else _files(out)
        kept = rows.table.select([name for name in rows.table.column_names if name != parameters.target])
        columns, remarks = _columns(frame, kept.column_names)
        if not distributions_of(self.modules(parameters)):
            remarks.append(Remark("no_release", "the function is of no installed package: its release is not known"))
        kept = kept.select([column.name for column in columns])
        places = np.sort(np.random.default_rng(parameters.seed).permutation(kept.num_rows)[:SAMPLE_ROWS])
        sample = leave_sample(kept, places, out) if columns else None
        about = {
            "trainer": self.name,
            "parameters": msgspec.to_builtins(parameters),
            "seed": parameters.seed,
            "rows": {"dataset": rows.total, "used": rows.table.num_rows, "drawn": rows.drawn},
            "metrics": told.metrics,
            "warnings": msgspec.to_builtins(remarks),
            **surroundings(self.modules(parameters)),
        }
        leave_report(about, out)
        baseline = Baseline(
            tuple(summarised(column.name, frame[column.name]) for column in columns),
            None if parameters.target is None else _target(frame[parameters.target]),
        )
        return Fitted(files, told.metrics, tuple(remarks), columns, sample, baseline, about)


class _Told:
    """Hands on what the function reports, and keeps the last finite value of each metric."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self.metrics: dict[str, float] = {}

    def __call__(self, fraction: float, message: str, **metrics: float) -> None:
        found = {name: float(value) for name, value in metrics.items() if np.isfinite(value)}
        self.metrics |= found
        self._report(min(max(float(fraction), 0.0), 1.0), str(message)[:300], **found)


def _call(parameters: FunctionParameters, frame: Any, report: Report, out: Path) -> Any:
    module, _, name = parameters.function.partition(":")
    try:
        function = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise InvalidInput.at("parameters.function", f"`{parameters.function}` is not installed here") from error
    takes_folder = "out" in inspect.signature(function).parameters
    given = {"out": out} if takes_folder else {}
    try:
        made = function(frame, dict(parameters.parameters), report, **given)
    except (ModelyardError, MemoryError):
        raise
    except Exception as error:  # somebody else's function may raise anything
        message = f"`{parameters.function}` failed: {type(error).__name__}: {one_line(error, 500)}"
        raise InvalidInput.at("parameters.function", message) from error
    if made is None and not takes_folder:
        raise InvalidInput.at("parameters.function", "it returned nothing: expected a fitted estimator")
    if made is not None and not callable(getattr(made, "predict", None)):
        kind = type(made).__name__
        raise InvalidInput.at("parameters.function", f"it returned a {kind}: expected an estimator with `predict`")
    return made


def _files(out: Path) -> tuple[str, ...]:
    left = sorted(path.name for path in out.iterdir() if path.is_file() and path.suffix in SUFFIXES)
    if not left:
        raise InvalidInput.at("parameters.function", f"it left no model: expected a file of {', '.join(SUFFIXES)}")
    return tuple(left)


def _columns(frame: Any, names: list[str]) -> tuple[tuple[Column, ...], list[Remark]]:
    """Return what the model is expected to take: the columns but those of times."""
    from modelyard.trainers.describing import word_of

    columns, remarks = [], []
    for name in names:
        if frame[name].dtype.kind in "mM":
            remarks.append(Remark("time_column", "no model takes times: the sample leaves it out", name))
            continue
        word = word_of(frame[name])
        kind = {TEXT: DataType.STRING, FLAG: DataType.BOOL}.get(word) or DataType(word)
        columns.append(Column(name, kind, optional=bool(frame[name].isna().any())))
    return tuple(columns), remarks


def _target(values: Any) -> Any:
    from modelyard.trainers.describing import summarised

    return None if values.dtype.kind in "mM" else summarised(values.name, values)
