"""The data plane's addresses: from method and path to what is asked of which model."""

from copy import copy
from enum import Enum, auto
from functools import lru_cache

from modelyard.core.errors import InvalidInput, MethodNotAllowed, ModelyardError, NotFound
from modelyard.core.reference import Reference, parse_reference


class Verb(Enum):
    """What is asked. Only `LIVE` and `SERVER_READY` are for everybody."""

    LIVE = auto()
    SERVER_READY = auto()
    SERVER = auto()
    INDEX = auto()
    PREDICT = auto()
    DESCRIBE = auto()
    METADATA = auto()
    READY = auto()
    PRECOMPUTED = auto()
    NONE = auto()


_MAX_REMEMBERED = 200
_PRECOMPUTED = "/precomputed/"
_NOBODY = Reference("")


class Address:
    """A path, read.

    Attributes:
        reference: what shall answer.
        model_text: the model as the path names it.
        entity: whose stored answer is asked for; empty where none is named.
        error: why there is no such address; told only to those with a key.
    """

    __slots__ = ("entity", "error", "model", "model_text", "reference", "verb")

    def __init__(
        self,
        verb: Verb,
        reference: Reference = _NOBODY,
        model_text: str = "",
        error: ModelyardError | None = None,
        entity: str = "",
    ) -> None:
        self.verb = verb
        self.reference = reference
        self.model = reference.model
        self.model_text = model_text
        self.entity = entity
        self.error = error


def find_address(method: str, path: str) -> Address:
    """Read a path, percent-decoded. Never raises: what does not exist is an address with an error."""
    # Entities are too many to be remembered: they would drive out what is worth it.
    if len(path) > _MAX_REMEMBERED or path.startswith(_PRECOMPUTED):
        return _find(method, path)
    return _remembered(method, path)


def _find(method: str, path: str) -> Address:
    try:
        if path.startswith("/predict/"):
            return _predict(method, path[9:])
        if path.startswith(_PRECOMPUTED):
            return _precomputed(method, path.removeprefix(_PRECOMPUTED))
        if path == "/v2" or path.startswith("/v2/"):
            return _v2(method, path[3:].strip("/"))
        raise NotFound("no such address: expected /predict/{model}, /precomputed/{model}/{entity}, or one below /v2")
    except ModelyardError as error:
        return Address(Verb.NONE, error=copy(error))


_remembered = lru_cache(maxsize=4096)(_find)


def _predict(method: str, text: str) -> Address:
    text = text.removesuffix("/")  # a slash at the end is a slip, and names nothing else
    reference = _reference(text)
    _expect(method, "POST", "GET")
    return Address(Verb.DESCRIBE if method == "GET" else Verb.PREDICT, reference, text)


def _precomputed(method: str, path: str) -> Address:
    """Read a model's name and an entity: all that follows, slashes too."""
    text, _, entity = path.partition("/")
    reference = _reference(text)
    if reference.version is not None or reference.alias is not None:
        raise NotFound(f"`{text}` names a version: expected a model's name alone before an entity")
    _expect(method, "GET")
    return Address(Verb.PRECOMPUTED, reference, text, entity=entity)


def _v2(method: str, path: str) -> Address:
    """Open Inference Protocol, version 2, REST: "HTTP/REST" API paths."""
    simple = {"": Verb.SERVER, "health/live": Verb.LIVE, "health/ready": Verb.SERVER_READY}
    if path in simple:
        _expect(method, "GET")
        return Address(simple[path])
    if path == "repository/index":
        _expect(method, "POST")
        return Address(Verb.INDEX)
    parts = path.split("/")
    if parts[0] != "models" or len(parts) < 2:
        raise NotFound("no such address below /v2: expected health, models/{model} or repository/index")
    text, rest = parts[1], parts[2:]
    if rest and rest[0] == "versions" and len(rest) > 1:
        if ":" in text or "@" in text:
            raise NotFound(f"`{text}` names a version already: expected a model's name before /versions")
        reference, rest = _reference(f"{text}:{rest[1]}"), rest[2:]
    else:
        reference = _reference(text)
    verbs = {(): (Verb.METADATA, "GET"), ("ready",): (Verb.READY, "GET"), ("infer",): (Verb.PREDICT, "POST")}
    if tuple(rest) not in verbs:
        raise NotFound("no such address below this model: expected nothing, ready or infer")
    verb, allowed = verbs[tuple(rest)]
    _expect(method, allowed)
    return Address(verb, reference, text)


def _reference(text: str) -> Reference:
    """Read a reference; what can name nothing is not found, like all that does not exist."""
    try:
        return parse_reference(text)
    except InvalidInput as error:
        raise NotFound(error.message) from error


def _expect(method: str, *allowed: str) -> None:
    if method not in allowed:
        names = " or ".join(allowed)
        raise MethodNotAllowed(f"{method[:20]} is not allowed here: expected {names}", allow=", ".join(allowed))
