"""Which format a file is of: told by its bytes and its declared suffix together, without running anything in it.

There is no fall-back: bytes that are not what the suffix says are refused, with both named.
"""

import io
import pickletools
import zipfile
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import IO

from modelyard.core.errors import ModelRefused, UnsupportedFormat


class Format(StrEnum):
    """What a version's file may be."""

    ONNX = "onnx"
    PICKLE = "sklearn-pickle"
    JOBLIB = "sklearn-joblib"
    SKOPS = "sklearn-skops"

    @property
    def carries_code(self) -> bool:
        """Tell whether opening it may run what its writer wanted."""
        return self is not Format.ONNX


SUFFIXES: dict[str, Format] = {
    ".onnx": Format.ONNX,
    ".pkl": Format.PICKLE,
    ".pickle": Format.PICKLE,
    ".joblib": Format.JOBLIB,
    ".skops": Format.SKOPS,
}
_DOUBLE = (".gz", ".z", ".bz2", ".xz", ".lzma", ".lz4")
"""What joblib's users write after `.joblib` or `.pkl` for a compressed file."""

COMPRESSIONS: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bz2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x5d\x00\x00", "lzma"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"\x78\x01", "zlib"),
    (b"\x78\x5e", "zlib"),
    (b"\x78\x9c", "zlib"),
    (b"\x78\xda", "zlib"),
)
"""First bytes to the compression: RFC 1952, 1950, the formats' own specifications, and joblib.compressor's prefixes."""

_HDF5, _ZIP, _NUMPY = b"\x89HDF\r\n\x1a\n", b"PK\x03\x04", b"\x93NUMPY"
_HEAD_BYTES = 64


def declared(filename: str) -> Format:
    """Return the format that the name's suffix declares.

    Raises:
        UnsupportedFormat: when it is none of those taken.
    """
    lower = filename.lower()
    for suffix in _DOUBLE:
        if lower.endswith(suffix) and any(
            lower.removesuffix(suffix).endswith(known) for known in (".joblib", ".pkl", ".pickle")
        ):
            return Format.JOBLIB
    for suffix, known in SUFFIXES.items():
        if lower.endswith(suffix):
            return known
    raise UnsupportedFormat(f"`{filename[-100:]}`: expected a file that ends in {', '.join(SUFFIXES)}")


SAMPLE_SUFFIXES = (".csv", ".parquet", ".json", ".npy")


def sample_suffix(filename: str) -> str:
    """Return the suffix by which a sample says what it is.

    Raises:
        UnsupportedFormat: when it is none of those taken.
    """
    found = next((known for known in SAMPLE_SUFFIXES if filename.lower().endswith(known)), None)
    if found is None:
        raise UnsupportedFormat(
            f"sample `{filename[-100:]}`: expected a file that ends in {', '.join(SAMPLE_SUFFIXES)}"
        )
    return found


def told_by_bytes(head: bytes) -> str:
    """Return what the first bytes look like: "zip", a compression, "pickle", "onnx", another known kind, "unknown"."""
    if head.startswith(_ZIP) or head.startswith(b"PK\x05\x06"):
        return "zip"
    for magic, kind in (
        (_HDF5, "an HDF5 file"),
        (_NUMPY, "a NumPy array"),
        (b"PAR1", "a Parquet file"),
        (b"\x7fELF", "a program"),
    ):
        if head.startswith(magic):
            return kind
    for magic, name in COMPRESSIONS:
        if head.startswith(magic):
            return name
    if len(head) > 1 and head[0] == 0x80 and head[1] in range(2, 6):
        return "pickle"
    # A ModelProto begins with its first field, ir_version (onnx.proto: field 1, varint), as all known writers do.
    if len(head) > 1 and head[0] == 0x08 and head[1] < 0x80:
        return "onnx"
    if head[:1] and head[:1] in b"(cIlSV]}N" and b"\x00" not in head[:1]:
        return "pickle"  # protocols 0 and 1 have no header; whether it is one shows when its opcodes are read
    return "unknown"


_RENAME = {
    "onnx": "; if it is an ONNX model, name it .onnx",
    "pickle": "; if it is a scikit-learn estimator, name it .pkl",
}
_SAVED = {
    Format.ONNX: (".onnx", "write it with onnx.save, or skl2onnx for a scikit-learn estimator"),
    Format.SKOPS: (".skops", "write it with skops.io.dump"),
    Format.PICKLE: (".pkl", "write it with pickle.dump or joblib.dump, with skops.io.dump, or export it to ONNX"),
    Format.JOBLIB: (".joblib", "write it with joblib.dump, with skops.io.dump, or export it to ONNX"),
}
"""The name that a format has, and how such a file is made."""


