"""A remote signer for one validator that moves the time in what it signs: a clock that is wrong, and nothing else.

The engine's protocol over a unix socket: one message behind its length, protobuf ``tendermint.privval.Message``.
Go's runtime reads the machine's clock by itself, and no namespace moves the time of day, so this is the way in.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

from comet_kit import CHAIN, Member
from lianzheng.crypto import ed25519

__all__ = ["Signer"]

_PUBLIC_KEY, _VOTE, _PROPOSAL, _PING = 1, 3, 5, 7
_RETRY_S = 0.05
Fields = dict[int, int | bytes]
_LAYOUT = {_VOTE: ((4, 5, 8), 6), _PROPOSAL: ((5, 6, 7), 7)}
"""Fields of block id, time and signature in what is asked, and of the chain's name in what is signed."""


class Signer:
    """Holds the key; a second question for one height, round and step gets the answer of the first."""

    def __init__(self, home: Path, member: Member, skew_ms: int) -> None:
        self._home = home
        self._member = member
        self._skew_s = skew_ms // 1000
        self._task: asyncio.Task[None] | None = None
        self._given: dict[tuple[object, ...], tuple[object, bytes, bytes]] = {}
        self.signed = 0

    def start(self) -> None:
        """Connect to the engine whenever it listens."""
        self._task = asyncio.create_task(self._run(), name="signer")

    async def stop(self) -> None:
        """Sign no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        folder = os.open(self._home, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            while True:
                with contextlib.suppress(FileNotFoundError, ConnectionError, asyncio.IncompleteReadError):
                    await self._serve(f"/proc/self/fd/{folder}/signer.sock")
                await asyncio.sleep(_RETRY_S)
        finally:
            os.close(folder)

    async def _serve(self, path: str) -> None:
        reader, writer = await asyncio.open_unix_connection(path)
        try:
            while True:
                request = _fields(await reader.readexactly(await _length(reader)))
                answer = self._answer(request)
                writer.write(_varint(len(answer)) + answer)
                await writer.drain()
        finally:
            writer.close()

    def _answer(self, request: Fields) -> bytes:
        ((kind, content),) = request.items()
        if kind == _PING:
            return _message(_PING + 1, b"")
        if kind == _PUBLIC_KEY:
            return _message(_PUBLIC_KEY + 1, _message(1, _message(1, self._member.validator)))
        asked = _fields(_bytes(_fields(_bytes(content))[1]))
        return _message(kind + 1, _message(1, self._sign(kind, asked)))

    def _sign(self, kind: int, asked: Fields) -> bytes:
        """The vote or proposal with its time moved and its signature."""
        (block_id, time, signature), chain = _LAYOUT[kind]
        key = (kind, asked.get(1, 0), asked.get(2, 0), asked.get(3, 0))
        block = asked.get(block_id, b"")
        if key not in self._given:
            moved = _fields(_bytes(asked[time]))
            moved[1] = int(moved.get(1, 0)) + self._skew_s
            asked[time] = _encoded(moved)
            self._given[key] = (block, _bytes(asked[time]), self._signature(asked, block_id, chain))
            self.signed += 1
        before, asked[time], asked[signature] = self._given[key]
        if before != block:
            raise ConnectionError("two blocks at one step")
        return _encoded(asked)

    def _signature(self, asked: Fields, block_id: int, chain: int) -> bytes:
        canonical = _encoded({1: asked.get(1, 0)})
        for number in (2, 3):
            value = int(asked.get(number, 0))
            canonical += bytes([number << 3 | 1]) + value.to_bytes(8, "little") if value else b""
        named = {number: asked[number] for number in range(4, chain) if number in asked}
        if 1 not in _fields(_bytes(asked.get(block_id, b""))):  # for no block
            named.pop(block_id, None)
        canonical += _encoded(named | {chain: CHAIN.encode()})
        return ed25519.sign(self._member.validator_seed, _varint(len(canonical)) + canonical)


async def _length(reader: asyncio.StreamReader) -> int:
    value = shift = 0
    while True:
        (byte,) = await reader.readexactly(1)
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value


def _fields(data: bytes) -> Fields:
    found: Fields = {}
    at = 0
    while at < len(data):
        tag, at = _number(data, at)
        value, at = _number(data, at)
        if tag & 7 == 2:
            found[tag >> 3] = data[at : at + value]
            at += value
        else:
            found[tag >> 3] = value
    return found


def _number(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 128:
            return value, at


def _encoded(fields: Fields) -> bytes:
    out = b""
    for number, value in sorted(fields.items()):
        if isinstance(value, bytes):
            out += _message(number, value)
        elif value:
            out += bytes([number << 3]) + _varint(value)
    return out


def _bytes(value: int | bytes) -> bytes:
    if not isinstance(value, bytes):
        raise ConnectionError("not the signer's protocol")
    return value


def _message(number: int, value: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])
