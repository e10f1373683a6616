"""Signing and sending one member's transactions, with nonces that survive restarts and concurrency (LED-2, LED-3).

An act is its kind and payload. With an outbox its signed bytes are durable before they are sent; who sends the same act
again after a crash or a lost answer sends those bytes, and the ledger, which knows them, gives the first receipt.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Protocol
from weakref import WeakValueDictionary

from lianzheng.clock import Clock
from lianzheng.crypto.digest import sha256_raw
from lianzheng.encoding.canonical import JsonObject, encode
from lianzheng.encoding.model import Record
from lianzheng.errors import RefusedError
from lianzheng.ledger.algorithms import Algorithm
from lianzheng.ledger.nonces import highest_nonce
from lianzheng.ledger.ports import LedgerEngine, Receipt
from lianzheng.ledger.transaction import Transaction, TransactionBody, TransactionProof, signing_bytes
from lianzheng.limits import NONCE_WINDOW, TRANSACTION_LIFE_MS

__all__ = ["Outbox", "TransactionSender", "require_ok", "sign_transaction"]


class Outbox(Protocol):
    """Signed transactions whose fate may be open; what a method changes is durable when it returns."""

    async def find(self, act: bytes) -> bytes | None:
        """The bytes that were signed for this act last, unless they are settled."""

    async def put(self, act: bytes, kind: str, wire: bytes, time_ms: int) -> None:
        """``wire`` is about to be sent for this act; it takes the place of earlier bytes."""

    async def settle(self, act: bytes, keep: bool) -> None:
        """Their fate is known; with ``keep`` they are still found."""

    async def overtake(self, act: bytes) -> None:
        """As :meth:`settle`; open ones of the kind that are older may not be sent after these any more."""


def sign_transaction(body: TransactionBody, sign: Callable[[bytes], bytes], alg: Algorithm = "Ed25519") -> Transaction:
    """``body`` with its signature (B5); ``alg`` is that of the key behind ``sign``."""
    return Transaction(body=body, proof=TransactionProof(alg=alg, sig=sign(signing_bytes(body))))


def require_ok(receipt: Receipt, kind: str) -> Receipt:
    """The receipt of an accepted transaction. Raises ``RefusedError`` with the result's code."""
    if not receipt.result.ok:
        raise RefusedError(receipt.result.code, f"The ledger refused {kind}.")
    return receipt


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
        outbox: Outbox | None = None,
        once: Collection[str] = (),
        alg: Algorithm = "Ed25519",
    ) -> None:
        """``once`` are the kinds of which one act can happen once only: its repeat is told the first receipt.

        Without an ``outbox`` the repeat of an act whose answer was lost is another transaction.
        """
        self._engine = engine
        self._sign = sign
        self._alg: Algorithm = alg
        self._chain_id = chain_id
        self._sender = sender
        self._key_id = key_id
        self._clock = clock
        self._outbox = outbox
        self._once = once
        self._acts: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()
        self._last = 0
        self._open: set[int] = set()
        self._room = asyncio.Condition()

    async def send(self, kind: str, payload: Record | JsonObject, ordered: bool = False) -> Receipt:
        """The receipt of an accepted transaction; ``ordered`` kinds carry ``prev`` instead of a nonce (LED-3).

        Raises ``RefusedError`` with the result's code, and what ``engine.submit`` raises.
        """
        members = payload.to_json() if isinstance(payload, Record) else payload
        act = sha256_raw(encode({"kind": kind, "payload": members}))
        if self._outbox is None:
            return await self._send(act, kind, members, ordered)
        lock = self._acts.setdefault(act, asyncio.Lock())
        async with lock:  # two at once are one act: the second is told what the first was
            first = await self._repeated(self._outbox, act, kind)
            return first or await self._send(act, kind, members, ordered)

    async def _repeated(self, outbox: Outbox, act: bytes, kind: str) -> Receipt | None:
        """The receipt of the bytes that were signed before; None where there are none, or they did not come to stand.

        What is refused now has changed nothing and cannot stand later: expired, or its nonce is another's.
        """
        wire = await outbox.find(act)
        if wire is None:
            return None
        receipt = await self._engine.submit(Transaction.parse(wire))
        await self._settle(outbox, act, kind, receipt)
        return receipt if receipt.result.ok else None

    async def _send(self, act: bytes, kind: str, members: JsonObject, ordered: bool) -> Receipt:
        if ordered:
            return await self._submit(act, kind, members, None)
        for tries_left in reversed(range(NONCE_WINDOW)):
            nonce = await self._take_nonce()
            try:
                return await self._submit(act, kind, members, nonce)
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

    async def _submit(self, act: bytes, kind: str, members: JsonObject, nonce: int | None) -> Receipt:
        body = TransactionBody(
            chain_id=self._chain_id,
            kind=kind,
            sender=self._sender,
            key_id=self._key_id,
            nonce=nonce,
            expires_at=self._clock.now_ms() + TRANSACTION_LIFE_MS,
            payload=members,
        )
        transaction = sign_transaction(body, self._sign, self._alg)
        if self._outbox is not None:
            await self._outbox.put(act, kind, transaction.to_bytes(), self._clock.now_ms())
        receipt = await self._engine.submit(transaction)
        if self._outbox is not None:
            await self._settle(self._outbox, act, kind, receipt)
        return require_ok(receipt, kind)

    async def _settle(self, outbox: Outbox, act: bytes, kind: str, receipt: Receipt) -> None:
        if receipt.result.ok and kind not in self._once:
            await outbox.overtake(act)
        else:
            await outbox.settle(act, keep=receipt.result.ok)

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
