"""One suite over every engine: equal results, equal application hashes, one state from blocks, proofs, hash seeds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from comet_kit import needs_engine
from conformance_script import dated_script
from engines_kit import ENGINES, Byzantine, Following, MakeSubject, Recorded, Sequencing, Subject, replay
from ledger_kit import BETA, PARTIES, Party, update_payload
from lianzheng.contracts.machine import Machine
from lianzheng.encoding.binary import b64u_decode, b64u_encode
from lianzheng.encoding.canonical import encode
from lianzheng.errors import NotFoundError
from lianzheng.ledger.apphash import app_hash
from lianzheng.ledger.genesis import Genesis
from lianzheng.ledger.ports import ConsistencyProof, LogProof, StateProof
from lianzheng.ledger.proofs import verify_consistency, verify_inclusion, verify_state
from lianzheng.ledger.snapshot import chunk_digest
from lianzheng.ledger.transaction import transaction_id
from process_kit import outputs_under_hash_seeds

engines = pytest.mark.parametrize("make", ENGINES)


@asynccontextmanager
async def running(subject: Subject) -> AsyncIterator[None]:
    """Started, and stopped whatever happens: some subjects are processes."""
    await subject.start()
    try:
        yield
    finally:
        await subject.stop()


async def _run(subject: Subject) -> None:
    for act, code in dated_script(subject.now_ms()):
        receipt = await subject.engine.submit(act)
        assert receipt.result.code == code and receipt.tx_id == transaction_id(act.body)
        if receipt.height:
            assert subject.engine.status().height >= receipt.height


@engines
async def test_results_hashes_and_the_state_from_blocks_alone(tmp_path: Path, make: MakeSubject) -> None:
    subject = make(tmp_path)
    async with running(subject):
        await _run(subject)
        blocks, status = await subject.blocks(), subject.engine.status()
        assert [block.height for block in blocks] == list(range(1, status.height + 1))
        rebuilt = replay(subject.genesis, blocks)
        assert rebuilt.app_hash() == status.app_hash == blocks[-1].app_hash
        assert dict(rebuilt.state.scan("")) == dict(subject.engine.state.scan(""))
        accepted = sum(result[0] == "ok" for block in blocks for result in block.results)
        assert accepted == sum(code == "ok" for _, code in dated_script(0))


@engines
async def test_of_two_acts_with_one_nonce_each_is_told_its_own_result(tmp_path: Path, make: MakeSubject) -> None:
    """The door looks at the committed state and lets both in; a member's restarted node may well send two."""
    subject = make(tmp_path)
    async with running(subject):
        acts = [
            BETA.transaction("member.update", update_payload(number, "beta"), 1, now_ms=subject.now_ms())
            for number in range(4)
        ]
        receipts = await asyncio.gather(*(subject.engine.submit(act) for act in acts))
        assert sorted(receipt.result.code for receipt in receipts) == ["nonce_used"] * 3 + ["ok"]
        assert [receipt.tx_id for receipt in receipts] == [transaction_id(act.body) for act in acts]


@engines
async def test_a_restart_changes_nothing_and_repeats_find_their_first_receipt(
    tmp_path: Path, make: MakeSubject
) -> None:
    subject = make(tmp_path)
    async with running(subject):
        await _run(subject)
        before, blocks = subject.engine.status(), await subject.blocks()
    async with running(subject):
        assert subject.engine.status().app_hash == before.app_hash
        assert (await subject.blocks())[: len(blocks)] == blocks
        for act, code in dated_script(subject.now_ms())[:8]:
            receipt = await subject.engine.submit(act)
            assert receipt.result.code == code and 0 < receipt.height <= before.height


@engines
async def test_proofs_of_state_log_and_growth_stand_under_the_head(tmp_path: Path, make: MakeSubject) -> None:
    subject = make(tmp_path)
    async with running(subject):
        await _run(subject)
        engine = subject.engine
        for party in (*PARTIES, Party("nobody")):
            for key in (f"member/{party.did}", f"did/{party.did}"):
                proof = await engine.prove_state(key)
                assert proof.value == engine.state.get(key) and (proof.value is None) == (party.name == "nobody")
                verify_state(key, proof.value, proof.path, proof.state_root)
                await _under_head(subject, proof)
        log = await engine.prove_log(0)
        assert log.log_size == 12
        for index in range(log.log_size):
            one = await engine.prove_log(index)
            verify_inclusion(one.entry, index, one.log_size, one.path, one.log_root)
            await _under_head(subject, one)
        roots = dict(_log_roots(subject.genesis, await subject.blocks()))
        for size in range(1, log.log_size + 1):
            growth = await engine.prove_consistency(size)
            verify_consistency(size, growth.log_size, roots[size], growth.log_root, growth.path)
            await _under_head(subject, growth)
        with pytest.raises(NotFoundError, match="log_entry_unknown"):
            await engine.prove_log(log.log_size)
        with pytest.raises(NotFoundError, match="height_not_provable"):
            await engine.prove_state("network", engine.status().height + 100)


