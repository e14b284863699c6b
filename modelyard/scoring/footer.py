"""Parquet files of one schema put behind one another without reading what they hold: only their footers are made anew.

A footer is a `FileMetaData` in Thrift's compact protocol
(https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md), whose fields are those of
https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift. The pages stay as they are; their
places in the file are shifted. Nothing native touches the bytes, which are a child's word.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from modelyard.core.errors import InvalidInput

MAGIC = b"PAR1"
TAIL_BYTES = 8
"""The footer's length, and the magic again."""
MOST_BYTES = 64 << 20
"""A longer footer is none of ours, and whoever joins would hold it in memory."""
MOST_WHOLE_BYTES = 512 << 20
_MOST_VALUES = 1 << 19
"""Of a footer that are held at once, its row groups counted one by one: each takes some hundred bytes. A row group of
2,000 columns has a hundred thousand."""
_MEND = "keep fewer columns, or score to CSV"
_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 12
_INTEGERS = (4, 5, 6)
_DEPTH = 16

Struct = dict[int, tuple[int, Any]]
"""Field number to type and value. A list is (type of its items, items)."""

_ROWS, _GROUPS = 3, 4  # FileMetaData
_GROUP_COLUMNS, _GROUP_PLACE, _GROUP_ORDINAL = 1, 5, 7  # RowGroup
_CHUNK_PLACES, _CHUNK_FACTS = (2, 4, 6), 3  # ColumnChunk
_FACT_PLACES = (9, 10, 11, 14)  # ColumnMetaData


def check_tail(tail: bytes, rows: int) -> None:
    """Check that the bytes are the footer of a file of so many rows with what follows it, and no more.

    Raises:
        InvalidInput: when they are not, or longer than `MOST_BYTES`.
    """
    if _read(tail, 0, _Written())[_ROWS][1] != rows:
        raise InvalidInput("the footer of a part tells of other rows")


@dataclass(frozen=True, slots=True)
class Piece:
    """What a file to be joined has: so many bytes of pages, which stand between `MAGIC` and its `tail`."""

    pages_bytes: int
    tail: bytes


def joined_tail(pieces: Iterable[Piece]) -> bytes:
    """Return the tail of the file that `MAGIC` begins, and the pages of all follow, in order.

    Raises:
        InvalidInput: when one of them has no tail of a Parquet file, or it is longer than `MOST_WHOLE_BYTES`.
    """
    place, rows, whole, groups = 0, 0, Struct(), _Written()
    for piece in pieces:
        footer = _read(piece.tail, place, groups)
        whole = whole or footer
        rows += footer[_ROWS][1]
        place += piece.pages_bytes
        if len(groups.data) > MOST_WHOLE_BYTES:
            raise InvalidInput(f"the footer of the result is longer than {MOST_WHOLE_BYTES} bytes: {_MEND}")
    whole |= {_ROWS: (_INTEGERS[-1], rows), _GROUPS: (_LIST, (_STRUCT, groups))}
    last = bytearray()
    _write_struct(last, whole)
    last += len(last).to_bytes(4, "little") + MAGIC
    return bytes(last)


@dataclass(slots=True)
class _Written:
    """Row groups as bytes: as values they take some twenty times the memory."""

    count: int = 0
    data: bytearray = field(default_factory=bytearray)

    def add(self, group: Struct, by: int) -> None:
        """Add one that is moved by so many bytes, and numbered anew."""
        _shift(group, (_GROUP_PLACE,), by)
        for chunk in group[_GROUP_COLUMNS][1][1]:
            _shift(chunk, _CHUNK_PLACES, by)
            _shift(chunk[_CHUNK_FACTS][1], _FACT_PLACES, by)
        if _GROUP_ORDINAL in group:
            group[_GROUP_ORDINAL] = (group[_GROUP_ORDINAL][0], self.count)
        _write_struct(self.data, group)
        self.count += 1


def _read(tail: bytes, by: int, groups: _Written) -> Struct:
    """Return a footer; its row groups, moved by so many bytes, go to `groups`, each as soon as it is read."""
    if len(tail) > MOST_BYTES:
        raise InvalidInput(f"the footer of a part is longer than {MOST_BYTES} bytes: {_MEND}")
    length = int.from_bytes(tail[-TAIL_BYTES : -len(MAGIC)], "little")
    if tail[-len(MAGIC) :] != MAGIC or length != len(tail) - TAIL_BYTES:
        raise InvalidInput("a part is no Parquet file")
    try:
        found = _Reader(tail[:-TAIL_BYTES], lambda group: groups.add(group, by)).struct(_DEPTH)
        if found[_ROWS][0] not in _INTEGERS or found[_GROUPS][0] != _LIST:
            raise ValueError("no facts of a file")
    except (LookupError, TypeError, ValueError, AttributeError):
        raise InvalidInput("the footer of a part cannot be read") from None
    return found


