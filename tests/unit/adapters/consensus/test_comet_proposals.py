"""What an honest proposer proposes is what every honest node takes; what an engine asks out of turn is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from comet_kit import MEMBERS, comet_genesis
from ledger_kit import START_MS, update_payload
from lianzheng.adapters.consensus.cometbft import application as module
from lianzheng.adapters.consensus.cometbft.application import AbciApplication
from lianzheng.adapters.consensus.cometbft.chain import CometChain
from lianzheng.adapters.consensus.cometbft.framing import encode_frame
from lianzheng.adapters.consensus.cometbft.proto import abci_pb2 as abci
from lianzheng.adapters.consensus.cometbft.snapshots import SnapshotOffer
from lianzheng.adapters.consensus.cometbft.statesync import StateSync
from lianzheng.clock import ManualClock
from lianzheng.contracts.machine import Machine
from lianzheng.errors import ConfigError, UnavailableError
from lianzheng.governance.validators import validator_powers
from lianzheng.ledger.cometbft import CometHead
from lianzheng.ledger.sender import sign_transaction
from lianzheng.ledger.snapshot import chunk_digest

RESULT = abci.ResponseOfferSnapshot.Result
STATUS = abci.ResponseProcessProposal.ProposalStatus
TXS = [
    MEMBERS[0].transaction("member.update", update_payload(nonce), nonce, START_MS).to_bytes() for nonce in range(1, 5)
]


async def no_changes(height: int) -> list[CometHead]:
    """The validators of these tests never change."""
    return []


def chain_in(folder: Path) -> CometChain:
    genesis = comet_genesis()
    return CometChain(Machine(genesis), genesis, folder / "ledger.db", folder / "height")


def application(folder: Path, chain: CometChain | None = None) -> AbciApplication:
    chain = chain or chain_in(folder)
    sync = StateSync(chain, 1000, no_changes, validator_powers)
    return AbciApplication(chain, validator_powers, ManualClock(START_MS), sync)


async def proposed(one: AbciApplication, txs: list[bytes], max_tx_bytes: int) -> list[bytes]:
    request = abci.RequestPrepareProposal(txs=txs, max_tx_bytes=max_tx_bytes)
    return list((await one.handle(abci.Request(prepare_proposal=request))).prepare_proposal.txs)


async def taken(one: AbciApplication, txs: list[bytes]) -> bool:
    request = abci.Request(process_proposal=abci.RequestProcessProposal(txs=txs))
    return bool((await one.handle(request)).process_proposal.status == STATUS.ACCEPT)


async def test_no_more_transactions_than_a_block_may_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "COMET_BLOCK_TRANSACTIONS_MAX", 3)
    proposer, other = application(tmp_path / "a"), application(tmp_path / "b")
    chosen = await proposed(proposer, TXS, 10**6)
    assert chosen == TXS[:3]
    assert await taken(other, chosen)
    assert not await taken(other, TXS)


@pytest.mark.parametrize("spare", [-1, 0, 1])
async def test_what_is_proposed_has_room_as_the_engine_counts_it(tmp_path: Path, spare: int) -> None:
    """The engine counts a transaction with its tag and length (``ComputeProtoSizeForTxs``) and panics on more."""
    one = application(tmp_path)
    counted = sum(1 + len(encode_frame(tx)) for tx in TXS)
    chosen = await proposed(one, TXS, counted + spare)
    assert chosen and chosen == TXS[: len(chosen)]
    assert sum(1 + len(encode_frame(tx)) for tx in chosen) <= counted + spare


async def test_a_transaction_of_another_network_is_neither_proposed_nor_taken(tmp_path: Path) -> None:
    one, member = application(tmp_path), MEMBERS[0]
    body = member.transaction("member.update", update_payload(9), 9, START_MS).body
    foreign = sign_transaction(body.model_copy(update={"chain_id": "other"}), member.sign).to_bytes()
    assert await proposed(one, [foreign, TXS[0]], 10**6) == [TXS[0]]
    assert not await taken(one, [foreign])


@pytest.mark.parametrize("height", [0, 2, 3])
async def test_a_block_that_is_not_the_next_one_is_not_executed(tmp_path: Path, height: int) -> None:
    with pytest.raises(UnavailableError, match="state_diverged"):
        await application(tmp_path).handle(abci.Request(finalize_block=abci.RequestFinalizeBlock(height=height)))


async def test_a_commit_without_a_block_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="state_diverged"):
        await application(tmp_path).handle(abci.Request(commit=abci.RequestCommit()))


async def test_an_engine_that_starts_at_genesis_beside_a_node_with_blocks_is_refused(tmp_path: Path) -> None:
    chain = chain_in(tmp_path)
    chain.height = 1
    with pytest.raises(ConfigError, match="engine_behind"):
        await application(tmp_path, chain).handle(abci.Request(init_chain=abci.RequestInitChain()))


@pytest.mark.parametrize(
    ("changes", "result"),
    [
        ({}, RESULT.ACCEPT),
        ({"chunks": 2}, RESULT.REJECT),
        ({"chunks": 0}, RESULT.REJECT),
        ({"hash": b"x" * 32}, RESULT.REJECT),
        ({"height": 1}, RESULT.REJECT),
        ({"metadata": b"{}"}, RESULT.REJECT),
        ({"format": 2}, RESULT.REJECT_FORMAT),
    ],
    ids=["as-it-is", "more-chunks", "no-chunks", "other-hash", "other-height", "no-offer", "other-format"],
)
async def test_a_snapshot_is_what_its_description_says(tmp_path: Path, changes: dict[str, Any], result: int) -> None:
    """Peers are told apart by the description; the engine has only the application hash from its light client."""
    chain = chain_in(tmp_path)
    await chain.open()
    try:
        made = chain.application.snapshot()
        manifest = made.manifest([chunk_digest(chunk) for chunk in made.chunks()])
        offer = SnapshotOffer(manifest=manifest, signer_changes=())
        shown: dict[str, Any] = {
            "height": manifest.height,
            "format": 1,
            "chunks": len(manifest.chunks),
            "hash": manifest.digest(),
            "metadata": offer.to_bytes(),
        }
        snapshot = abci.Snapshot(**(shown | changes))
        request = abci.RequestOfferSnapshot(snapshot=snapshot, app_hash=manifest.app_hash)
        answer = await application(tmp_path, chain).handle(abci.Request(offer_snapshot=request))
        assert answer.offer_snapshot.result == result
    finally:
        await chain.close()
