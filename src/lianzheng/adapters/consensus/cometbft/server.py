"""The ABCI socket: any number of connections (the engine opens four), each answered in the order of its requests."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

from google.protobuf.message import DecodeError

from lianzheng.adapters.consensus.cometbft.framing import FrameDecoder, encode_frame
from lianzheng.adapters.consensus.cometbft.proto import abci_pb2 as abci
from lianzheng.errors import FormatError, LianzhengError

__all__ = ["AbciServer", "Handler"]

Handler = Callable[[abci.Request], Awaitable[abci.Response]]
"""Answers one request. A ``LianzhengError`` raised ends the connection: the engine stops, as it must, when its
application cannot go on."""

_READ_BYTES = 256 * 1024
_FLUSH = abci.Request(flush=abci.RequestFlush()).SerializeToString()
_FLUSHED = encode_frame(abci.Response(flush=abci.ResponseFlush()).SerializeToString())


class AbciServer:
    """Listens on a unix socket that only this user can reach."""

    def __init__(self, path: Path, handler: Handler, on_fault: Callable[[LianzhengError], None]) -> None:
        self._path = path
        self._handler = handler
        self._on_fault = on_fault
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()
        self._folder: int | None = None

    async def start(self) -> None:
        """Listen; a socket left by a killed process is replaced."""
        self._path.unlink(missing_ok=True)
        # The name of a unix socket has 107 bytes at most; by the folder's descriptor any folder will do.
        self._folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        name = f"/proc/self/fd/{self._folder}/{self._path.name}"
        self._server = await asyncio.start_unix_server(self._accept, name)
        self._path.chmod(0o600)

    async def stop(self) -> None:
        """Stop listening and drop every connection."""
        if self._server is not None:
            self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        if self._server is not None:
            with contextlib.suppress(OSError):
                await self._server.wait_closed()
            self._server = None
        if self._folder is not None:
            os.close(self._folder)
            self._folder = None
        self._path.unlink(missing_ok=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:
            return
        self._open.add(task)
        try:
            await self._serve(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            return
        except LianzhengError as error:
            self._on_fault(error)
        finally:
            self._open.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        decoder = FrameDecoder()
        while data := await reader.read(_READ_BYTES):
            answers: list[bytes] = []
            for message in decoder.feed(data):
                if message == _FLUSH:  # the engine sends one behind nearly every other request
                    answers.append(_FLUSHED)
                    continue
                response = await self._answer(message)
                answers.append(encode_frame(response.SerializeToString()))
                if response.WhichOneof("value") == "exception":
                    writer.write(b"".join(answers))
                    await writer.drain()
                    return
            writer.write(b"".join(answers))  # one system call for all that one read brought
            await writer.drain()

    async def _answer(self, message: bytes) -> abci.Response:
        try:
            request = abci.Request.FromString(message)
            if request.WhichOneof("value") is None:
                raise FormatError("abci_request_invalid", "A message of the engine is no request of ABCI 2.0.")
            return await self._handler(request)
        except DecodeError:
            fault: LianzhengError = FormatError("abci_request_invalid", "A message of the engine is not readable.")
        except LianzhengError as error:
            fault = error
        self._on_fault(fault)
        return abci.Response(exception=abci.ResponseException(error=f"{fault.code}: {fault.text}"))
