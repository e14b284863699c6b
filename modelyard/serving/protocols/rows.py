"""`POST /predict/{ref}`: rows of named values in, predictions out."""

from typing import TYPE_CHECKING, Any

import msgspec

from modelyard.core.errors import ModelyardError, UnsupportedFormat
from modelyard.serving.protocols.decoder import DEFAULT_OPTIONS, Decoded

if TYPE_CHECKING:
    from modelyard.serving.call import Call, Outcome
    from modelyard.serving.served import VersionView

JSON_TYPES = (b"application/json", b"text/json")


class RowsProtocol:
    """See `call.BodyProtocol`."""

    name = "rows"

    def decode(self, call: "Call", view: "VersionView", max_rows: int) -> Decoded:
        require_json(call.request.header(b"content-type"))
        return view.decoder.decode(call.request.body, max_rows)

    def encode(self, call: "Call", outcome: "Outcome") -> bytes:
        options = call.decoded.options if call.decoded is not None else DEFAULT_OPTIONS
        return outcome.view.encoder.encode(outcome.outputs, outcome.prediction_ids, options, outcome.versions)

    def refuse(self, error: ModelyardError, request_id: str) -> bytes:
        return to_json(error.body(request_id))


def require_json(content_type: bytes | None) -> None:
    """Take JSON, and bodies whose type is not given or is what curl sends unasked.

    Raises:
        UnsupportedFormat: for all else.
    """
    if content_type is None or content_type == JSON_TYPES[0]:
        return
    media = content_type.partition(b";")[0].strip().lower()
    if media in JSON_TYPES or media == b"application/x-www-form-urlencoded" or media.endswith(b"+json"):
        return
    name = media[:60].decode("ascii", "replace")
    raise UnsupportedFormat(f"content type `{name}` is not taken here: expected application/json")


def to_json(body: object) -> bytes:
    """Encode what may hold a client's words; a lone surrogate, which no UTF-8 has, becomes a question mark."""
    try:
        return msgspec.json.encode(body)
    except UnicodeEncodeError:
        return msgspec.json.encode(_clean(body))


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_clean(name): _clean(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(one) for one in value]
    return value
