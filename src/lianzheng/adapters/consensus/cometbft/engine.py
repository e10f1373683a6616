"""``LedgerEngine`` over CometBFT: one validator or full node a member, the state machine behind its ABCI socket."""

from __future__ import annotations

import asyncio
import contextlib
import tomllib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lianzheng.adapters.consensus.cometbft.application import AbciApplication, Validators
from lianzheng.adapters.consensus.cometbft.chain import CometChain
from lianzheng.adapters.consensus.cometbft.freshness import CometFreshness, Ring, StatementSource
from lianzheng.adapters.consensus.cometbft.heads import fetch_head
from lianzheng.adapters.consensus.cometbft.history import CometHistory
from lianzheng.adapters.consensus.cometbft.precommit import last_precommit_height
from lianzheng.adapters.consensus.cometbft.prover import CometProver
from lianzheng.adapters.consensus.cometbft.pruning import Pruner
from lianzheng.adapters.consensus.cometbft.rpc import CometRpc
from lianzheng.adapters.consensus.cometbft.server import AbciServer
from lianzheng.adapters.consensus.cometbft.stall import StallWatch
from lianzheng.adapters.consensus.cometbft.statesync import StateSync
from lianzheng.adapters.consensus.cometbft.supervisor import EngineProcess
from lianzheng.adapters.consensus.faults import (
    ledger_stale,
    ledger_unavailable,
    state_diverged,
    stop_error,
)
from lianzheng.clock import Clock
from lianzheng.encoding.canonical import JsonObject
from lianzheng.encoding.framing import tagged
from lianzheng.errors import ConfigError, LianzhengError, UnavailableError
from lianzheng.ledger.cometbft import CometHead, CometStatement
from lianzheng.ledger.cometbft.encoding import address_of
from lianzheng.ledger.context import StateView
from lianzheng.ledger.genesis import Genesis
from lianzheng.ledger.ports import (
    Application,
    ConsistencyProof,
    EngineStatus,
    LogProof,
    Receipt,
    StateProof,
    TxResult,
)
from lianzheng.ledger.snapshot import Snapshot
from lianzheng.ledger.statement import Statement
from lianzheng.ledger.transaction import Transaction, body_bytes, transaction_id
from lianzheng.limits import CATCH_UP_MS, HEAD_ASK_MS, RECEIPT_WAIT_MS, SNAPSHOT_BLOCKS

__all__ = ["CometEngine", "CometFiles"]

