"""The state machine behind ABCI 2.0: what the engine asks, and what becomes durable when (``ledger.md``, *cometbft*).

An *empty* answer still sets its arm of the oneof: left unset it reaches the engine as nil and ends consensus there.
FinalizeBlock executes, Commit makes durable: one database transaction with the height row, then the state is the
committed one. A block is decided before it is finalized, so an engine that died in between asks for the same block
again and gets the same answer from memory.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from google.protobuf.message import Message

from lianzheng.adapters.consensus.cometbft.chain import CometChain
from lianzheng.adapters.consensus.cometbft.proto import abci_pb2 as abci
from lianzheng.adapters.consensus.cometbft.proto import keys_pb2 as keys
from lianzheng.adapters.consensus.cometbft.pruning import Pruner
from lianzheng.adapters.consensus.cometbft.statesync import StateSync
from lianzheng.adapters.consensus.faults import ledger_forked, ledger_storage_failed, state_diverged
from lianzheng.clock import Clock
from lianzheng.encoding.canonical import encode, parse
from lianzheng.errors import ConfigError, FormatError, LianzhengError
from lianzheng.ledger.block import result_leaf
from lianzheng.ledger.context import StateView
from lianzheng.ledger.ports import TxResult
from lianzheng.ledger.transaction import Transaction
from lianzheng.limits import COMET_BLOCK_TRANSACTIONS_MAX

__all__ = ["AbciApplication", "Validators", "block_time_ms"]

Validators = Callable[[StateView], dict[bytes, int]]
"""Power by Ed25519 key, as the state says it (CON-7)."""

_CODESPACE = "lianzheng"
_REFUSED = 1
_PER_TRANSACTION = 8
"""Bytes that protobuf adds to a transaction in a block, at most."""


@dataclass(frozen=True, slots=True)
class _Finalized:
    """A block that is executed and not yet durable."""

    height: int
    time_ms: int
    hash: bytes
    transactions: tuple[bytes, ...]
    results: Sequence[TxResult]
    answer: abci.ResponseFinalizeBlock
    double_votes: Sequence[tuple[bytes, int]]
    """Address and height, as the block's own evidence has them."""


