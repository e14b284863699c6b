"""A file's format, as its name tells it."""

from modelyard.core.errors import UnsupportedFormat
from modelyard.core.table import SUFFIXES, format_of


def taken_format(filename: str) -> str:
    """Return the format. Raises `UnsupportedFormat` when it is none that is taken."""
    found = format_of(filename)
    if found is None:
        raise UnsupportedFormat(f"{filename!r} is no file that becomes a dataset: expected {' or '.join(SUFFIXES)}")
    return found