_CONNECT_S = 30
_RETRY_S = 0.1
_ASK_AGAIN_S = 1
_LATE_MS = 2500
"""Longer than a block takes."""
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
        self,
        application: Application,
        genesis: Genesis,
        files: CometFiles,
        powers: Validators,
        ring: Callable[[StateView], Ring],
        clock: Clock,
        *,
        did: str,
        sign: Callable[[bytes], bytes],
        source: Callable[[str], StatementSource],
        snapshot_blocks: int = SNAPSHOT_BLOCKS,
        keep_blocks: int | None = None,
    ) -> None:
        """``did`` and ``sign`` are this member's, by its ``#node`` key; ``source`` is the way to another member's node;
        ``powers`` and ``ring`` are read off a state; ``keep_blocks`` None keeps every block (an archive).
        """
        self._genesis = genesis
        self._did = did
        self._sign = sign
        self._ring = ring
        self._application = application
        self._files = files
        self._chain = CometChain(application, genesis, files.database, files.height_file)
        self._sync = StateSync(self._chain, snapshot_blocks, self._signer_changes, powers)
        self._abci = AbciApplication(self._chain, powers, clock, self._sync, Pruner(self._chain, keep_blocks))
        self._server = AbciServer(files.home / "abci.sock", self._abci.handle, self._fail)
        self._process = EngineProcess(files.binary, files.home, self._diverged)
        self._fresh = CometFreshness(clock, genesis.chain_id, did, source)
        self._stall = StallWatch(clock)
        self._asking: asyncio.Task[None] | None = None
        self._rpc: CometRpc | None = None
        self._running = False

    async def start(self) -> None:
        """Rebuild the state, listen, start the engine, and wait until both agree on where they are.

        Raises as ``CometChain.open`` and ``EngineProcess.start``; ``ConfigError`` ``engine_config_invalid``;
        ``UnavailableError`` ``engine_unreachable``, or the fault that the engine's first questions show.
        """
        self._rpc = CometRpc(self._files.rpc_address())
        self._prover = CometProver(self._chain, self._rpc)
        await self._chain.open()
        self._running = True
        try:
            await self._server.start()
            await self._process.start()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._answering(), _CONNECT_S)
            self._check_running()
        except LianzhengError:
            await self.stop()
            raise
        self._asking = asyncio.create_task(self._ask(), name="ledger-freshness")

    async def _answering(self) -> None:
        """Until the engine, which answers only after it has compared notes with the application, does answer."""
        while self._running:
            with contextlib.suppress(UnavailableError):
                await self._required_rpc.call("health")
                return
            await asyncio.sleep(_RETRY_S)

    async def stop(self) -> None:
        """End the engine, then the socket, then the files."""
        self._running = False
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)
            self._asking = None
        await self._sync.close()
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
                return await self._ordered(wire, tx_id, receipt)
        except TimeoutError:
            raise ledger_unavailable() from None
        finally:
            self._chain.forget(tx_id)

    async def _ordered(self, wire: bytes, tx_id: bytes, receipt: asyncio.Future[Receipt]) -> Receipt:
        """The receipt of a transaction, handed over again to an engine that was started anew: it had forgotten it."""
        while True:
            starts = self._process.restarts
            refused = await self._broadcast(wire)
            if refused is not None and not receipt.done():
                return Receipt(tx_id, 0, 0, self._chain.time_ms, refused)
            while starts == self._process.restarts:
                await asyncio.wait((receipt,), timeout=_RETRY_S)
                if receipt.done():
                    return receipt.result()

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

    async def catch_up(self) -> None:
        """Wait for a height that another member has shown; gives up after ``CATCH_UP_MS``, for ``assert_fresh``."""
        await self._reach(self._fresh.required_height)

    def assert_fresh(self) -> None:
        """Return only if this node may answer on its head (GATE-4).

        Raises ``UnavailableError``: ``ledger_stale``, ``ledger_rolled_back``, ``ledger_stopped`` or the reason of the
        stop.
        """
        self._check_running()
        self._chain.check_served()
        self._fresh.check(self._chain.height)

    async def prove_log(self, index: int, height: int | None = None) -> LogProof:
        """Proof of one entry under the state after ``height``, which the next block's header carries (EV-4).

        Raises ``NotFoundError`` ``log_entry_unknown``, ``height_not_provable``; ``UnavailableError``.
        """
        return await self._prover.prove_log(index, height)

    async def prove_consistency(self, old_size: int, height: int | None = None) -> ConsistencyProof:
        """Proof that the log only grew since it had ``old_size`` entries; errors as :meth:`prove_log`."""
        return await self._prover.prove_consistency(old_size, height)

    async def prove_state(self, key: str, height: int | None = None) -> StateProof:
        """Proof of the value at ``key``, or of its absence; errors as :meth:`prove_log`.

        Raises also ``RefusedError`` ``schema_without_proofs``.
        """
        return await self._prover.prove_state(key, height)

    @property
    def history(self) -> CometHistory:
        """Earlier heights, for checkpoints (B33)."""
        return CometHistory(self._chain, lambda: self._prover, self._genesis.chain_id)

    def snapshot(self) -> Snapshot:
        """The state at this node's head (LED-8)."""
        return self._application.snapshot()

    async def refresh(self) -> bool:
        """Ask every other validator's node how far it is; whether enough of them answered."""
        return await self._fresh.ask(self._ring(self.state))

    async def head_statement(self, nonce: bytes) -> CometStatement:
        """This member's signed answer to a node's nonce, with the commit for its height (GATE-4, B32).

        Given only once this node's head has reached what its validator has precommitted; else ``UnavailableError``
        ``ledger_stale``.
        """
        self._check_running()
        self._chain.check_served()
        bound = last_precommit_height(self._files.home / "data" / "priv_validator_state.json")
        await self._reach(bound)
        height, head_hash = self._chain.height, self._chain.head_hash
        if height < bound:
            raise ledger_stale("This node has not yet reached the height that its validator has precommitted.")
        head = await fetch_head(self._required_rpc, height) if height else None
        statement = Statement(chain_id=self._genesis.chain_id, nonce=nonce, height=height, head_hash=head_hash)
        signature = self._sign(tagged("head-statement", statement.to_bytes()))
        return CometStatement(statement=statement, signer=self._did, signature=signature, head=head)

    def status(self) -> EngineStatus:
        """Where this node stands (CON-7: fewer than four groups tolerate no loss)."""
        chain = self._chain
        groups = {member.control_group for member in self._genesis.members}
        warnings = []
        if len(groups) < _GROUPS_MIN:
            warnings.append(f"The network has {len(groups)} control groups; fewer than four tolerate no loss.")
        warnings += [f"The answer of {did} did not count: {code}." for did, code in sorted(self._fresh.trouble.items())]
        warnings += self._double_votes()
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
            role="validator" if self._ring(self.state).power_of(self._did) else "follower",
            lag=max(self._fresh.required_height - chain.height, 0),
            stopped=stopped,
            warnings=tuple(warnings),
        )

    def _double_votes(self) -> list[str]:
        if not self._running:
            return []
        names = {address_of(key): did for did, key in self._ring(self.state).keys.items()}
        return [
            f"The validator of {names.get(address, 'a former member')} signed two votes {count} times, last at height "
            f"{height}: its key is used twice, or its operator cheats."
            for address, count, height in self._chain.store.double_votes()
        ]

    def now_block_ms(self) -> int:
        """Block time of this node's head."""
        return self._chain.time_ms

    def events(self, from_height: int) -> AsyncIterator[JsonObject]:
        """Events from a height on, then as they come. Raises ``NotFoundError`` ``block_pruned``."""
        return self._chain.events(from_height)

    async def _signer_changes(self, height: int) -> Sequence[CometHead]:
        return await self._prover.changes_before(height + 1)  # a change of the block before stands in this one's header

    async def _reach(self, height: int) -> None:
        if self._chain.height < height:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._chain.wait_height(height), CATCH_UP_MS / 1000)

    async def _ask(self) -> None:
        while self._running:
            answered = await self.refresh()
            others = len(self._ring(self.state).keys) > 1
            if self._stall.stalled(self._chain.height, answered and others and self._block_due):
                self._process.start_again()
            await self._pause(answered)

    async def _pause(self, answered: bool) -> None:
        """Until the next round of questions: a short while where the last one failed, or a block is due and late."""
        for _ in range(HEAD_ASK_MS // _LATE_MS if answered else 1):
            height = self._chain.height
            await asyncio.sleep(_LATE_MS / 1000 if answered else _ASK_AGAIN_S)
            if self._block_due and self._chain.height == height:
                return

    @property
    def _block_due(self) -> bool:
        """Somebody waits here for a block, or a member has shown a later one. A node without blocks may be joining."""
        height = self._chain.height
        return height > 0 and (self._fresh.required_height > height or self._chain.waited_for)

    @property
    def _required_rpc(self) -> CometRpc:
        if self._rpc is None:
            raise stop_error(self._chain.fault)
        return self._rpc

    def _diverged(self) -> None:
        self._fail(state_diverged(self._chain.height))

    def _fail(self, fault: LianzhengError) -> None:
        """The application cannot go on: say so to everybody who waits; the engine ends by itself."""
        self._running = False
        self._process.give_up()
        self._chain.halt(fault)

    def _check_running(self) -> None:
        if not self._running:
            raise stop_error(self._chain.fault)