class AbciApplication:
    """Answers the engine's requests; every method is one of ABCI 2.0's."""

    def __init__(
        self, chain: CometChain, validators: Validators, clock: Clock, sync: StateSync, pruner: Pruner | None = None
    ) -> None:
        """Without a pruner every block is kept."""
        self._chain = chain
        self._pruner = pruner or Pruner(chain, None)
        self._application = chain.application
        self._validators = validators
        self._clock = clock
        self._sync = sync
        self._finalized: _Finalized | None = None
        self._formed: dict[bytes, None] = {}
        self._methods: dict[str, Callable[..., Awaitable[Message]]] = {
            "echo": self._echo,
            "flush": self._flush,
            "info": self._info,
            "init_chain": self._init_chain,
            "query": self._query,
            "check_tx": self._check_tx,
            "prepare_proposal": self._prepare_proposal,
            "process_proposal": self._process_proposal,
            "extend_vote": self._extend_vote,
            "verify_vote_extension": self._verify_vote_extension,
            "finalize_block": self._finalize_block,
            "commit": self._commit,
            "list_snapshots": sync.list,
            "offer_snapshot": sync.offer,
            "load_snapshot_chunk": sync.load,
            "apply_snapshot_chunk": sync.apply,
        }

    async def handle(self, request: abci.Request) -> abci.Response:
        """The answer to one request, its arm set even where it is empty."""
        arm = request.WhichOneof("value") or ""
        method = self._methods.get(arm)
        if method is None:
            raise FormatError("abci_request_invalid", "The engine asks for what ABCI 2.0 does not have.")
        answer = await method(getattr(request, arm))
        response = abci.Response()
        target = getattr(response, arm)
        target.CopyFrom(answer)
        target.SetInParent()
        return response

    async def _echo(self, request: abci.RequestEcho) -> abci.ResponseEcho:
        return abci.ResponseEcho(message=request.message)

    async def _flush(self, request: abci.RequestFlush) -> abci.ResponseFlush:
        return abci.ResponseFlush()

    async def _info(self, request: abci.RequestInfo) -> abci.ResponseInfo:
        chain = self._chain
        return abci.ResponseInfo(
            data="lianzheng",
            version=request.version,
            app_version=chain.genesis.schema_version,  # of the first block for good: state sync compares it
            last_block_height=chain.height,
            last_block_app_hash=chain.application_hash if chain.height else b"",
        )

    async def _init_chain(self, request: abci.RequestInitChain) -> abci.ResponseInitChain:
        """May come twice: an engine that dies before its first Commit asks again, perhaps after FinalizeBlock."""
        chain = self._chain
        if chain.height:
            raise ConfigError(
                "engine_behind",
                f"The engine starts at genesis while this node has applied block {chain.height}.",
                next_step="Restore the engine's data folder too, or move both away and synchronise anew.",
            )
        named = {validator.pub_key.ed25519: validator.power for validator in request.validators}
        if (
            request.chain_id != chain.genesis.chain_id
            or request.initial_height != 1
            or parse(request.app_state_bytes) != {"genesis": chain.genesis_digest.hex()}
            or named != self._validators(self._application.committed_state)
        ):
            raise ConfigError(
                "engine_genesis_mismatch",
                "The engine's genesis.json names another network, other validators or other powers than the genesis.",
                next_step="Take both files from the folder that `lianzheng network init` wrote.",
            )
        return abci.ResponseInitChain(app_hash=chain.application_hash)

    async def _query(self, request: abci.RequestQuery) -> abci.ResponseQuery:
        """``path`` ``/state`` with a key as data: the value as JCS, by the committed state."""
        height = self._chain.height
        if request.path != "/state":
            return abci.ResponseQuery(code=_REFUSED, log="query_unknown", codespace=_CODESPACE, height=height)
        try:
            value = self._application.committed_state.get(request.data.decode("utf-8"))
        except UnicodeDecodeError:
            value = None
        if value is None:
            return abci.ResponseQuery(code=_REFUSED, log="state_key_unknown", codespace=_CODESPACE, height=height)
        return abci.ResponseQuery(key=request.data, value=encode(value), height=height)

    async def _check_tx(self, request: abci.RequestCheckTx) -> abci.ResponseCheckTx:
        verdict = self._application.check(request.tx, self._clock.now_ms())
        if verdict.ok:
            self._remember_form(request.tx)
            return abci.ResponseCheckTx()
        if request.type == abci.CheckTxType.RECHECK:
            self._chain.refuse(request.tx, verdict)
        data = result_leaf(verdict.code, verdict.data)
        return abci.ResponseCheckTx(code=_REFUSED, data=data, log=verdict.code, codespace=_CODESPACE)

    async def _prepare_proposal(self, request: abci.RequestPrepareProposal) -> abci.ResponsePrepareProposal:
        chosen: list[bytes] = []
        room = request.max_tx_bytes
        for transaction in request.txs[:COMET_BLOCK_TRANSACTIONS_MAX]:
            if not self._well_formed(transaction):
                continue
            room -= len(transaction) + _PER_TRANSACTION
            if room < 0:
                break
            chosen.append(transaction)
        return abci.ResponsePrepareProposal(txs=chosen)

    async def _process_proposal(self, request: abci.RequestProcessProposal) -> abci.ResponseProcessProposal:
        """Refuses what no honest proposer proposes; depends on the proposal's bytes alone, so all say the same."""
        good = len(request.txs) <= COMET_BLOCK_TRANSACTIONS_MAX and all(map(self._well_formed, request.txs))
        kind = abci.ResponseProcessProposal.ProposalStatus
        return abci.ResponseProcessProposal(status=kind.ACCEPT if good else kind.REJECT)

    async def _extend_vote(self, request: abci.RequestExtendVote) -> abci.ResponseExtendVote:
        return abci.ResponseExtendVote()

    async def _verify_vote_extension(
        self, request: abci.RequestVerifyVoteExtension
    ) -> abci.ResponseVerifyVoteExtension:
        kind = abci.ResponseVerifyVoteExtension.VerifyStatus
        return abci.ResponseVerifyVoteExtension(status=kind.REJECT if request.vote_extension else kind.ACCEPT)

    async def _finalize_block(self, request: abci.RequestFinalizeBlock) -> abci.ResponseFinalizeBlock:
        done = self._finalized
        if done is not None:
            if done.height != request.height or done.hash != request.hash:
                raise ledger_forked(done.height)
            return done.answer
        if request.height != self._chain.height + 1:
            raise state_diverged(request.height)
        before = self._validators(self._application.committed_state)
        time_ms = block_time_ms(request.time.seconds, request.time.nanos)
        transactions = tuple(request.txs)
        results = self._application.execute_block(request.height, time_ms, list(transactions))
        after = self._validators(self._application.state)
        answer = abci.ResponseFinalizeBlock(
            tx_results=[_result(result) for result in results],
            validator_updates=_updates(before, after),
            app_hash=self._application.app_hash(),
        )
        doubles = [
            (one.validator.address, one.height)
            for one in request.misbehavior
            if one.type == abci.MisbehaviorType.DUPLICATE_VOTE
        ]
        self._finalized = _Finalized(request.height, time_ms, request.hash, transactions, results, answer, doubles)
        for transaction in transactions:
            self._formed.pop(transaction, None)
        return answer

    async def _commit(self, request: abci.RequestCommit) -> abci.ResponseCommit:
        done = self._finalized
        if done is None:
            raise state_diverged(self._chain.height + 1)
        try:
            if done.double_votes:
                await self._chain.store.keep_double_votes(done.double_votes)
            await asyncio.shield(
                self._chain.append(
                    done.height,
                    done.time_ms,
                    done.hash,
                    done.answer.app_hash,
                    done.transactions,
                    done.results,
                    signers=bool(done.answer.validator_updates),
                )
            )
            retain = await self._pruner.retain(done.height)
        except (sqlite3.Error, OSError) as error:
            raise ledger_storage_failed() from error
        self._finalized = None
        self._sync.committed(done.height, signers=bool(done.answer.validator_updates))
        return abci.ResponseCommit(retain_height=retain)

    def _well_formed(self, transaction: bytes) -> bool:
        """Whether the bytes are a transaction in its one encoding, of this network; remembered by exact bytes."""
        if transaction in self._formed:
            return True
        try:
            schema = self._application.roots().schema  # of the block before: the same at every node that is asked now
            if Transaction.parse_under(schema, transaction).body.chain_id != self._chain.genesis.chain_id:
                return False
        except LianzhengError:
            return False
        self._remember_form(transaction)
        return True

    def _remember_form(self, transaction: bytes) -> None:
        if len(self._formed) >= 4 * COMET_BLOCK_TRANSACTIONS_MAX:
            del self._formed[next(iter(self._formed))]
        self._formed[transaction] = None


def block_time_ms(seconds: int, nanos: int) -> int:
    """The engine's time floored to milliseconds (B31)."""
    return seconds * 1000 + nanos // 1_000_000


def _result(result: TxResult) -> abci.ExecTxResult:
    """Code and data enter the engine's results hash: data is JCS of ``{code, data}`` (B7)."""
    return abci.ExecTxResult(
        code=0 if result.ok else _REFUSED, data=result_leaf(result.code, result.data), codespace=_CODESPACE
    )


def _updates(before: dict[bytes, int], after: dict[bytes, int]) -> list[abci.ValidatorUpdate]:
    """What turns one validator set into the other, in the order of the keys; in force two heights later.

    Each key stands once and only a present one is removed: anything else is fatal to the chain.
    """
    changed = [key for key in sorted({*before, *after}) if before.get(key, 0) != after.get(key, 0)]
    return [abci.ValidatorUpdate(pub_key=keys.PublicKey(ed25519=key), power=after.get(key, 0)) for key in changed]
