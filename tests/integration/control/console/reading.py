"""What the tests of the pages share."""

from typing import Any

HTMX = {"HX-Request": "true"}
HOSTILE = "<script>alert(1)</script>'\"><img src=x onerror=alert(2)>{{7*7}}"


def text_of(answer: Any) -> str:
    return str(answer.content.decode())
