"""``LedgerEngine`` over CometBFT: one validator or full node a member, the state machine behind its ABCI socket."""

from __future__ import annotations

import asyncio
import contextlib
import tomllib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from lianzheng.adapters.consensus.cometbft.application import AbciApplication, Validators
from lianzheng.adapters.consensus.cometbft.chain import CometChain
from lianzheng.adapters.consensus.cometbft.rpc import CometRpc
from lianzheng.adapters.consensus.cometbft.server import AbciServer
from lianzheng.adapters.consensus.cometbft.supervisor import EngineProcess
from lianzheng.adapters.consensus.embedded.faults import ledger_unavailable, stop_error
from lianzheng.clock import Clock
from lianzheng.encoding.canonical import JsonObject
from lianzheng.errors import ConfigError, LianzhengError, UnavailableError
from lianzheng.ledger.context import StateView
from lianzheng.ledger.genesis import Genesis
from lianzheng.ledger.ports import Application, EngineStatus, Receipt, TxResult
from lianzheng.ledger.transaction import Transaction, body_bytes, transaction_id
from lianzheng.limits import RECEIPT_WAIT_MS

__all__ = ["CometEngine", "CometFiles"]

_CONNECT_S = 30
_RETRY_S = 0.1
_GROUPS_MIN = 4


@dataclass(frozen=True, slots=True)
class CometFiles:
    """Where the engine's program and files stand."""

    binary: Path
    home: Path
    """CometBFT's own folder, with ``config`` and ``data`` in it; the ABCI socket stands there too."""
    database: Path
    height_file: Path

    def rpc_address(self) -> str:
        """Where the engine answers, by its own configuration. Raises ``ConfigError`` ``engine_config_invalid``."""
        path = self.home / "config" / "config.toml"
        try:
            address = tomllib.loads(path.read_text("utf-8"))["rpc"]["laddr"]
        except (OSError, KeyError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(
                "engine_config_invalid",
                f"{path}, field rpc.laddr: missing or not readable.",
                next_step="Take the folder that `lianzheng network init` wrote.",
            ) from error
        if not isinstance(address, str) or not address.startswith("tcp://127.0.0.1:"):
            raise ConfigError(
                "engine_config_invalid",
                f"{path}, field rpc.laddr: the engine's own interface must be on loopback.",
                next_step='Set it to "tcp://127.0.0.1:<port>".',
            )
        return address


class CometEngine:
    """Submits through this member's own engine and waits for the block in the application itself."""

    def __init__(
        self, application: Application, genesis: Genesis, files: CometFiles, validators: Validators, clock: Clock
    ) -> None:
        self._genesis = genesis
        self._application = application
        self._files = files
        self._chain = CometChain(application, genesis, files.database, files.height_file)
        self._abci = AbciApplication(self._chain, validators, clock)
        self._server = AbciServer(files.home / "abci.sock", self._abci.handle, self._fail)
        self._process = EngineProcess(files.binary, files.home)
        self._rpc: CometRpc | None = None
        self._running = False

    async def start(self) -> None:
        """Rebuild the state, listen, start the engine, and wait until it has asked how far this node is.

        Raises as ``CometChain.open`` and ``EngineProcess.start``; ``ConfigError`` ``engine_config_invalid``;
        ``UnavailableError`` ``engine_unreachable``, or the fault that the engine's first questions show.
        """
        self._rpc = CometRpc(self._files.rpc_address())
        await self._chain.open()
        self._running = True
        try:
            await self._server.start()
            await self._process.start()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._abci.connected.wait(), _CONNECT_S)
            self._check_running()
        except LianzhengError:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End the engine, then the socket, then the files."""
        self._running = False
        await self._process.stop()
        await self._server.stop()
        if self._rpc is not None:
            await self._rpc.close()
        await self._chain.close()

    async def submit(self, tx: Transaction) -> Receipt:
        """Hand ``tx`` to the engine and wait until this node has made its block durable.

        Raises ``UnavailableError`` ``ledger_unavailable``, ``ledger_busy``, ``ledger_stopped`` or the reason of a stop.
        """
        return await self._submit(tx.to_bytes())

    async def _submit(self, wire: bytes) -> Receipt:
        self._check_running()
        tx_id = transaction_id(body_bytes(wire))
        earlier = self._chain.receipt_of(tx_id)
        if earlier is not None:
            return earlier
        receipt = self._chain.expect(tx_id)
        try:
            async with asyncio.timeout(RECEIPT_WAIT_MS / 1000):
                refused = await self._broadcast(wire)
                if refused is not None:
                    return Receipt(tx_id, 0, 0, self._chain.time_ms, refused)
                return await asyncio.shield(receipt)
        except TimeoutError:
            raise ledger_unavailable() from None
        finally:
            self._chain.forget(tx_id)

    async def _broadcast(self, wire: bytes) -> TxResult | None:
        """As ``CometRpc.broadcast``, again and again while the engine is being started."""
        while True:
            self._check_running()
            try:
                return await self._required_rpc.broadcast(wire)
            except UnavailableError as error:
                if error.code != "engine_unreachable":
                    raise
            await asyncio.sleep(_RETRY_S)

    @property
    def state(self) -> StateView:
        """State at this node's head."""
        return self._application.committed_state

    @property
    def engine_pid(self) -> int | None:
        """Process id of the engine while it runs."""
        return self._process.pid

    def status(self) -> EngineStatus:
        """Where this node stands (CON-7: fewer than four groups tolerate no loss)."""
        chain = self._chain
        groups = {member.control_group for member in self._genesis.members}
        warnings = []
        if len(groups) < _GROUPS_MIN:
            warnings.append(f"The network has {len(groups)} control groups; fewer than four tolerate no loss.")
        stopped = None
        if chain.fault is not None:
            stopped = chain.fault.code
        elif not self._running:
            stopped = "ledger_stopped"
        return EngineStatus(
            engine="cometbft",
            chain_id=self._genesis.chain_id,
            height=chain.height,
            head_hash=chain.head_hash,
            app_hash=chain.application_hash,
            time_ms=chain.time_ms,
            role="validator",
            lag=0,
            stopped=stopped,
            warnings=tuple(warnings),
        )

    def now_block_ms(self) -> int:
        """Block time of this node's head."""
        return self._chain.time_ms

    def events(self, from_height: int) -> AsyncIterator[JsonObject]:
        """Events from a height on, then as they come."""
        return self._chain.events(from_height)

    @property
    def _required_rpc(self) -> CometRpc:
        if self._rpc is None:
            raise stop_error(self._chain.fault)
        return self._rpc

    def _fail(self, fault: LianzhengError) -> None:
        """The application cannot go on: say so to everybody who waits; the engine ends by itself."""
        self._running = False
        self._chain.halt(fault)
        self._abci.connected.set()

    def _check_running(self) -> None:
        if not self._running:
            raise stop_error(self._chain.fault)