def _shift(found: Struct, fields: Iterable[int], by: int) -> None:
    for number in fields:
        if number in found and found[number][1] > 0:  # 0: nothing is told
            found[number] = (found[number][0], found[number][1] + by)


class _Reader:
    """Takes values from bytes, one after another; row groups go to `group` as they come, and are not kept."""

    def __init__(self, data: bytes, group: Callable[[Struct], None]) -> None:
        self._data, self._at, self._held = data, 0, 0
        self._group = group

    def struct(self, depth: int) -> Struct:
        if not depth:
            raise ValueError("nested too deep")
        found, number = Struct(), 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._integer()
            if depth == _DEPTH and number == _GROUPS:
                self._groups(head & 15)
                found[number] = (head & 15, None)
            else:
                found[number] = (head & 15, self._value(head & 15, depth))
        return found

    def _groups(self, kind: int) -> None:
        of, count = self._list()
        if (kind, of) != (_LIST, _STRUCT):
            raise ValueError("row groups that are none")
        held = self._held
        for _ in range(count):
            self._group(self.struct(_DEPTH - 1))
            self._held = held

    def _value(self, kind: int, depth: int) -> Any:
        self._held += 1
        if self._held > _MOST_VALUES:
            raise ValueError("more values than a footer has")
        if kind in (_TRUE, _FALSE):
            return kind == _TRUE
        if kind in _INTEGERS:
            return self._integer()
        if kind == _BINARY:
            return self._bytes(self._varint())
        if kind in (_LIST, _SET):
            of, count = self._list()
            return of, [self._item(of, depth) for _ in range(count)]
        if kind == _STRUCT:
            return self.struct(depth - 1)
        if kind == _BYTE:
            return self._byte()
        if kind == _DOUBLE:
            return self._bytes(8)
        raise ValueError("a type that no footer has")

    def _list(self) -> tuple[int, int]:
        """Return the type of a list's items, and how many there are."""
        head = self._byte()
        count = self._varint() if head >> 4 == 15 else head >> 4
        if count > len(self._data):
            raise ValueError("a list longer than what holds it")
        return head & 15, count

    def _item(self, kind: int, depth: int) -> Any:
        return self._value(_BYTE if kind in (_TRUE, _FALSE) else kind, depth)

    def _byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]

    def _bytes(self, size: int) -> bytes:
        if self._at + size > len(self._data):
            raise ValueError("cut off")
        self._at += size
        return self._data[self._at - size : self._at]

    def _varint(self) -> int:
        found = shift = 0
        while True:
            byte = self._byte()
            found |= (byte & 127) << shift
            if byte < 128:
                return found
            shift += 7
            if shift > 63:
                raise ValueError("a number that is too large")

    def _integer(self) -> int:
        found = self._varint()
        return (found >> 1) ^ -(found & 1)


def _write_struct(out: bytearray, found: Struct) -> None:
    before = 0
    for number, (kind, value) in sorted(found.items()):
        if 0 < number - before < 16:
            out.append((number - before) << 4 | kind)
        else:
            out.append(kind)
            _write_integer(out, number)
        before = number
        _write_value(out, kind, value)
    out.append(0)


def _write_value(out: bytearray, kind: int, value: Any) -> None:
    if kind in _INTEGERS:
        _write_integer(out, value)
    elif kind == _BINARY:
        _write_varint(out, len(value))
        out += value
    elif kind in (_LIST, _SET):
        of, items = value
        count = items.count if isinstance(items, _Written) else len(items)
        if count < 15:
            out.append(count << 4 | of)
        else:
            out.append(15 << 4 | of)
            _write_varint(out, count)
        if isinstance(items, _Written):
            out += items.data
            return
        for item in items:
            _write_value(out, _BYTE if of in (_TRUE, _FALSE) else of, item)
    elif kind == _STRUCT:
        _write_struct(out, value)
    elif kind == _BYTE:
        out.append(value)
    elif kind == _DOUBLE:
        out += value


def _write_integer(out: bytearray, value: int) -> None:
    _write_varint(out, (value << 1) ^ (value >> 63))


def _write_varint(out: bytearray, value: int) -> None:
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