@engines
async def test_proofs_of_one_bundle_stand_at_one_height_while_blocks_come(tmp_path: Path, make: MakeSubject) -> None:
    """EV-4: one standing, then the entries at its size, whatever the ledger does meanwhile."""
    subject = make(tmp_path)
    async with running(subject):
        await _run(subject)
        history, before = subject.engine.history, subject.engine.status().height
        for turn in range(3):
            standing = await history.standing(12)
            update = update_payload(turn, "beta")
            act = BETA.transaction("member.update", update, 50 + turn, now_ms=subject.now_ms())
            assert (await subject.engine.submit(act)).result.ok
            for index in range(12):
                entry, path = history.log_entry(index, standing.log_size)
                verify_inclusion(entry, index, standing.log_size, path, standing.log_root)
        assert subject.engine.status().height >= before + 3
        with pytest.raises(NotFoundError, match="log_entry_unknown"):
            await history.standing(13)


async def _under_head(subject: Subject, proof: StateProof | LogProof | ConsistencyProof) -> None:
    expected = app_hash(proof.schema, proof.log_root, proof.log_size, proof.state_root)
    assert expected in [block.app_hash for block in await subject.blocks()]


def _log_roots(genesis: Genesis, blocks: list[Recorded]) -> list[tuple[int, bytes]]:
    """Log size and root after each anchor, one block an anchor or not: each transaction in a block of its own."""
    machine, found = Machine(genesis), []
    for block in blocks:
        for transaction in block.transactions:
            machine.execute_block(block.height, block.time_ms, [transaction])
            found.append((machine.log.size, machine.log.root()))
    return found


@engines
async def test_a_snapshot_carries_a_new_node_to_the_same_head(tmp_path: Path, make: MakeSubject) -> None:
    subject = make(tmp_path)
    async with running(subject):
        await _run(subject)
        snapshot = subject.engine.snapshot()
        chunks = list(snapshot.chunks(4096))
        target = Machine(subject.genesis)
        target.restore(snapshot.manifest(map(chunk_digest, chunks)), chunks)
        assert target.app_hash() == subject.engine.status().app_hash == snapshot.app_hash


SEEDED = """
import sys
import orjson
from lianzheng.contracts.machine import Machine
from lianzheng.encoding.binary import b64u_decode
from lianzheng.ledger.genesis import Genesis

genesis, chain = orjson.loads(sys.stdin.buffer.read())
machine = Machine(Genesis.from_json(genesis))
for height, time_ms, transactions in chain:
    machine.execute_block(height, time_ms, [b64u_decode(one) for one in transactions])
    print(machine.app_hash().hex())
    machine.commit()
"""


@engines
async def test_a_recorded_chain_replays_alike_under_two_hash_seeds(tmp_path: Path, make: MakeSubject) -> None:
    subject = make(tmp_path)
    async with running(subject):
        await _run(subject)
        blocks = await subject.blocks()
    chain: Any = [[one.height, one.time_ms, [b64u_encode(act) for act in one.transactions]] for one in blocks]
    assert [b64u_decode(act) for act in chain[0][2]] == list(blocks[0].transactions)
    for printed in outputs_under_hash_seeds(SEEDED, encode([subject.genesis.to_json(), chain])):
        assert printed.split() == [block.app_hash.hex() for block in blocks]


async def test_two_embedded_nodes_record_one_chain(tmp_path: Path) -> None:
    """Sequencer and follower are two databases: block for block the same bytes' worth."""
    following = Following(tmp_path)
    async with running(following):
        await _run(following)
        assert await following.blocks() == await following.sequencing.blocks()


@needs_engine
async def test_both_engines_order_one_script_to_equal_results_and_one_application_hash(tmp_path: Path) -> None:
    """Heights and times are the engine's own and enter evidence; over one course of them nothing else may differ."""
    theirs = Byzantine(tmp_path / "cometbft")
    ours = Sequencing(tmp_path / "embedded", theirs.now_ms())
    assert ours.genesis.model_copy(update={"ordering": None}) == theirs.genesis
    courses: list[list[tuple[bytes, tuple[str, Any]]]] = []
    for subject in (ours, theirs):
        async with running(subject):
            await _run(subject)
            blocks = await subject.blocks()
        courses.append([pair for one in blocks for pair in zip(one.transactions, one.results, strict=True)])
    assert courses[0] == courses[1]
    hashes = [_hash_over_one_course(theirs.genesis, course) for course in courses]
    assert hashes[0] == hashes[1]


def _hash_over_one_course(genesis: Genesis, course: list[tuple[bytes, tuple[str, Any]]]) -> bytes:
    machine = Machine(genesis)
    for height, (transaction, result) in enumerate(course, 1):
        (outcome,) = machine.execute_block(height, genesis.time_ms + height, [transaction])
        assert (outcome.code, outcome.data) == result
        machine.commit()
    return machine.app_hash()
