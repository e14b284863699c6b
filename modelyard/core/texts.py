"""Text that somebody gave, and that a database shall keep."""

from modelyard.core.errors import InvalidInput


def check_text(text: str, place: str, maximum: int) -> str:
    """Return `text` if both databases can keep it.

    Raises:
        InvalidInput: when it has more than `maximum` characters, or holds a zero character or half a surrogate pair.
    """
    if len(text) > maximum:
        raise InvalidInput.at(place, f"{len(text)} characters, expected at most {maximum}")
    if "\x00" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise InvalidInput.at(place, "holds a character that cannot be kept (zero, or half of a surrogate pair)")
    return text
