"""HTTP to one server on loopback with connections kept open: what one transaction costs decides how many a node sends.

A general client spends milliseconds of processor time on a request under load; this one does a tenth of one.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque

from lianzheng.errors import FormatError
from lianzheng.limits import ABCI_MESSAGE_BYTES_MAX, ENGINE_CONNECTIONS_MAX

__all__ = ["LoopbackHttp"]

_HEADER_BYTES_MAX = 16 * 1024
_ERRORS = (OSError, EOFError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError)
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class LoopbackHttp:
    """POST with a JSON body, any number at a time over at most ``ENGINE_CONNECTIONS_MAX`` connections."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._idle: deque[Connection] = deque()
        self._room = asyncio.Semaphore(ENGINE_CONNECTIONS_MAX)
        self._head = f"POST / HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/json\r\nContent-Length: "

    async def post(self, body: bytes, timeout_s: float) -> bytes:
        """The body of the answer, whatever its status. Raises ``OSError``, ``TimeoutError``, ``FormatError``."""
        async with self._room, asyncio.timeout(timeout_s):
            while True:
                reused = bool(self._idle)
                reader, writer = self._idle.pop() if reused else await self._open()
                try:
                    writer.write(f"{self._head}{len(body)}\r\n\r\n".encode("ascii") + body)
                    await writer.drain()
                    answer, keep = await _read_answer(reader)
                except _ERRORS as error:
                    writer.close()
                    if reused:  # the server may close a connection that was idle
                        continue
                    raise OSError("The connection broke.") from error
                except BaseException:
                    writer.close()
                    raise
                if keep:
                    self._idle.append((reader, writer))
                else:
                    writer.close()
                return answer

    async def close(self) -> None:
        """Drop the connections."""
        while self._idle:
            _, writer = self._idle.pop()
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _open(self) -> Connection:
        return await asyncio.open_connection(self._host, self._port, limit=_HEADER_BYTES_MAX)


async def _read_answer(reader: asyncio.StreamReader) -> tuple[bytes, bool]:
    """Body, and whether the connection may be used again."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
    keep = fields.get("connection") != "close"
    if "content-length" in fields:
        return await reader.readexactly(_bounded(int(fields["content-length"]))), keep
    if fields.get("transfer-encoding") != "chunked":
        raise FormatError("engine_answer_malformed", "An answer of the engine is malformed.")
    body = bytearray()
    while size := int(await reader.readuntil(b"\r\n"), 16):
        body += await reader.readexactly(_bounded(size + len(body)) - len(body))
        await reader.readexactly(2)
    await reader.readuntil(b"\r\n")
    return bytes(body), keep


def _bounded(size: int) -> int:
    if not 0 <= size <= ABCI_MESSAGE_BYTES_MAX:
        raise FormatError("engine_answer_malformed", "An answer of the engine is larger than any that fits.")
    return size
