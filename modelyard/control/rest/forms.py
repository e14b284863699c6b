"""Forms with files, taken when they are whole."""

from collections.abc import Mapping
from typing import Any

from django.utils.http import parse_header_parameters
from rest_framework.exceptions import ParseError
from rest_framework.parsers import MultiPartParser

KEPT_BYTES = 4096
"""Of a body's end: its closing boundary, of 70 characters at most (RFC 2046, section 5.1.1), and a short epilogue."""


class WholeForm(MultiPartParser):
    """Refuses a form that ends before its closing boundary.

    Django takes what came for all of it: from a connection that broke behind the first of two files, a version of that
    one alone would be made.
    """

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        read: Any = _Remembered(stream)
        parsed = super().parse(read, media_type, parser_context)
        _, told = parse_header_parameters(media_type or "")
        if f"--{told.get('boundary', '')}--".encode() not in read.end:
            raise ParseError(
                "Multipart form parse error - the body ends before its closing boundary: was it cut off? Send it again"
            )
        return parsed


class _Remembered:
    """A stream, and the end of what was read from it."""

    def __init__(self, stream: Any) -> None:
        self._stream, self.end = stream, b""

    def read(self, *size: int) -> bytes:
        chunk: bytes = self._stream.read(*size)
        self.end = (self.end + chunk[-KEPT_BYTES:])[-KEPT_BYTES:]
        return chunk

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
