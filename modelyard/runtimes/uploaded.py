"""What happens to an uploaded ONNX file in a sandboxed child: audited, described, run. A target of `sandbox.run`."""

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from modelyard.core.errors import InvalidInput, ModelFailed, ModelRefused
from modelyard.core.signature import MAX_COLUMNS, Column, DataType, Output, Role, Signature
from modelyard.core.tensors import Batch, take
from modelyard.runtimes import parity
from modelyard.runtimes.audit import audit
from modelyard.runtimes.estimators import Facts
from modelyard.runtimes.inference import columns_of, read_sample
from modelyard.runtimes.onnx import ELEMENT_TYPES, OnnxRuntime, open_session
from modelyard.runtimes.packages import releases
from modelyard.runtimes.samples import MAX_IGNORED, MAX_NAME, Sample, Table, held
from modelyard.runtimes.timing import time_calls
from modelyard.runtimes.trial import MANY_ROWS, MAX_ELEMENTS

_PACKAGES = ("onnx", "onnxruntime", "numpy")
_SHOWN_ROWS = 8
_LABELS = ("label", "prediction", "class", "variable", "target")


def open_graph(graph: list[str], sample: list[str] | None, signature: dict[str, Any] | None) -> dict[str, Any]:
    """Audit the file `graph` ([client's name, path]), find its signature, run it; return what is known as JSON values.

    Raises:
        ModelRefused: it is broken, keeps data elsewhere, or answers no row.
        InvalidInput: the sample or the declared signature does not fit it.
    """
    name, path = graph[0], Path(graph[1])
    found = audit(path.read_bytes(), name)
    session = open_session(path)
    sent = None if sample is None else read_sample(sample[0], Path(sample[1]))
    given = None if signature is None else msgspec.convert(signature, Signature)
    columns = _columns(session.get_inputs(), sent, given)
    table: Table | None = None
    ignored: list[str] = []
    if sent is not None:
        table, ignored = sent.taken([column.name for column in columns], renames=given is not None)
    if given is None:
        columns = _seen(columns, table)
    made = _made(columns) if table is None else {column.name: held(table[column.name], column) for column in columns}
    draft = Signature(columns, tuple(Output(output.name, DataType.FLOAT64) for output in session.get_outputs()))
    batch = parity.batch_of(made, draft)
    outputs = _outputs(session, OnnxRuntime(session, draft), batch)
    whole = Signature(columns, _named_by(outputs, given))
    runtime = OnnxRuntime(session, whole)
    refused = [f"column `{column.name}` is of no fixed size" for column in columns if -1 in column.shape][:5]
    return {
        "signature": msgspec.to_builtins(whole),
        "sample": parity.as_rows(batch, whole, _SHOWN_ROWS if _row_elements(columns) <= 10_000 else 1),
        "ignored_columns": [name[:MAX_NAME] for name in ignored[:MAX_IGNORED]],
        "rows": batch.n_rows,
        "audit": {**msgspec.to_builtins(found), "refused": [*found.refused, *refused]},
        "packages": releases(_PACKAGES),
        "many_seconds": _many(runtime, batch, columns),
        "timing": msgspec.to_builtins(time_calls(runtime.predict, batch)),
    }


