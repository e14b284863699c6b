"""What happens to an uploaded estimator in its first sandboxed child: opened, joined, described, tried, converted.

The functions here are targets of `sandbox.run`. The file may have taken over this process: all that comes out is
checked by the parent, and the graph is audited and tried again in a second, clean child.
"""

import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np

from modelyard.core.errors import InvalidInput, ModelFailed, ModelRefused
from modelyard.core.signature import Column, Output, Role, Signature
from modelyard.core.tensors import Answer, Batch, take
from modelyard.runtimes import conversion, parity
from modelyard.runtimes.asking import PREDICTION, Asked, answered
from modelyard.runtimes.estimators import Facts, describe, facts_of, kept_rows
from modelyard.runtimes.formats import Format, globals_named
from modelyard.runtimes.frames import batch_arrays, write_file
from modelyard.runtimes.inference import column_names, columns_of, read_sample
from modelyard.runtimes.loading import load_estimator
from modelyard.runtimes.packages import releases
from modelyard.runtimes.pipeline import join
from modelyard.runtimes.samples import MAX_IGNORED, MAX_NAME, Sample, Table, held, lacks
from modelyard.runtimes.steps import features, outline

GRAPH, JOINED, ROWS, EXPECTED = "model.onnx", "joined.pkl", "rows.frame", "expected.frame"
"""The only files that the parent looks for in the scratch folder."""

_SAMPLE_PARITY_ROWS = 10_000
_SHOWN_ROWS = 8
_MOST_CALLS = 400
_MOST_SHOWN_ROWS = 64
"""Of these another environment's estimator chooses those that it answers."""
_PACKAGES = (
    "scikit-learn",
    "numpy",
    "scipy",
    "pandas",
    "joblib",
    "skl2onnx",
    "onnx",
    "onnxruntime",
    "skops",
    "lightgbm",
    "xgboost",
    "xgboost-cpu",
)
_KNOWN_MODULES = (
    "sklearn",
    "numpy",
    "scipy",
    "pandas",
    "joblib",
    "lightgbm",
    "xgboost",
    "builtins",
    "collections",
    "copyreg",
    "_codecs",
    "functools",
    "__builtin__",
)


def open_estimator(
    files: list[list[str]],
    sample: list[str] | None,
    signature: dict[str, Any] | None,
    scratch: str,
    convert: bool = True,
) -> dict[str, Any]:
    """Open `files` ([client's name, path, format] each), leave `GRAPH`, `JOINED`, `ROWS` and `EXPECTED` in `scratch`
    where there is something to leave, and return what is known, as JSON values."""
    sent = None if sample is None else read_sample(sample[0], Path(sample[1]))  # first: it is refused soonest
    given = None if signature is None else msgspec.convert(signature, Signature)
    parts = [(name, load_estimator(Path(path), Format(kind), name)) for name, path, kind in files]
    estimator = join(parts)
    table, ignored = _taken(estimator, sent, given)
    batch, found = describe_io(estimator, table, given)
    predict = Asked(estimator, found.columns, found.outputs).predict
    places, answer = answered(predict, batch, _MOST_CALLS)
    unanswered = _unanswered(predict, batch, places, table)
    if len(places) < batch.n_rows:
        found, batch = _as_answered(found, take(batch, places), given)
    folder = Path(scratch)
    write_file(folder / ROWS, *batch_arrays(batch))
    write_file(folder / EXPECTED, {}, answer)
    if len(parts) > 1:
        (folder / JOINED).write_bytes(pickle.dumps(estimator, protocol=5))
    reason = _convert(estimator, found, folder) if convert else "not asked for"
    return {
        "signature": msgspec.to_builtins(found),
        "sample": parity.as_rows(batch, found, _SHOWN_ROWS),
        "ignored_columns": ignored,
        "rows": batch.n_rows,
        "estimator": " ".join(repr(estimator).split())[:2000],
        "steps": describe(estimator)[:100],
        "outline": outline(estimator),
        "features": features(estimator, found.names),
        "packages": releases(_PACKAGES),
        "warnings": [*unanswered, *_advice(files)],
        "unconverted": reason,
    }


def _unanswered(
    predict: Callable[[Batch], Answer], batch: Batch, places: np.ndarray, sample: Table | None
) -> list[str]:
    """Return a warning where some rows of the sample, which are the batch's first, are not among those answered.

    Raises:
        ModelRefused: none of them is.
    """
    sent = 0 if sample is None else min(len(next(iter(sample.values()))), _SAMPLE_PARITY_ROWS)
    kept = places[places < sent]
    if len(kept) == sent:
        return []
    first = int(np.setdiff1d(np.arange(sent), kept)[0])
    try:
        predict(take(batch, slice(first, first + 1)))
    except ModelFailed as failure:
        if not len(kept):
            raise ModelRefused(f"the model answers no row of the sample: {failure.message}") from failure
        said = f"; to row {first} it says: {failure.message}"
    else:
        said = ""
    return [f"the model answers {len(kept)} of the sample's {sent} rows{said}"[:1000]]


def _taken(estimator: Any, sent: Sample | None, given: Signature | None) -> tuple[Table | None, list[str]]:
    """Return the columns of the sample that the estimator takes, and the names of those that it does not."""
    names = _names(estimator, sent, given)
    if sent is None:
        return None, []
    table, ignored = sent.taken(names, renames=given is not None)
    return table, [name[:MAX_NAME] for name in ignored[:MAX_IGNORED]]


def _names(estimator: Any, sent: Sample | None, given: Signature | None) -> list[str]:
    return column_names(estimator, sent) if given is None else _declared_names(estimator, given)


