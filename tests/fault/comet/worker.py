"""One member's ledger engine as a process of its own: ``python -m fault.comet.worker HOME``.

HOME holds ``worker.json``, ``data`` for the application and ``cometbft`` for its engine. Over a line of canonical JSON
each it answers on loopback; where the engine stops for good the reason is left in HOME/stopped and the process ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from comet_kit import BINARY, Member
from lianzheng.adapters.consensus.cometbft import CometEngine, CometFiles
from lianzheng.clock import SystemClock
from lianzheng.contracts.machine import Machine
from lianzheng.encoding.binary import b64u_decode, b64u_encode
from lianzheng.encoding.canonical import JsonObject, decode, encode
from lianzheng.errors import LianzhengError, UnavailableError
from lianzheng.governance.validators import validator_powers
from lianzheng.ledger.cometbft import CometStatement
from lianzheng.ledger.genesis import Genesis
from lianzheng.ledger.ports import TxResult
from lianzheng.ledger.transaction import Transaction
from lianzheng.limits import MESSAGE_BYTES_MAX
from lianzheng.node.engines import ring_of

__all__ = ["LINE_BYTES_MAX", "STOPPED", "ask"]

STOPPED = 3
LINE_BYTES_MAX = MESSAGE_BYTES_MAX
_POLL_S = 0.05


class Astray(Machine):
    """A state machine that changes the state by itself from a height on: one node's own result (LED-1 broken)."""

    def __init__(self, genesis: Genesis, from_height: int) -> None:
        super().__init__(genesis)
        self._from_height = from_height

    def execute_block(self, height: int, time_ms: int, transactions: list[bytes]) -> list[TxResult]:
        results = super().execute_block(height, time_ms, transactions)
        if height >= self._from_height:
            self._state.apply((("stray/process", {"pid": os.getpid()}),))
        return results


def _lie(engine: CometEngine) -> None:
    """Every chunk of a snapshot that this one serves has another last byte."""
    true = engine._chain.snapshots.chunk

    def altered(height: int, index: int) -> bytes | None:
        chunk = true(height, index)
        return chunk[:-1] + bytes([chunk[-1] ^ 1]) if chunk else chunk

    engine._chain.snapshots.chunk = altered  # type: ignore[method-assign]


class SkewedClock(SystemClock):
    """The system's clock, so many milliseconds ahead."""

    def __init__(self, skew_ms: int) -> None:
        self._skew_ms = skew_ms

    def now_ms(self) -> int:
        return super().now_ms() + self._skew_ms


async def ask(address: str, question: JsonObject) -> JsonObject:
    """One question to the worker at ``host:port``.

    Raises ``UnavailableError``: ``peer_unreachable``, or the worker's own code.
    """
    try:
        host, _, port = address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port), limit=LINE_BYTES_MAX)
        try:
            writer.write(encode(question) + b"\n")
            await writer.drain()
            line = await reader.readline()
        finally:
            writer.close()
    except (OSError, ValueError) as error:
        raise UnavailableError("peer_unreachable", str(error)) from error
    if not line.endswith(b"\n"):
        raise UnavailableError("peer_unreachable", "The worker ended.")
    answer: JsonObject = decode(line.strip(), LINE_BYTES_MAX)
    if "error" in answer:
        raise UnavailableError(answer["error"], answer["text"])
    return answer


class Source:
    """``StatementSource`` over the wires between members."""

    def __init__(self, address: str | None) -> None:
        self._address = address

    async def comet_statement(self, nonce: bytes) -> CometStatement:
        if self._address is None:
            raise UnavailableError("peer_unreachable", "It does not run.")
        answer = await ask(self._address, {"op": "statement", "nonce": b64u_encode(nonce)})
        return CometStatement.from_json(answer["statement"])


