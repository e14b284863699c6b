"""What people say of a model or a version is checked here, before it becomes a row."""

import math
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import msgspec

from modelyard.core import texts
from modelyard.core.errors import InvalidInput
from modelyard.core.manifest import Manifest
from modelyard.core.signature import Signature

MAX_TEXT = 20_000
MAX_METRICS = 256
MAX_METRIC_NAME = 100
MAX_MANIFEST_BYTES = 256 * 1024
MAX_SIGNATURE_BYTES = 1024 * 1024
MAX_DEPTH = 20
MAX_FILENAME = 255


def check_text(text: Any, place: str, maximum: int = MAX_TEXT) -> str:
    """Return `text` if both databases can keep it.

    Raises:
        InvalidInput: when it is no text, too long, or holds a zero character or half a surrogate pair.
    """
    if not isinstance(text, str):
        raise InvalidInput.at(place, f"got {_kind(text)}, expected text")
    return texts.check_text(text, place, maximum)


def check_filename(name: Any) -> str:
    """Return what the client calls a file. It is shown and given back, and never becomes a path.

    Raises:
        InvalidInput: when it is empty, too long, a path, or holds control characters.
    """
    check_text(name, "file", MAX_FILENAME)
    if not name.strip() or name in (".", "..") or "/" in name or "\\" in name or not name.isprintable():
        raise InvalidInput.at(
            "file", f"{name!r} is no file name: expected a plain name, as 'model.pkl', without folders"
        )
    return str(name)


def check_metrics(value: Any) -> dict[str, int | float]:
    """Return metrics: name to finite number.

    Raises:
        InvalidInput: naming the metric that is none.
    """
    if not isinstance(value, Mapping):
        raise InvalidInput.at("metrics", f'got {_kind(value)}, expected an object of numbers, as {{"accuracy": 0.97}}')
    if len(value) > MAX_METRICS:
        raise InvalidInput.at("metrics", f"{len(value)} of them, expected at most {MAX_METRICS}")
    for name, number in value.items():
        check_text(name, "metrics", MAX_METRIC_NAME)
        if not name.strip():
            raise InvalidInput.at("metrics", "one has no name")
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise InvalidInput.at(f"metrics.{name}", f"got {_kind(number)}, expected a number")
        if abs(number) > 1e300 or not math.isfinite(number):
            raise InvalidInput.at(f"metrics.{name}", f"got {_shown(number)}, expected a finite number")
    return dict(value)


def check_manifest(value: Any) -> dict[str, Any]:
    """Return a manifest's known fields as JSON.

    Raises:
        InvalidInput: when a field is unknown or of another type, or all of it is too large.
    """
    if not isinstance(value, Mapping):
        raise InvalidInput.at("manifest", f"got {_kind(value)}, expected an object")
    check_json(value, "manifest", MAX_MANIFEST_BYTES)
    check_fields(value, "manifest", Manifest.__struct_fields__)
    try:
        manifest = msgspec.convert(dict(value), Manifest)
    except msgspec.ValidationError as error:
        raise InvalidInput.at("manifest", f"{error}") from None
    known: dict[str, Any] = msgspec.to_builtins(manifest)
    return known


def check_fields(value: Mapping[str, Any], place: str, known: Sequence[str]) -> None:
    """Let pass an object whose fields are all known. Raises `InvalidInput` with the nearest name."""
    for name in value:
        if name not in known:
            near = get_close_matches(str(name), known, 1)
            hint = f"did you mean `{near[0]}`?" if near else f"expected some of {', '.join(known)}"
            raise InvalidInput.at(place, f"unknown field `{str(name)[:60]}`; {hint}")


def check_signature(value: Any) -> Signature | None:
    """Return the signature that somebody gave; None when there is none.

    Raises:
        InvalidInput: when it is none, or too large.
    """
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise InvalidInput.at("signature", f"got {_kind(value)}, expected an object with `columns` and `outputs`")
    check_json(value, "signature", MAX_SIGNATURE_BYTES)
    try:
        return msgspec.convert(dict(value), Signature)
    except msgspec.ValidationError as error:
        raise InvalidInput.at("signature", f"{error}") from None
    except InvalidInput as error:
        raise InvalidInput.at("signature", f"{error.message}") from None


def check_json(value: Any, place: str, max_bytes: int, depth: int = 0) -> None:
    """Let pass what both databases can keep as JSON, `depth` levels deep in something else.

    Raises:
        InvalidInput: naming the place that is too deep, no finite number, or holds a character that cannot be kept.
    """
    _check_node(value, place, depth)
    size = len(msgspec.json.encode(value))
    if size > max_bytes:
        raise InvalidInput.at(place, f"{size} bytes as JSON, expected at most {max_bytes}")


def _check_node(value: Any, place: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise InvalidInput.at(place[:100], f"nested more than {MAX_DEPTH} levels deep")
    if isinstance(value, str):
        check_text(value, place[:100], 1 << 20)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise InvalidInput.at(place[:100], f"got {value}, expected a finite number")
    elif isinstance(value, int):
        if not -(1 << 63) <= value < 1 << 64:
            raise InvalidInput.at(place[:100], "the number does not fit 64 bits")
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            check_text(name, place[:100], 1000)
            _check_node(inner, f"{place}.{name}", depth + 1)
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            _check_node(inner, f"{place}.{index}", depth + 1)
    elif value is not None:
        raise InvalidInput.at(place[:100], f"got {_kind(value)}, expected JSON")


def _kind(value: Any) -> str:
    kinds = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number" if isinstance(value, int | float) else type(value).__name__)


def _shown(number: int | float) -> str:
    return str(number) if isinstance(number, float) else f"a number of {number.bit_length()} bits"
