"""What followers and revocations ask of other nodes, over the peer client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from lianzheng.adapters.transport.client import PeerClient
from lianzheng.encoding.binary import b64u_decode, b64u_encode
from lianzheng.encoding.canonical import JsonObject, decode_object
from lianzheng.errors import FormatError, LianzhengError
from lianzheng.ledger.cometbft import CometStatement
from lianzheng.ledger.statement import HeadStatement
from lianzheng.limits import (
    BLOCK_BYTES_MAX,
    BLOCKS_ANSWER_MAX,
    CHECKPOINT_BYTES_MAX,
    MESSAGE_BYTES_MAX,
    NOTE_BYTES_MAX,
    SNAPSHOT_CHUNK_BYTES,
)

__all__ = ["PeerCosignLink", "PeerLedgerLink", "PeerRevocationRelay"]

_ANSWER_BYTES_MAX = BLOCKS_ANSWER_MAX * (BLOCK_BYTES_MAX * 4 // 3 + 1024)  # in base64url


class PeerLedgerLink:
    """``SequencerLink`` and ``StatementLink`` to one member's node."""

    def __init__(self, client: PeerClient, did: str) -> None:
        self._client = client
        self._did = did

    @property
    def did(self) -> str:
        """The member asked."""
        return self._did

    async def submit(self, transaction: bytes) -> JsonObject:
        """JSON of the receipt of an ordered transaction."""
        return decode_object(await self._client.post_bytes(self._did, "/peer/v1/ledger/transactions", transaction))

    async def blocks(self, from_height: int, limit: int) -> list[bytes]:
        """Canonical blocks from a height on."""
        path = f"/peer/v1/ledger/blocks?from={from_height}&limit={min(limit, BLOCKS_ANSWER_MAX)}"
        answer = decode_object(await self._client.get_bytes(self._did, path, _ANSWER_BYTES_MAX), _ANSWER_BYTES_MAX)
        blocks = answer.get("blocks")
        if not isinstance(blocks, list) or not all(isinstance(block, str) for block in blocks):
            raise FormatError("field_invalid", "An answer with blocks is malformed.")
        return [b64u_decode(block) for block in blocks]

    async def snapshot(self) -> bytes | None:
        """``SnapshotLink``: the description of the newest one, or None where there is none."""
        try:
            path = "/peer/v1/ledger/snapshots/latest"
            return await self._client.get_bytes(self._did, path, CHECKPOINT_BYTES_MAX)
        except LianzhengError as error:
            if error.code == "snapshot_unknown":
                return None
            raise

    async def snapshot_chunk(self, height: int, index: int) -> bytes:
        """One chunk of it."""
        path = f"/peer/v1/ledger/snapshots/{height}/{index}"
        return await self._client.get_bytes(self._did, path, SNAPSHOT_CHUNK_BYTES)

    async def head_statement(self, nonce: bytes) -> HeadStatement:
        """The member's signed answer to ``nonce`` (GATE-4)."""
        path = f"/peer/v1/ledger/head-statements/{b64u_encode(nonce)}"
        return HeadStatement.from_bytes(await self._client.get_bytes(self._did, path, MESSAGE_BYTES_MAX))

    async def comet_statement(self, nonce: bytes) -> CometStatement:
        """As :meth:`head_statement` under CometBFT: with the commit for the height (GATE-4)."""
        path = f"/peer/v1/ledger/head-statements/{b64u_encode(nonce)}"
        return CometStatement.from_bytes(await self._client.get_bytes(self._did, path, MESSAGE_BYTES_MAX))


class PeerCosignLink:
    """``flows.checkpoints.CosignLink`` over the peer client."""

    def __init__(self, client: PeerClient) -> None:
        self._client = client

    async def cosign(self, name: str, note: bytes) -> bytes:
        """Signature lines of a member's or a witness's node."""
        return await self._client.post_bytes(name, "/peer/v1/ledger/checkpoints", note, NOTE_BYTES_MAX)


class PeerRevocationRelay:
    """``consent.ports.RevocationRelay``: to every other member's node at once, best effort."""

    def __init__(self, client: PeerClient, others: Callable[[], Sequence[str]]) -> None:
        self._client = client
        self._others = others

    async def pass_on(self, transaction: bytes) -> None:
        """Returns when every member has answered or failed; the ledger carries it to those that failed."""
        await asyncio.gather(*(self._one(did, transaction) for did in self._others()))

    async def _one(self, did: str, transaction: bytes) -> None:
        try:
            await self._client.post_bytes(did, "/peer/v1/consents/revocations", transaction)
        except LianzhengError:
            return
