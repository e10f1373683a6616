"""Signing and sending one member's transactions, with nonces that survive restarts and concurrency (LED-2, LED-3)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from lianzheng.clock import Clock
from lianzheng.encoding.canonical import JsonObject
from lianzheng.encoding.model import Record
from lianzheng.errors import RefusedError
from lianzheng.ledger.nonces import highest_nonce
from lianzheng.ledger.ports import LedgerEngine, Receipt
from lianzheng.ledger.transaction import Transaction, TransactionBody, TransactionProof, signing_bytes
from lianzheng.limits import NONCE_WINDOW, TRANSACTION_LIFE_MS

__all__ = ["TransactionSender", "sign_transaction"]


def sign_transaction(body: TransactionBody, sign: Callable[[bytes], bytes]) -> Transaction:
    """``body`` with its signature (B5)."""
    return Transaction(body=body, proof=TransactionProof(alg="Ed25519", sig=sign(signing_bytes(body))))


class TransactionSender:
    """One sender and key. Two senders over one key would take each other's nonces: keep one per process."""

    def __init__(
        self,
        engine: LedgerEngine,
        sign: Callable[[bytes], bytes],
        chain_id: str,
        sender: str,
        key_id: str,
        clock: Clock,
    ) -> None:
        self._engine = engine
        self._sign = sign
        self._chain_id = chain_id
        self._sender = sender
        self._key_id = key_id
        self._clock = clock
        self._last = 0
        self._open: set[int] = set()
        self._room = asyncio.Condition()

    async def send(self, kind: str, payload: Record | JsonObject, ordered: bool = False) -> Receipt:
        """The receipt of an accepted transaction; ``ordered`` kinds carry ``prev`` instead of a nonce (LED-3).

        Raises ``RefusedError`` with the result's code, and what ``engine.submit`` raises.
        """
        members = payload.to_json() if isinstance(payload, Record) else payload
        if ordered:
            return await self._submit(kind, members, None)
        for tries_left in reversed(range(NONCE_WINDOW)):
            nonce = await self._take_nonce()
            try:
                return await self._submit(kind, members, nonce)
            except RefusedError as error:
                # A node that came back behind the ledger meets its own earlier transactions; a used nonce changed
                # nothing, so the next one may be tried.
                if error.code != "nonce_used" or not tries_left:
                    raise
            finally:
                async with self._room:
                    self._open.discard(nonce)
                    self._room.notify_all()
        raise RefusedError("nonce_used", "Every nonce of the window was used before.")

    async def _submit(self, kind: str, members: JsonObject, nonce: int | None) -> Receipt:
        body = TransactionBody(
            chain_id=self._chain_id,
            kind=kind,
            sender=self._sender,
            key_id=self._key_id,
            nonce=nonce,
            expires_at=self._clock.now_ms() + TRANSACTION_LIFE_MS,
            payload=members,
        )
        receipt = await self._engine.submit(sign_transaction(body, self._sign))
        if not receipt.result.ok:
            raise RefusedError(receipt.result.code, f"The ledger refused {kind}.")
        return receipt

    async def _take_nonce(self) -> int:
        """The next nonce, once it lies within one window of the least one that is still open."""
        async with self._room:
            while True:
                used = highest_nonce(self._engine.state, self._sender, self._key_id)
                nonce = max(self._last, used) + 1
                if not self._open and nonce > used + NONCE_WINDOW:
                    nonce = used + 1  # a whole window was refused at the door; nothing of it was used
                if nonce < min(self._open, default=nonce) + NONCE_WINDOW and nonce <= used + NONCE_WINDOW:
                    self._last = nonce
                    self._open.add(nonce)
                    return nonce
                await self._room.wait()
