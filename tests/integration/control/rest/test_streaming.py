import asyncio
import threading
from collections.abc import Iterator

import pytest

from modelyard.control.rest.streaming import ChunksResponse


def chunks(taken: list[int], names: set[str]) -> Iterator[bytes]:
    for number in range(5):
        taken.append(number)
        names.add(threading.current_thread().name)
        yield bytes([65 + number])


def test_under_wsgi_the_chunks_come_in_order() -> None:
    response = ChunksResponse(chunks([], set()), filename="model.onnx", size_bytes=5)
    assert b"".join(response) == b"ABCDE"
    assert response["Content-Length"] == "5"
    assert response["X-Content-Type-Options"] == "nosniff"


def test_under_asgi_each_chunk_is_fetched_in_a_thread_when_it_is_wanted() -> None:
    taken: list[int] = []
    names: set[str] = set()

    async def first_two() -> bytes:
        got = b""
        async for chunk in ChunksResponse(chunks(taken, names), filename="x"):
            got += chunk
            if len(got) == 2:
                break
        return got

    assert asyncio.run(first_two()) == b"AB"
    assert taken == [0, 1]
    assert threading.main_thread().name not in names


def test_under_asgi_a_fault_comes_through() -> None:
    def broken() -> Iterator[bytes]:
        yield b"a"
        raise OSError("disk")

    async def read() -> list[bytes]:
        return [chunk async for chunk in ChunksResponse(broken(), filename="x")]

    with pytest.raises(OSError, match="disk"):
        asyncio.run(read())


@pytest.mark.parametrize("name", ['a"; x="b', "a\r\nSet-Cookie: x=1", "../../etc/passwd", "моя модель.pkl", "", "a b"])
def test_no_filename_breaks_the_header(name: str) -> None:
    header = ChunksResponse(iter([]), filename=name)["Content-Disposition"]
    assert header.startswith('attachment; filename="')
    inner = header.removeprefix('attachment; filename="').removesuffix('"')
    assert inner
    assert all(letter.isascii() and (letter.isalnum() or letter in "._-") for letter in inner)
