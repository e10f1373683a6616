"""The ABCI socket: any number of connections (the engine opens four), each answered in the order of its requests."""

from __future__ import annotations

import asyncio
import os
import socket
import sqlite3
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path

from google.protobuf.message import DecodeError

from lianzheng.adapters.consensus.cometbft.framing import FrameDecoder, encode_frame
from lianzheng.adapters.consensus.cometbft.inlet import Inlet
from lianzheng.adapters.consensus.cometbft.proto import abci_pb2 as abci
from lianzheng.adapters.consensus.faults import ledger_storage_failed
from lianzheng.errors import FormatError, LianzhengError

__all__ = ["AbciServer", "Handler"]

Handler = Callable[[abci.Request], Awaitable[abci.Response]]
"""Answers one request. A ``LianzhengError`` raised ends the connection: the engine stops, as it must, when its
application cannot go on."""

_TURN = 16
"""Requests that one connection has answered before the others get their turn."""
_FLUSH = abci.Request(flush=abci.RequestFlush()).SerializeToString()
_FLUSHED = encode_frame(abci.Response(flush=abci.ResponseFlush()).SerializeToString())


class AbciServer:
    """Listens on a unix socket that only this user can reach."""

    def __init__(self, path: Path, handler: Handler, on_fault: Callable[[LianzhengError], None]) -> None:
        self._path = path
        self._handler = handler
        self._on_fault = on_fault
        self._listener: socket.socket | None = None
        self._open: set[asyncio.Task[None]] = set()
        self._folder: int | None = None

    async def start(self) -> None:
        """Listen; a socket left by a killed process is replaced."""
        self._path.unlink(missing_ok=True)
        # The name of a unix socket has 107 bytes at most; by the folder's descriptor any folder will do.
        self._folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        name = f"/proc/self/fd/{self._folder}/{self._path.name}"
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        self._listener.bind(name)
        self._path.chmod(0o600)
        self._listener.listen()
        self._begin(self._accept(self._listener))

    async def stop(self) -> None:
        """Stop listening and drop every connection."""
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        if self._folder is not None:
            os.close(self._folder)
            self._folder = None
        self._path.unlink(missing_ok=True)

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work, name="abci")
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _accept(self, listener: socket.socket) -> None:
        while True:
            connection, _ = await asyncio.get_running_loop().sock_accept(listener)
            self._begin(self._connected(connection))

    async def _connected(self, connection: socket.socket) -> None:
        inlet = Inlet(connection)
        try:
            await self._serve(inlet)
        except ConnectionError:
            return
        except LianzhengError as error:
            self._on_fault(error)
        finally:
            await inlet.close()

    async def _serve(self, inlet: Inlet) -> None:
        decoder = FrameDecoder()
        while data := await inlet.read():
            messages = decoder.feed(data)
            for start in range(0, len(messages), _TURN):
                if not await self._serve_turn(inlet, messages[start : start + _TURN]):
                    return
                await asyncio.sleep(0)

    async def _serve_turn(self, inlet: Inlet, messages: Sequence[bytes]) -> bool:
        """Whether to go on: after an exception the engine ends."""
        answers: list[bytes] = []
        ended = False
        for message in messages:
            if message == _FLUSH:  # the engine sends one behind nearly every other request
                answers.append(_FLUSHED)
                continue
            response = await self._answer(message)
            answers.append(encode_frame(response.SerializeToString()))
            if response.WhichOneof("value") == "exception":
                ended = True
                break
        await inlet.write(b"".join(answers))  # one system call for all of them
        return not ended

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
        except (OSError, sqlite3.Error):  # a full disk while a snapshot is fetched, say
            fault = ledger_storage_failed()
        self._on_fault(fault)
        return abci.Response(exception=abci.ResponseException(error=f"{fault.code}: {fault.text}"))
