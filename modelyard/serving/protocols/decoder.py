"""The decoder of `/predict` bodies, made from a signature.

The quick way is a msgspec Struct that validates while it decodes (0.7 us for a row of four numbers). What it does
not take goes through `checking`, which says why, or takes it after all.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType

from modelyard.core.errors import InvalidInput, TooLarge
from modelyard.core.signature import Column, DataType, Signature
from modelyard.core.tensors import Batch
from modelyard.serving.protocols import checking
from modelyard.serving.protocols.mistakes import no_json

QUICK_COLUMNS = 512
"""A Struct finds out-of-order names by linear search, so that wide rows would cost the square of their width."""

FIELDS = ("rows", "columns", "data", "entity_ids", "options")
_FORMS = '{"rows": [{...}]} or {"columns": [...], "data": [[...]]}'


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a request may ask for.

    Attributes:
        probabilities: give them, where the model has them.
        outputs: names of further outputs to give.
    """

    probabilities: bool = True
    outputs: tuple[str, ...] = ()


DEFAULT_OPTIONS = Options()


@dataclass(frozen=True, slots=True)
class Decoded:
    """A request's body, checked. `entities` is empty or one for each row."""

    batch: Batch
    entities: Sequence[str | int] = ()
    options: Options = field(default=DEFAULT_OPTIONS)


class Decoder:
    """Reads bodies for one signature."""

    def __init__(self, signature: Signature) -> None:
        self._signature = signature
        self._names = list(signature.names)
        self._matrix = signature.is_matrix
        self._quick = _quick_decoder(signature)
        self._astuple = msgspec.structs.astuple

    def decode(self, body: bytes, max_rows: int) -> Decoded:
        """Read a body.

        Raises:
            InvalidInput: when it is no JSON, or does not fit the signature.
            TooLarge: when it has more rows than `max_rows`.
        """
        if self._quick is not None:
            try:
                read = self._quick.decode(body)
            except msgspec.ValidationError:
                return self._decode_slowly(body, max_rows)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise no_json(error, body, _FORMS) from error
            rows = read.rows
            if rows is not UNSET and read.data is UNSET and read.columns is UNSET:
                tuples = [self._astuple(row) for row in rows]
            elif rows is UNSET and read.data is not UNSET and read.columns in (UNSET, self._names):
                tuples = read.data
            else:
                return self._decode_slowly(body, max_rows)
            _check_count(len(tuples), max_rows)
            entities = () if read.entity_ids is UNSET else _entities(read.entity_ids, len(tuples))
            options = DEFAULT_OPTIONS if read.options is UNSET else self._options(read.options)
            return Decoded(self._from_tuples(tuples), entities, options)
        return self._decode_slowly(body, max_rows)

    def from_rows(self, rows: Sequence[dict[str, Any]]) -> Batch:
        """Turn rows, column name to JSON value, into a batch. Raises `InvalidInput`."""
        return checking.rows_batch(self._signature, rows)

    def _from_tuples(self, tuples: Sequence[tuple[Any, ...]]) -> Batch:
        if self._matrix:
            return Batch(len(tuples), matrix=np.array(tuples, dtype=np.float64))
        arrays: dict[str, np.ndarray] = {}
        for column, values in zip(self._signature.columns, zip(*tuples, strict=True), strict=True):
            if column.dtype == object:
                array = np.empty(len(values), dtype=object)
                array[:] = values
            else:
                array = np.array(values, dtype=column.dtype)
            arrays[column.name] = array
        return Batch(len(tuples), columns=arrays)

    def _decode_slowly(self, body: bytes, max_rows: int) -> Decoded:
        read = read_json(body, _FORMS)
        if not isinstance(read, dict):
            raise InvalidInput(f"the body is {checking.shown(read)}: expected {_FORMS}")
        if self._is_bare_row(read):
            raise InvalidInput('the body is a row by itself: expected it in a list, {"rows": [{...}]}')
        for word in read:
            if word not in FIELDS:
                checking.refuse_unknown("field", word, FIELDS)
        rows, data, columns = read.get("rows", UNSET), read.get("data", UNSET), read.get("columns", UNSET)
        if (rows is UNSET) == (data is UNSET) or (rows is not UNSET and columns is not UNSET):
            raise InvalidInput(f"the body has {_listed(read)}: expected {_FORMS}")
        values = data if rows is UNSET else rows
        if not isinstance(values, list):
            raise InvalidInput(
                f"`{'data' if rows is UNSET else 'rows'}`: got {checking.shown(values)}, expected a list"
            )
        _check_count(len(values), max_rows)
        if rows is not UNSET:
            batch = checking.rows_batch(self._signature, values)
        else:
            names = None if columns is UNSET else columns
            if names is not None and not isinstance(names, list):
                raise InvalidInput(f"`columns`: got {checking.shown(names)}, expected a list of names")
            batch = checking.table_batch(self._signature, names, values)
        entities = _entities(read["entity_ids"], len(values)) if "entity_ids" in read else ()
        return Decoded(batch, entities, self._options(read.get("options", {})))

    def _is_bare_row(self, read: dict[str, Any]) -> bool:
        """Tell a body that is one row: it has a column's name, and none of a body's own fields."""
        return not any(word in read for word in FIELDS) and any(name in read for name in self._names)

    def _options(self, read: Any) -> Options:
        """Check a request's options, a Struct or an object."""
        checked = read if isinstance(read, Options) else _read_options(read)
        known = [output.name for output in self._signature.outputs]
        for word in checked.outputs:
            if word not in known:
                checking.refuse_unknown("output", word, known)
        return checked


