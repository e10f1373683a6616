"""One suite over every engine: equal results, equal application hashes, one state from blocks, proofs, hash seeds."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engines_kit import ENGINES, Recorded, Subject, replay
from ledger_kit import BETA, GAMMA, PARTIES, Party, agreement_payload, anchor_payload, make_genesis, update_payload
from lianzheng.encoding.binary import b64u_decode, b64u_encode
from lianzheng.encoding.canonical import encode
from lianzheng.errors import NotFoundError
from lianzheng.evidence.model import AnchorPayload, anchor_digest
from lianzheng.ledger.apphash import app_hash
from lianzheng.ledger.genesis import Genesis
from lianzheng.ledger.ports import ConsistencyProof, LogProof, StateProof
from lianzheng.ledger.proofs import verify_consistency, verify_inclusion, verify_state
from lianzheng.ledger.transaction import Transaction, transaction_id

GENESIS = make_genesis(schema=2)
MakeSubject = Callable[[Path, Genesis], Subject]
engines = pytest.mark.parametrize("make", ENGINES.values(), ids=ENGINES)


def script() -> list[tuple[Transaction, str]]:
    """Acts and the result that each must have, whatever the engine; refused ones with and without the nonce spent."""
    person = Party("person", key_id="#key-1")
    acts: list[tuple[Transaction, str]] = []
    previous: dict[str, bytes | None] = dict.fromkeys((party.did for party in PARTIES), None)
    for turn in range(3):
        for party in PARTIES:
            anchor = anchor_payload(previous[party.did], turn + 1)
            previous[party.did] = anchor_digest(party.did, AnchorPayload.from_json(anchor))
            nonce = 10 * turn
            acts.append((party.transaction("evidence.anchor", anchor, nonce + 1), "ok"))
            acts.append((party.transaction("evidence.anchor", anchor, nonce + 2), "anchor_previous_mismatch"))
            acts.append((party.transaction("member.update", update_payload(turn, party.name), nonce + 3), "ok"))
            code = "agreement_already_signed" if turn else "ok"
            acts.append((party.transaction("agreement.sign", agreement_payload(), nonce + 4), code))
    create = {"operation": person.operation.to_json()}
    acts.append((person.transaction("did.create", create, 1), "ok"))
    acts.append((person.transaction("did.create", create, 2), "did_exists"))
    acts.append((BETA.transaction("member.update", update_payload(1, "beta"), 2**52), "nonce_too_far"))
    acts.append((GAMMA.transaction("member.update", update_payload(1, "gamma"), 24), "nonce_used"))
    acts.append((BETA.transaction("member.update", update_payload(1, "beta"), 40, chain_id="other"), "chain_mismatch"))
    return acts


async def _run(subject: Subject) -> None:
    for act, code in script():
        receipt = await subject.engine.submit(act)
        assert receipt.result.code == code and receipt.tx_id == transaction_id(act.body)
        if receipt.height:
            assert subject.engine.status().height >= receipt.height


@engines
async def test_results_hashes_and_the_state_from_blocks_alone(tmp_path: Path, make: MakeSubject) -> None:
    subject = make(tmp_path, GENESIS)
    await subject.start()
    await _run(subject)
    blocks, status = await subject.blocks(), subject.engine.status()
    assert [block.height for block in blocks] == list(range(1, status.height + 1))
    rebuilt = replay(GENESIS, blocks)
    assert rebuilt.app_hash() == status.app_hash == blocks[-1].app_hash
    assert dict(rebuilt.state.scan("")) == dict(subject.engine.state.scan(""))
    accepted = sum(result[0] == "ok" for block in blocks for result in block.results)
    assert accepted == sum(code == "ok" for _, code in script())
    await subject.stop()


@engines
async def test_a_restart_changes_nothing_and_repeats_find_their_first_receipt(
    tmp_path: Path, make: MakeSubject
) -> None:
    subject = make(tmp_path, GENESIS)
    await subject.start()
    await _run(subject)
    before, blocks = subject.engine.status(), await subject.blocks()
    await subject.stop()
    await subject.start()
    assert subject.engine.status().app_hash == before.app_hash and await subject.blocks() == blocks
    for act, code in script()[:8]:
        receipt = await subject.engine.submit(act)
        assert receipt.result.code == code and 0 < receipt.height <= before.height
    await subject.stop()


@engines
async def test_proofs_of_state_log_and_growth_stand_under_the_head(tmp_path: Path, make: MakeSubject) -> None:
    subject = make(tmp_path, GENESIS)
    await subject.start()
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
    roots = dict(_log_roots(await subject.blocks()))
    for size in range(1, log.log_size + 1):
        growth = await engine.prove_consistency(size)
        verify_consistency(size, growth.log_size, roots[size], growth.log_root, growth.path)
        await _under_head(subject, growth)
    with pytest.raises(NotFoundError, match="log_entry_unknown"):
        await engine.prove_log(log.log_size)
    with pytest.raises(NotFoundError, match="height_not_provable"):
        await engine.prove_state("network", engine.status().height + 1)
    await subject.stop()


async def _under_head(subject: Subject, proof: StateProof | LogProof | ConsistencyProof) -> None:
    expected = app_hash(proof.schema, proof.log_root, proof.log_size, proof.state_root)
    assert expected in [block.app_hash for block in await subject.blocks()]


def _log_roots(blocks: list[Recorded]) -> list[tuple[int, bytes]]:
    """Log size and root after each anchor, one block an anchor or not: each transaction in a block of its own."""
    from lianzheng.contracts.machine import Machine

    machine, found = Machine(GENESIS), []
    for block in blocks:
        for transaction in block.transactions:
            machine.execute_block(block.height, block.time_ms, [transaction])
            found.append((machine.log.size, machine.log.root()))
    return found


@engines
async def test_a_snapshot_carries_a_new_node_to_the_same_head(tmp_path: Path, make: MakeSubject) -> None:
    from lianzheng.contracts.machine import Machine
    from lianzheng.ledger.snapshot import chunk_digest

    subject = make(tmp_path, GENESIS)
    await subject.start()
    await _run(subject)
    snapshot = subject.engine.snapshot()
    chunks = list(snapshot.chunks(4096))
    target = Machine(GENESIS)
    target.restore(snapshot.manifest(map(chunk_digest, chunks)), chunks)
    assert target.app_hash() == subject.engine.status().app_hash == snapshot.app_hash
    await subject.stop()


SEEDED = """
import sys
import orjson
from engines_kit import Recorded, replay
from ledger_kit import make_genesis
from lianzheng.contracts.machine import Machine
from lianzheng.encoding.binary import b64u_decode

