"""What happens to an uploaded estimator in its first sandboxed child: opened, joined, described, tried, converted.

The functions here are targets of `sandbox.run`. The file may have taken over this process: all that comes out is
checked by the parent, and the graph is audited and tried again in a second, clean child.
"""

import importlib.metadata
import pickle
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np

from modelyard.core.errors import InvalidInput, ModelFailed, ModelRefused
from modelyard.core.signature import Column, Output, Role, Signature
from modelyard.core.tensors import Answer, Batch
from modelyard.core.wording import one_line
from modelyard.runtimes import conversion, parity
from modelyard.runtimes.estimators import Facts, describe, facts_of, kept_rows
from modelyard.runtimes.formats import Format, globals_named
from modelyard.runtimes.frames import batch_arrays, encode
from modelyard.runtimes.inference import column_names, columns_of, outputs_of, read_sample, signature_of
from modelyard.runtimes.loading import load_estimator
from modelyard.runtimes.pipeline import join
from modelyard.runtimes.samples import MAX_IGNORED, MAX_NAME, Sample, Table
from modelyard.runtimes.sklearn import PREDICTION, PROBABILITIES, SklearnRuntime
from modelyard.runtimes.steps import features, outline

GRAPH, JOINED, ROWS, EXPECTED = "model.onnx", "joined.pkl", "rows.frame", "expected.frame"
"""The only files that the parent looks for in the scratch folder."""

_SAMPLE_PARITY_ROWS = 10_000
_SHOWN_ROWS = 8
_MOST_SHOWN_ROWS = 64
"""Of these another environment's estimator chooses those that it answers."""
_PACKAGES = ("scikit-learn", "numpy", "scipy", "pandas", "joblib", "skl2onnx", "onnx", "onnxruntime", "skops")
_KNOWN_MODULES = (
    "sklearn",
    "numpy",
    "scipy",
    "pandas",
    "joblib",
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
    batch, answer = _answered(SklearnRuntime(estimator, found), batch)
    folder = Path(scratch)
    _leave(folder / ROWS, *batch_arrays(batch))
    _leave(folder / EXPECTED, {}, answer)
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
        "packages": _packages(),
        "warnings": _advice(files),
        "unconverted": reason,
    }


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
    draft = _draft(columns)
    outputs = _outputs(estimator, draft, batch)
    return batch, signature_of(columns, outputs)


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
        made = {column.name: _under(column, sample[column.name], made[column.name]) for column in columns}
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
    table, _ = _taken(estimator, sent, given)
    named = list(table) if table is not None else _names(estimator, None, given)
    known = msgspec.convert(facts, list[Facts])
    columns, batch = rows_to_try(named, known if len(known) == len(named) else [Facts() for _ in named], table, given)
    _leave(Path(scratch) / ROWS, *batch_arrays(batch))
    shown = min(batch.n_rows, _MOST_SHOWN_ROWS)
    return {
        "columns": msgspec.to_builtins(columns),
        "rows": batch.n_rows,
        "shown": parity.as_rows(parity.take(batch, slice(0, shown)), _draft(columns), shown),
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


def _under(column: Column, seen: np.ndarray, made: np.ndarray) -> np.ndarray:
    """Put the sample's values above the made ones."""
    try:
        return np.concatenate([seen[:_SAMPLE_PARITY_ROWS].astype(column.dtype), made])
    except (TypeError, ValueError):
        raise InvalidInput(f"column `{column.name}` of the sample does not hold {column.type} values") from None


def _outputs(estimator: Any, draft: Signature, batch: Batch) -> tuple[Output, ...]:
    """Call the estimator on a few rows to see what it gives."""
    rows = SklearnRuntime(estimator, draft)._rows(parity.take(batch, slice(0, 4)))
    try:
        answer: dict[str, np.ndarray] = {PREDICTION: np.asarray(estimator.predict(rows))}
    except Exception as error:
        raise ModelRefused(
            "the model answers no row of its signature "
            f"({type(error).__name__}: {one_line(error, 300)}); send a sample of its input along"
        ) from error
    try:
        probabilities = estimator.predict_proba(rows) if hasattr(estimator, "predict_proba") else None
    except Exception:
        probabilities = None
    if isinstance(probabilities, np.ndarray) and probabilities.ndim == 2:
        answer[PROBABILITIES] = probabilities
    classes = getattr(estimator, "classes_", None)
    plain = classes.tolist() if isinstance(classes, np.ndarray) and classes.ndim == 1 else None
    return outputs_of(answer, plain)


def _answered(runtime: SklearnRuntime, batch: Batch) -> tuple[Batch, Answer]:
    """Return the rows that the estimator answers, with its answers.

    Raises:
        ModelRefused: when it answers none.
    """
    try:
        return batch, runtime.predict(batch)
    except ModelFailed as failure:
        first = failure
    kept = [
        index
        for index in range(min(batch.n_rows, 200))
        if _answers(runtime, parity.take(batch, slice(index, index + 1)))
    ]
    if not kept:
        raise ModelRefused(f"the model answers no row of its signature: {first.message}")
    batch = parity.take(batch, np.array(kept))
    return batch, runtime.predict(batch)


def _answers(runtime: SklearnRuntime, row: Batch) -> bool:
    try:
        runtime.predict(row)
    except ModelFailed:
        return False
    return True


def _convert(estimator: Any, signature: Signature, folder: Path) -> str | None:
    """Leave the graph, or return why there is none."""
    try:
        graph = conversion.convert(estimator, signature)
    except conversion.NotConvertible as error:
        return str(error)
    (folder / GRAPH).write_bytes(graph)
    return None


def _leave(path: Path, header: dict[str, Any], arrays: Any) -> None:
    with path.open("wb") as file:
        for piece in encode(header, arrays):
            file.write(piece)


def _packages() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


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
