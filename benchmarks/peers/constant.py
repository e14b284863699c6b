"""The floor of the server itself: uvicorn answering with a constant, without looking at the request."""

from collections.abc import Awaitable, Callable
from typing import Any

Message = dict[str, Any]
BODY = b'{"model":"iris","version":1,"predictions":[0],"prediction_ids":["0000000000000000000000000000.0"]}'
START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(BODY)).encode())],
}


async def application(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """Read the body, as any server must, and answer."""
    while (await receive()).get("more_body"):
        pass
    await send(START)
    await send({"type": "http.response.body", "body": BODY})