machine = Machine(make_genesis(schema=2))
for height, time_ms, transactions in orjson.loads(sys.stdin.buffer.read()):
    machine.execute_block(height, time_ms, [b64u_decode(one) for one in transactions])
    print(machine.app_hash().hex())
    machine.commit()
"""


@engines
async def test_a_recorded_chain_replays_alike_under_two_hash_seeds(tmp_path: Path, make: MakeSubject) -> None:
    subject = make(tmp_path, GENESIS)
    await subject.start()
    await _run(subject)
    blocks = await subject.blocks()
    await subject.stop()
    recorded: Any = [[one.height, one.time_ms, [b64u_encode(act) for act in one.transactions]] for one in blocks]
    assert [b64u_decode(act) for act in recorded[0][2]] == list(blocks[0].transactions)
    for seed in ("1", "2"):
        assert _hashes(encode(recorded), seed) == [block.app_hash.hex() for block in blocks]


def _hashes(chain: bytes, seed: str) -> list[str]:
    repository = Path(__file__).resolve().parents[3]
    paths = os.pathsep.join([str(repository / "src"), str(repository / "tests")])
    environment = {**os.environ, "PYTHONPATH": paths, "PYTHONHASHSEED": seed}
    command = [sys.executable, "-c", SEEDED]
    answer = subprocess.run(command, input=chain, env=environment, capture_output=True, check=True, timeout=120)
    return answer.stdout.decode().split()


async def test_two_embedded_nodes_record_one_chain(tmp_path: Path) -> None:
    """Sequencer and follower are two databases: block for block the same bytes' worth."""
    following = ENGINES["embedded follower"](tmp_path, GENESIS)
    await following.start()
    await _run(following)
    mine = await following.blocks()
    theirs = await following._sequencing.blocks()  # type: ignore[attr-defined]
    assert mine == theirs
    await following.stop()