def _read_options(read: Any) -> Options:
    if not isinstance(read, dict):
        raise InvalidInput(f"`options`: got {checking.shown(read)}, expected an object")
    for word in read:
        if word not in Options.__struct_fields__:
            checking.refuse_unknown("option", word, Options.__struct_fields__)
    probabilities, outputs = read.get("probabilities", True), read.get("outputs", [])
    if not isinstance(probabilities, bool):
        raise InvalidInput(f"option `probabilities`: got {checking.shown(probabilities)}, expected true or false")
    if not isinstance(outputs, list):
        raise InvalidInput(f"option `outputs`: got {checking.shown(outputs)}, expected a list of names")
    for word in outputs:
        if not isinstance(word, str):
            raise InvalidInput(f"option `outputs`: got {checking.shown(word)} in it, expected names of outputs")
    return Options(probabilities, tuple(outputs))


def read_json(body: bytes, expected: str) -> Any:
    """Decode JSON of any shape; a number beyond all bounds becomes infinity or a huge int, so that it can be named.

    `expected`: the form that the body should have, for a message.

    Raises:
        InvalidInput: when it is no JSON (RFC 8259), in UTF-8.
    """
    try:
        try:
            return msgspec.json.decode(body)
        except msgspec.ValidationError:
            read = json.loads(body.decode(), parse_constant=_refuse_constant)
            json.dumps(read, ensure_ascii=False).encode()  # refuses half a surrogate pair, as msgspec does
            return read
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise no_json(error, body, expected) from error


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is no JSON")


def _check_count(count: int, max_rows: int) -> None:
    if not count:
        raise InvalidInput("the request has no rows: expected at least one")
    if count > max_rows:
        raise TooLarge(f"{count} rows: expected at most {max_rows} in a request", max_rows=max_rows)


def _entities(ids: Any, n_rows: int) -> Sequence[str | int]:
    fits = isinstance(ids, list) and all(isinstance(one, str | int) and not isinstance(one, bool) for one in ids)
    if not fits:
        raise InvalidInput("`entity_ids`: expected a list of strings or whole numbers")
    if any(isinstance(one, int) and not -(1 << 63) <= one < 1 << 63 for one in ids):
        raise InvalidInput("`entity_ids`: a whole number is too large: expected 64 bits, or a string")
    if len(ids) != n_rows:
        raise InvalidInput(f"`entity_ids`: got {len(ids)}, expected one for each of {n_rows} rows")
    return ids  # type: ignore[no-any-return]


def _listed(read: dict[str, Any]) -> str:
    return " and ".join(f"`{word}`" for word in read) or "no field"


def _quick_decoder(signature: Signature) -> "msgspec.json.Decoder[Any] | None":
    """Return the decoder that takes all usual bodies, or None where a Struct cannot say what is expected."""
    if len(signature.columns) > QUICK_COLUMNS or any(
        column.shape or column.type is DataType.UINT64 for column in signature.columns
    ):
        return None
    types = [quick_type(column) for column in signature.columns]
    fields = [
        (f"f{place}", type_, None) if column.optional else (f"f{place}", type_)
        for place, (column, type_) in enumerate(zip(signature.columns, types, strict=True))
    ]
    row = msgspec.defstruct(
        "Row",
        fields,
        kw_only=True,
        forbid_unknown_fields=True,
        gc=False,
        rename={f"f{place}": column.name for place, column in enumerate(signature.columns)},
    )
    body = msgspec.defstruct(
        "Body",
        [
            ("rows", list[row] | UnsetType, UNSET),  # type: ignore[valid-type]
            ("columns", list[str] | UnsetType, UNSET),
            ("data", list[tuple[tuple(types)]] | UnsetType, UNSET),  # type: ignore[misc]
            ("entity_ids", list[str | int] | UnsetType, UNSET),
            ("options", Options | UnsetType, UNSET),
        ],
        forbid_unknown_fields=True,
    )
    return msgspec.json.Decoder(body)


def quick_type(column: Column) -> Any:
    """Return the type that msgspec checks a scalar by; it cannot say the upper bound of uint64."""
    type_: Any
    if column.type is DataType.STRING:
        type_ = str
    elif column.type is DataType.BOOL:
        type_ = bool
    elif column.type is DataType.UINT64:
        type_ = Annotated[int, msgspec.Meta(ge=0)]
    elif column.type.is_integer:
        bounds = np.iinfo(column.type.dtype)
        type_ = Annotated[int, msgspec.Meta(ge=int(bounds.min), le=int(bounds.max))]
    elif column.type is DataType.FLOAT64:
        type_ = float
    else:
        most = float(np.finfo(column.type.dtype).max)
        type_ = Annotated[float, msgspec.Meta(ge=-most, le=most)]
    return type_ | None if column.optional else type_