class Worker:
    """The engine and the questions that it answers."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.config = decode((home / "worker.json").read_bytes())
        genesis = Genesis.from_bytes((home.parent / "genesis.json").read_bytes())
        member = Member(self.config["key_of"])
        astray = self.config["astray_from"]
        self.engine = CometEngine(
            Astray(genesis, astray) if astray else Machine(genesis),
            genesis,
            CometFiles(BINARY, home / "cometbft", home / "data" / "ledger.db", home / "data" / "ledger.height"),
            validator_powers,
            ring_of,
            SkewedClock(self.config["skew_ms"]),
            did=member.did,
            sign=member.sign,
            source=lambda did: Source(self.config["peers"].get(did)),
            snapshot_blocks=self.config["snapshot_blocks"],
        )
        if self.config["false_chunks"]:
            _lie(self.engine)
        self._answers: dict[str, Callable[[Any], Awaitable[JsonObject]]] = {
            "submit": self._submit,
            "status": self._status,
            "statement": self._statement,
            "prove": self._prove,
            "fresh": self._fresh,
            "mend": self._mend,
        }

    async def run(self) -> int:
        """Until the engine stops by itself; anything else ends this process from outside."""
        (self.home / "stopped").unlink(missing_ok=True)
        server = await asyncio.start_server(
            self._serve, self.config["hosts"], self.config["port"], limit=LINE_BYTES_MAX
        )
        try:
            await self.engine.start()
            while (reason := self.engine.status().stopped) is None:
                await asyncio.sleep(_POLL_S)
        except LianzhengError as error:
            reason = error.code
        (self.home / "stopped").write_text(reason, "ascii")
        server.close()
        await self.engine.stop()
        return STOPPED

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, ValueError):
            line = await reader.readline()
            if line:
                writer.write(encode(await self._answer(decode(line.strip(), LINE_BYTES_MAX))) + b"\n")
                await writer.drain()
        writer.close()

    async def _answer(self, question: JsonObject) -> JsonObject:
        try:
            return await self._answers[question["op"]](question)
        except LianzhengError as error:
            return {"error": error.code, "text": error.text}
        except AttributeError:  # asked before the engine was started
            return {"error": "ledger_stopped", "text": "Starting."}

    async def _submit(self, question: JsonObject) -> JsonObject:
        receipt = await self.engine.submit(Transaction.parse(b64u_decode(question["tx"])))
        return {
            "tx_id": b64u_encode(receipt.tx_id),
            "height": receipt.height,
            "index": receipt.index,
            "code": receipt.result.code,
            "data": receipt.result.data,
        }

    async def _status(self, question: JsonObject) -> JsonObject:
        status = self.engine.status()
        return {
            "height": status.height,
            "head_hash": b64u_encode(status.head_hash),
            "app_hash": b64u_encode(status.app_hash),
            "time_ms": status.time_ms,
            "stopped": status.stopped,
            "engine": self.engine.engine_pid,
            "schema": (self.engine.state.get("network") or {}).get("schema"),
            "restarts": self.engine._process.restarts,
        }

    async def _statement(self, question: JsonObject) -> JsonObject:
        return {"statement": (await self.engine.head_statement(b64u_decode(question["nonce"], 32))).to_json()}

    async def _prove(self, question: JsonObject) -> JsonObject:
        proof = await self.engine.prove_log(question["index"])
        return {
            "entry": b64u_encode(proof.entry),
            "index": proof.index,
            "path": [b64u_encode(node) for node in proof.path],
            "log_size": proof.log_size,
            "log_root": b64u_encode(proof.log_root),
            "state_root": b64u_encode(proof.state_root),
            "schema": proof.schema,
            "head": proof.head,
        }

    async def _fresh(self, question: JsonObject) -> JsonObject:
        return {"enough": await self.engine.refresh()}

    async def _mend(self, question: JsonObject) -> JsonObject:
        """Engines that are started from now on do not crash at a persistence point."""
        os.environ.pop("FAIL_TEST_INDEX", None)
        return {}


if __name__ == "__main__":
    sys.exit(asyncio.run(Worker(Path(sys.argv[1])).run()))