def _made(columns: Sequence[Column]) -> Table:
    count = max(1, min(parity.BASE_ROWS, MAX_ELEMENTS // _row_elements(columns)))
    return parity.rows_for(columns, [Facts() for _ in columns], count)


def _row_elements(columns: Sequence[Column]) -> int:
    return sum(math.prod(size if size >= 0 else 3 for size in column.shape) or 1 for column in columns)


def _columns(inputs: Sequence[Any], sent: Sample | None, given: Signature | None) -> tuple[Column, ...]:
    if not 1 <= len(inputs) <= MAX_COLUMNS:
        raise ModelRefused(f"the graph has {len(inputs)} inputs: expected 1 to {MAX_COLUMNS}")
    for taken in inputs:
        if taken.type not in ELEMENT_TYPES:
            raise ModelRefused(
                f"the graph's input `{taken.name}` is a {taken.type}: "
                "expected tensors of numbers, truth values or texts"
            )
        if not taken.shape or isinstance(taken.shape[0], int):
            raise ModelRefused(
                f"the graph's input `{taken.name}` has shape {taken.shape}, "
                "which fixes the number of rows: export it with a free first axis"
            )
    kind = ELEMENT_TYPES[inputs[0].type]
    if len(inputs) == 1 and len(inputs[0].shape) == 2 and kind.is_numeric:
        return _matrix(inputs[0], kind, sent, given)
    columns = tuple(Column(taken.name, ELEMENT_TYPES[taken.type], _row_shape(taken.shape)) for taken in inputs)
    if given is not None:
        _agree(given, columns)
        return given.columns
    return columns


def _row_shape(shape: Sequence[Any]) -> tuple[int, ...]:
    row = tuple(size if isinstance(size, int) and size > 0 else -1 for size in shape[1:])
    return () if row == (1,) else row


def _matrix(taken: Any, kind: DataType, sent: Sample | None, given: Signature | None) -> tuple[Column, ...]:
    width = taken.shape[1] if isinstance(taken.shape[1], int) else None
    if given is not None:
        if width not in (None, len(given.columns)) or not given.is_matrix:
            raise InvalidInput(f"the signature has {len(given.columns)} columns: expected {width} numbers")
        for column in given.columns:
            _check_exact(column, kind)
        return tuple(_narrowed(column, kind) for column in given.columns)
    if sent is not None:
        return tuple(Column(name, kind) for name in sent.all(width))
    if width is None:
        raise InvalidInput("the graph does not say how many columns it takes: send a sample of its input along")
    if not 1 <= width <= MAX_COLUMNS:
        raise ModelRefused(f"the graph takes {width} columns: expected 1 to {MAX_COLUMNS}")
    return tuple(Column(f"x{index}", kind) for index in range(width))


def _narrowed(column: Column, kind: DataType) -> Column:
    """Return the column with the graph's type where that is the narrower one of two floating-point types: what is too
    large for it is then refused, where it would become infinite without a word."""
    if column.type.is_floating and kind.is_floating and kind.dtype.itemsize < column.type.dtype.itemsize:
        return msgspec.structs.replace(column, type=kind)
    return column


def _seen(columns: tuple[Column, ...], table: Table | None) -> tuple[Column, ...]:
    """Take ranges and categories from the sample, and which numbers may be missing; the types stay those of the
    graph."""
    if table is None:
        return columns
    shown = columns_of([column.name for column in columns], [Facts() for _ in columns], table)
    return tuple(
        msgspec.structs.replace(
            column,
            optional=seen.optional and column.type.is_floating,
            categories=seen.categories,
            minimum=seen.minimum,
            maximum=seen.maximum,
        )
        for column, seen in zip(columns, shown, strict=True)
    )


def _agree(given: Signature, columns: tuple[Column, ...]) -> None:
    wanted = [(column.name, column.type, column.shape) for column in columns]
    got = [(column.name, column.type, column.shape) for column in given.columns]
    for expected, declared in zip(wanted, got, strict=False):
        if expected != declared:
            raise InvalidInput(
                f"the signature declares {declared[0]} ({declared[1]}), the model takes {expected[0]} ({expected[1]})"
            )
    if len(wanted) != len(got):
        raise InvalidInput(f"the signature has {len(got)} columns, the model takes {len(wanted)}")
    for column in given.columns:
        _check_exact(column, column.type)


def _check_exact(column: Column, kind: DataType) -> None:
    """Check that an input of that type can hold what the column may: fractions and missing values have no place among
    whole numbers and truth values, and would become others without a word."""
    if kind.is_floating or kind is DataType.STRING:
        return
    if column.optional:
        raise InvalidInput(
            f"column `{column.name}` is declared as optional, but the graph's {kind} values cannot be missing: "
            "declare it without, or export the graph with a floating-point input"
        )
    if not np.can_cast(column.type.dtype, kind.dtype, "safe"):
        raise InvalidInput(f"column `{column.name}` is declared as {column.type}, the graph takes {kind}")


def _outputs(session: Any, runtime: OnnxRuntime, batch: Batch) -> tuple[Output, ...]:
    """Run a few rows; return the outputs that every answer has a row in for each row."""
    few = take(batch, slice(0, min(3, batch.n_rows)))
    try:
        values = runtime.raw(few)
    except ModelFailed as error:
        raise ModelRefused(
            f"the graph answers no row of its signature ({error.message}); send a sample of its input along"
        ) from error
    outputs = []
    for described, value in zip(session.get_outputs(), values, strict=True):
        output = _output(described, value, few.n_rows)
        if output is None:
            raise ModelRefused(
                f"the graph's output `{described.name}` ({described.type}) "
                "does not have a row for each row that it is given"
            )
        outputs.append(output)
    return _roles(outputs)


def _output(described: Any, value: Any, n_rows: int) -> Output | None:
    classes = None
    if isinstance(value, list):
        if not value or not isinstance(value[0], dict) or len(value) != n_rows:
            return None
        classes = tuple(value[0])
        value = np.array([[row[label] for label in classes] for row in value])
    if not isinstance(value, np.ndarray) or value.ndim == 0 or len(value) != n_rows:
        return None
    kind = ELEMENT_TYPES.get(described.type) or DataType(value.dtype.name)
    shape = tuple(value.shape[1:])
    declared = (
        described.shape[1:] if isinstance(described.shape, list) and len(described.shape) == value.ndim else shape
    )
    free = tuple(
        size if isinstance(named, int) or len(shape) == 1 else -1 for named, size in zip(declared, shape, strict=True)
    )
    return Output(described.name, kind, () if shape == (1,) else free, classes=classes)


def _roles(outputs: list[Output]) -> tuple[Output, ...]:
    scalars = [output for output in outputs if output.shape == ()]
    prediction = next(
        (output for output in scalars if any(word in output.name.lower() for word in _LABELS)), (scalars or outputs)[0]
    )
    rest = [
        output for output in outputs if output is not prediction and output.type.is_floating and len(output.shape) == 1
    ]
    probable = next((output for output in rest if output.classes or "prob" in output.name.lower()), None)
    roles = {prediction.name: Role.PREDICTION, **({probable.name: Role.PROBABILITIES} if probable else {})}
    return tuple(msgspec.structs.replace(output, role=roles.get(output.name, Role.OTHER)) for output in outputs)


def _named_by(outputs: tuple[Output, ...], given: Signature | None) -> tuple[Output, ...]:
    """Take what the client declared of outputs where it names those of the graph."""
    if given is None:
        return outputs
    there = {output.name: output for output in outputs}
    lacking = [output.name for output in given.outputs if output.name not in there]
    if lacking:
        raise InvalidInput(
            f"the signature declares the output `{lacking[0]}`: expected some of {', '.join(there)}"[:1000]
        )
    return tuple(
        msgspec.structs.replace(
            there[output.name], role=output.role, classes=output.classes or there[output.name].classes
        )
        for output in given.outputs
    )


def _many(runtime: OnnxRuntime, batch: Batch, columns: Sequence[Column]) -> float:
    """Run as many rows as a request may have; return the seconds."""
    count = max(1, min(MANY_ROWS, MAX_ELEMENTS // _row_elements(columns)))
    many = take(batch, np.arange(count) % batch.n_rows)
    started = time.monotonic()
    try:
        runtime.predict(many)
    except ModelFailed as error:
        raise ModelRefused(f"the graph does not answer {count} rows at once: {error.message}") from error
    return time.monotonic() - started
