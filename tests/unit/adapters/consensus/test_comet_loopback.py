"""The small HTTP client towards the engine: lengths, chunks, kept and closed connections, answers that are none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from lianzheng.adapters.consensus.cometbft.loopback import LoopbackHttp
from lianzheng.errors import FormatError

OK = b"HTTP/1.1 200 OK\r\n"


@asynccontextmanager
async def server(*answers: bytes) -> AsyncIterator[tuple[LoopbackHttp, list[bytes]]]:
    """Gives the answers in turn; a connection ends after one that says so. Also the requests' bodies."""
    left, bodies = list(answers), []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while left:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                break
            length = int(head.lower().partition(b"content-length: ")[2].split()[0])
            bodies.append(await reader.readexactly(length))
            answer = left.pop(0)
            writer.write(answer)
            await writer.drain()
            if b"close" in answer or not answer:
                break
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    client = LoopbackHttp("127.0.0.1", listening.sockets[0].getsockname()[1])
    try:
        yield client, bodies
    finally:
        await client.close()
        listening.close()


async def test_lengths_and_chunks_over_one_connection() -> None:
    plain = OK + b"Content-Length: 5\r\n\r\nhello"
    chunked = OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n"
    async with server(plain, chunked, plain) as (client, bodies):
        assert [await client.post(body, 5) for body in (b"1", b"22", b"")] == [b"hello", b"abc0123456789", b"hello"]
        assert bodies == [b"1", b"22", b""]


async def test_a_connection_that_the_server_closed_is_replaced() -> None:
    last = OK + b"Connection: close\r\nContent-Length: 2\r\n\r\nok"
    async with server(last, last) as (client, _):
        assert await client.post(b"1", 5) == b"ok"
        assert await client.post(b"2", 5) == b"ok"


async def test_a_broken_first_connection_is_an_error() -> None:
    async with server(b"") as (client, _):
        with pytest.raises(OSError):
            await client.post(b"1", 5)
    with pytest.raises(OSError):
        await client.post(b"1", 5)  # nothing listens any more


@pytest.mark.parametrize("answer", [OK + b"\r\n", OK + b"Content-Length: 99999999999\r\n\r\n"], ids=["none", "huge"])
async def test_an_answer_without_a_readable_length_is_refused(answer: bytes) -> None:
    async with server(answer) as (client, _):
        with pytest.raises(FormatError, match="engine_answer_malformed"):
            await client.post(b"1", 5)


async def test_many_at_a_time() -> None:
    answers = [OK + b"Content-Length: 1\r\n\r\nx"] * 300
    async with server(*answers) as (client, bodies):
        assert await asyncio.gather(*(client.post(b"%d" % number, 5) for number in range(300))) == [b"x"] * 300
        assert sorted(bodies, key=int) == [b"%d" % number for number in range(300)]
