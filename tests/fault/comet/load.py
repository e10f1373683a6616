"""Transactions without end, each written down with its receipt before the next one is sent."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from fault.comet.ground import Ground, Node
from ledger_kit import anchor_payload, update_payload
from lianzheng.encoding.binary import b64u_decode, b64u_encode
from lianzheng.encoding.canonical import JsonObject, encode
from lianzheng.errors import UnavailableError
from lianzheng.ledger.transaction import Transaction

__all__ = ["Load"]

_RETRY_S = 0.1
_ANCHOR_EVERY = 4
_PROVE_S = 5
_EXPIRES_MS = 12 * 3_600_000


class Load:
    """One sender a member; the same bytes again until a receipt comes."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.acked: dict[str, int] = {}
        self.refused: list[str] = []
        """Receipts that say no: every transaction here is good."""
        self.proofs = 0
        self.pause_s = 0.0
        """Of every member between two transactions."""
        self._nonces: dict[str, int] = {}
        self._anchors: dict[str, bytes] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._acks = os.open(ground.folder / "acks.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._folder = ground.folder / "proofs"
        self._folder.mkdir(exist_ok=True)

    def start(self) -> None:
        """Of all four."""
        for node in self.ground.nodes.values():
            self._tasks[node.name] = asyncio.create_task(self._flow(node), name=f"load {node.name}")

    async def stop(self) -> None:
        """No more is sent; what is under way has no receipt and promises nothing."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        if self._acks >= 0:
            os.close(self._acks)
            self._acks = -1

    @property
    def senders(self) -> set[str]:
        """Names of the members that send."""
        return set(self._tasks)

    @property
    def total(self) -> int:
        """Receipts written down."""
        return sum(self.acked.values())

    def nonce(self, name: str) -> int:
        """The last one of a member: even, so that the odd ones are free for others."""
        return self._nonces.get(name, 0)

    def check(self) -> None:
        """Raise what a sender died of."""
        for task in self._tasks.values():
            if task.done() and not task.cancelled():
                task.result()

    async def send(self, node: Node, kind: str, payload: JsonObject) -> JsonObject:
        """The receipt of one transaction of this member, whatever it takes."""
        nonce = self._nonces[node.name] = self.nonce(node.name) + 2
        wire = self._signed(node, kind, payload, nonce).to_bytes()
        while True:
            try:
                receipt = await node.ask(op="submit", tx=b64u_encode(wire))
            except UnavailableError:
                await asyncio.sleep(_RETRY_S)
                continue
            break
        self._note(node, receipt)
        return receipt

    def _signed(self, node: Node, kind: str, payload: JsonObject, nonce: int) -> Transaction:
        now_ms = self.ground.clock.now_ms() + _EXPIRES_MS
        return node.member.transaction(kind, payload, nonce, now_ms)

    def _note(self, node: Node, receipt: JsonObject) -> None:
        if receipt["code"] != "ok":
            self.refused.append(f"{node.name}: {receipt['code']} at height {receipt['height']}")
            return
        line = {name: receipt[name] for name in ("tx_id", "height", "index")} | {"member": node.name}
        os.write(self._acks, encode(line) + b"\n")
        os.fsync(self._acks)
        self.acked[node.name] = self.acked.get(node.name, 0) + 1

    def _keep(self, name: str, data: bytes) -> None:
        Path(self._folder / name).write_bytes(data)

    async def _flow(self, node: Node) -> None:
        number = 0
        while True:
            number += 1
            await asyncio.sleep(self.pause_s)
            if number % _ANCHOR_EVERY:
                await self.send(node, "member.update", update_payload(number, node.name))
            else:
                await self._anchor(node)

    async def _anchor(self, node: Node) -> None:
        receipt = await self.send(node, "evidence.anchor", anchor_payload(self._anchors.get(node.name)))
        if receipt["code"] != "ok":
            return
        self._anchors[node.name] = b64u_decode(receipt["data"]["digest"], 32)
        try:
            async with asyncio.timeout(_PROVE_S):
                proof = await node.ask(op="prove", index=receipt["data"]["log_index"])
        except (UnavailableError, TimeoutError):
            return  # a proof that was never given need not hold
        self._keep(f"{node.name}-{proof['index']}.json", encode(proof))
        self.proofs += 1
