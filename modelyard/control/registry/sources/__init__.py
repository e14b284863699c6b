"""Where datasets come from, other than an upload: a table from a word to what fetches. One file each.

"Predictions with their feedback in a time range" will be one more.
"""

from typing import Any

from modelyard.control.registry.sources.bucket import BucketSource
from modelyard.control.registry.sources.folder import FolderSource
from modelyard.control.registry.sources.query import QuerySource
from modelyard.control.registry.sources.source import Source
from modelyard.core.errors import InvalidInput

SOURCES: dict[str, Source] = {source.kind: source for source in (FolderSource(), BucketSource(), QuerySource())}

__all__ = ["SOURCES", "Source", "source_of"]


def source_of(given: Any) -> Source:
    """Return what fetches from a source that somebody names: an object with its `kind`, a `place`, and what that kind
    asks for.

    Raises:
        InvalidInput: when there is no such kind or place, or a field lacks or is unknown.
    """
    kind = given.get("kind") if isinstance(given, dict) else None
    if not isinstance(kind, str) or kind not in SOURCES:
        raise InvalidInput.at("source.kind", f"got {str(kind)[:40]!r}, expected one of {', '.join(SOURCES)}")
    source = SOURCES[kind]
    expected = {"kind", "place", source.field}
    if set(given) != expected or not all(isinstance(value, str) for value in given.values()):
        raise InvalidInput.at("source", f"expected the texts {', '.join(sorted(expected))}, and nothing else")
    places = source.places()
    if given["place"] not in places:
        known = f"expected one of {', '.join(places)}" if places else "the operator has allowed none"
        raise InvalidInput.at("source.place", f"there is no {kind} {given['place'][:40]!r}: {known}")
    return source
