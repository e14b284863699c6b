"""What the data plane says of its work, one record a request: the payload of the spool's frames, as MessagePack."""

from typing import Any

import msgspec


class Answered(msgspec.Struct, frozen=True, tag="answered", omit_defaults=True):
    """A request that was answered with predictions; written before the answer left.

    Attributes:
        id: the `<request>` part of its prediction ids; row i of it is `<id>.<i>`.
        at: seconds since 1970.
        tenant: id.
        model: name.
        version: number in its model.
        version_id: unique in the installation.
        rows: how many.
        probability: with which the plan gave the request to this version; None when the request named it.
        seconds: from the request's arrival to its answer.
        inputs: the matrix's float64 values, little-endian, row by row, or column name to its values.
        outputs: output name to its values; of a precomputed answer, which has no inputs, the parts of its body.
        entities: one for each row, or none.
        protocol: that it came by.
        request_id: of the answer's header.
    """

    id: str
    at: float
    tenant: int
    model: str
    version: int
    version_id: int
    rows: int
    probability: float | None
    seconds: float
    inputs: bytes | dict[str, list[Any]]
    outputs: dict[str, list[Any]]
    protocol: str
    request_id: str
    entities: list[str | int] = []


class Failed(msgspec.Struct, frozen=True, tag="failed", omit_defaults=True):
    """A request to a model of the tenant that was refused or failed; `code` as in `core.errors`."""

    at: float
    tenant: int
    model: str
    code: str
    message: str
    seconds: float
    protocol: str
    request_id: str
    version: int | None = None
    version_id: int | None = None
    probability: float | None = None


class Event(msgspec.Struct, frozen=True, tag="event", omit_defaults=True):
    """Something that happened to the data plane itself: `action` is stable (`loaded`, `refused`, `dropped`, ...)."""

    at: float
    action: str
    tenant: int | None = None
    model: str | None = None
    version: int | None = None
    message: str = ""
    count: int = 0


Record = Answered | Failed | Event

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Record] = msgspec.msgpack.Decoder(Record)

encode = _encoder.encode
"""From a record to a frame's payload."""


def decode(payload: bytes) -> Record:
    """From a frame's payload to the record. Raises `msgspec.DecodeError`."""
    return _decoder.decode(payload)