def tell(filename: str, path: Path) -> Format:
    """Return the file's format, from its first bytes and its name: they must agree.

    Raises:
        UnsupportedFormat: a suffix that is not taken.
        ModelRefused: an empty file, or bytes that are not what the suffix says.
    """
    wanted = declared(filename)
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if not head:
        raise ModelRefused(f"`{filename}` is empty")
    seen = told_by_bytes(head)
    compressed = seen in {name for _, name in COMPRESSIONS}
    fits = {
        Format.ONNX: seen == "onnx",
        Format.SKOPS: seen == "zip",
        Format.PICKLE: seen == "pickle",
        Format.JOBLIB: seen == "pickle" or compressed,
    }[wanted]
    if fits:
        return wanted
    shown = (
        f"{seen}-compressed data" if compressed else {"unknown": "no model format that is known here"}.get(seen, seen)
    )
    hint = "; if joblib wrote it, name it .joblib" if wanted is Format.PICKLE and compressed else _RENAME.get(seen, "")
    raise ModelRefused(
        f"`{filename}`: the name says {_SAVED[wanted][0]}, the bytes are {shown}{hint or '; ' + _SAVED[wanted][1]}",
        declared=wanted.value,
        found=seen,
    )


def check_archive(filename: str, path: Path) -> None:
    """Check that a zip archive is skops' and nothing else's. To be called in a sandboxed child.

    Raises:
        ModelRefused: when it is not.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise ModelRefused(f"`{filename}` is cut off or broken: {error}") from error
    if "schema.json" in names:
        return
    torch = any(name.endswith("data.pkl") for name in names)
    raise ModelRefused(
        f"`{filename}`: the name says {Format.SKOPS.value}, the bytes are "
        + ("a PyTorch archive; export the model to ONNX" if torch else "a zip archive without skops' schema.json")
    )


_MAX_OPCODES = 5_000_000
_STRINGS = ("UNICODE", "STRING")


def globals_named(file: IO[bytes]) -> Iterator[tuple[str, str]]:
    """Give (module, name) of what the pickle would import, read from its opcodes alone; an incomplete list for
    hostile files, so only advice. Ends quietly where the stream is not plain opcodes (joblib's arrays of numbers).

    joblib's arrays of objects are pickles within the pickle, each with a memo of its own.
    """
    outer: list[_Operands] = []
    operands = _Operands()
    count = 0
    try:
        while True:
            for opcode, argument, _ in pickletools.genops(file):
                count += 1
                if count > _MAX_OPCODES:
                    return
                if opcode.name == "PROTO" and operands.memo:
                    outer.append(operands)
                    operands = _Operands()
                elif opcode.name == "GLOBAL" and isinstance(argument, str):
                    module, _, name = argument.partition(" ")
                    yield module, name
                elif opcode.name == "STACK_GLOBAL" and all(operands.last):
                    yield operands.last[0] or "", operands.last[1] or ""
                operands.follow(opcode.name, argument)
            operands = outer.pop()
    except Exception:
        return


class _Operands:
    """The last two things pushed, None for what is no text, and the memo: what STACK_GLOBAL takes its names from."""

    def __init__(self) -> None:
        self.last: tuple[str | None, str | None] = (None, None)
        self.memo: dict[int, str | None] = {}

    def follow(self, opcode: str, argument: object) -> None:
        if opcode == "MEMOIZE":
            self.memo[len(self.memo)] = self.last[1]
        elif opcode.endswith("PUT") and isinstance(argument, int):
            self.memo[argument] = self.last[1]
        elif opcode.endswith("GET") and isinstance(argument, int):
            self.last = (self.last[1], self.memo.get(argument))
        elif opcode not in ("PROTO", "FRAME"):
            text = argument if any(word in opcode for word in _STRINGS) and isinstance(argument, str) else None
            self.last = (self.last[1], text)


def named_release(data: bytes) -> str | None:
    """Return the scikit-learn release that a pickle says it was written by, from its opcodes alone."""
    position = data.find(b"_sklearn_version")
    if position < 0:
        return None
    try:
        seen = False
        for opcode, argument, _ in pickletools.genops(io.BytesIO(data)):
            if seen and isinstance(argument, str) and "PUT" not in opcode.name:
                return argument[:32]
            if argument == "_sklearn_version":
                seen = True
    except Exception:  # joblib's arrays end the opcodes
        seen = False
    # joblib puts raw arrays between opcodes: SHORT_BINUNICODE is 0x8c, length, text; BINUNICODE is X, uint32, text
    after = data[position + len(b"_sklearn_version") : position + 64]
    for mark, skip in ((b"\x8c", 2), (b"X", 5)):
        start = after.find(mark)
        if 0 <= start < 8 and len(after) > start + skip:
            text = after[start + skip : start + skip + after[start + 1]]
            if text[:1].isdigit():
                return text.decode("ascii", "replace")
    return None
