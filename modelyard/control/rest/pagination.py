"""Lists come in pages: `?page=2&page_size=100`."""

from typing import Any

from rest_framework.exceptions import NotFound as RestNotFound
from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request

from modelyard.core.errors import InvalidInput


class Pages(PageNumberPagination):
    """50 a page unless told, 500 at most; what is no such number is refused, not rounded."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 500

    def get_page_size(self, request: Request) -> int:
        text = request.query_params.get("page_size")
        if text is None:
            return self.page_size
        if not text.isascii() or not text.isdigit() or len(text) > 9 or not 1 <= int(text) <= self.max_page_size:
            raise InvalidInput.at("page_size", f"got {text[:40]!r}, expected a whole number, 1 to {self.max_page_size}")
        return int(text)

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any] | None:
        text = request.query_params.get("page", "1")
        if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) < 1:
            raise InvalidInput.at("page", f"got {text[:40]!r}, expected a whole number of 1 or more")
        try:
            return super().paginate_queryset(queryset, request, view=view)
        except RestNotFound:
            raise InvalidInput.at("page", f"there is no page {int(text)} in this list") from None