def describe_io(estimator: Any, sample: Table | None, given: Signature | None) -> tuple[Batch, Signature]:
    """Return rows to try and the signature, from the estimator, the sample and what the client declared.

    `sample` has just the columns that the estimator takes, by the names that it takes them by.

    Raises:
        InvalidInput: the sample or the declared signature does not fit the estimator.
        ModelRefused: it answers no row.
    """
    names = list(sample) if sample is not None else _names(estimator, None, given)
    columns, batch = rows_to_try(names, facts_of(estimator, names), sample, given, kept=kept_rows(estimator, names))
    outputs = msgspec.convert(Asked(estimator, columns).outputs(batch), tuple[Output, ...])
    return batch, Signature(columns, outputs)


def _as_answered(found: Signature, batch: Batch, given: Signature | None) -> tuple[Signature, Batch]:
    """Return both with optional columns only where a row is answered that lacks the value: a converted graph would give
    some answer to what the estimator itself refuses.

    Raises:
        InvalidInput: the client has declared that a value may be missing.
    """
    arrays = {
        column.name: batch.matrix[:, index] if batch.matrix is not None else (batch.columns or {})[column.name]
        for index, column in enumerate(found.columns)
    }
    columns = []
    for column in found.columns:
        needed = column.optional and not column.shape and not lacks(arrays[column.name])
        if needed and given is not None:
            raise InvalidInput(
                f"column `{column.name}` is declared as optional, but the model answers no row that lacks it"
            )
        columns.append(msgspec.structs.replace(column, optional=False) if needed else column)
    settled = msgspec.structs.replace(found, columns=tuple(columns))
    return settled, parity.batch_of(arrays, settled)


def rows_to_try(
    names: Sequence[str],
    facts: Sequence[Facts],
    sample: Table | None,
    given: Signature | None,
    kept: np.ndarray | None = None,
) -> tuple[tuple[Column, ...], Batch]:
    """Return the columns and the rows: the sample's, made ones, and those `kept` of the training.

    Raises:
        InvalidInput: the sample does not hold what the columns take.
    """
    columns = given.columns if given is not None else columns_of(names, facts, sample)
    made = parity.rows_for(columns, facts)
    if kept is not None and all(column.type.is_floating for column in columns):
        near = parity.around(kept)
        made = {column.name: np.concatenate([made[column.name], near[:, i]]) for i, column in enumerate(columns)}
    if sample is not None:
        seen = {column.name: held(sample[column.name][:_SAMPLE_PARITY_ROWS], column) for column in columns}
        made = {name: np.concatenate([array, made[name]]) for name, array in seen.items()}
    return columns, parity.batch_of(made, _draft(columns))


def _draft(columns: tuple[Column, ...]) -> Signature:
    return Signature(columns, (Output(PREDICTION, columns[0].type, (), Role.PREDICTION),))


def plan_rows(
    names: list[str] | None,
    width: int | None,
    facts: list[dict[str, Any]],
    sample: list[str] | None,
    signature: dict[str, Any] | None,
    scratch: str,
) -> dict[str, Any]:
    """Leave `ROWS` for an estimator that another environment has opened, and return its columns and rows to show.

    `names`, `width` and `facts` are what that environment's child said of it.
    """
    sent = None if sample is None else read_sample(sample[0], Path(sample[1]))
    given = None if signature is None else msgspec.convert(signature, Signature)
    said = {"feature_names_in_": names, "n_features_in_": width}
    estimator = SimpleNamespace(**{key: value for key, value in said.items() if value is not None})
    table, ignored = _taken(estimator, sent, given)
    named = list(table) if table is not None else _names(estimator, None, given)
    known = msgspec.convert(facts, list[Facts])
    columns, batch = rows_to_try(named, known if len(known) == len(named) else [Facts() for _ in named], table, given)
    write_file(Path(scratch) / ROWS, *batch_arrays(batch))
    shown = min(batch.n_rows, _MOST_SHOWN_ROWS)
    return {
        "columns": msgspec.to_builtins(columns),
        "rows": batch.n_rows,
        "ignored_columns": ignored,
        "shown": parity.as_rows(take(batch, slice(0, shown)), _draft(columns), shown),
    }


def _declared_names(estimator: Any, given: Signature) -> list[str]:
    fitted = getattr(estimator, "feature_names_in_", None)
    names = list(given.names)
    if fitted is not None and names != [str(name) for name in fitted]:
        raise InvalidInput(
            f"the signature names the columns {names[:20]}, "
            f"the model was fitted with {[str(name) for name in fitted][:20]}"
        )
    width = getattr(estimator, "n_features_in_", len(names))
    if width != len(names) and not given.columns[0].shape:
        raise InvalidInput(f"the signature has {len(names)} columns, the model takes {width}")
    return names


def _convert(estimator: Any, signature: Signature, folder: Path) -> str | None:
    """Leave the graph, or return why there is none."""
    try:
        graph = conversion.convert(estimator, signature)
    except conversion.NotConvertible as error:
        return str(error)
    (folder / GRAPH).write_bytes(graph)
    return None


def _advice(files: Sequence[Sequence[str]]) -> list[str]:
    """Name what else than estimators a pickle would import: advice to people, no gate."""
    strange: dict[str, None] = {}
    for name, path, kind in files:
        if Format(kind) is Format.SKOPS:
            continue
        with Path(path).open("rb") as file:
            for module, attribute in globals_named(file):
                if module.split(".")[0] not in _KNOWN_MODULES:
                    strange[f"`{name}` uses {module}.{attribute}"[:200]] = None
    return list(strange)[:20]
