"""The ABCI server driven as the engine drives it: raw frames over its unix socket, several connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from comet_kit import MEMBERS, comet_genesis, make_head, ordered
from ledger_kit import agreement_payload, update_payload
from lianzheng.adapters.consensus.cometbft.application import AbciApplication
from lianzheng.adapters.consensus.cometbft.chain import CometChain
from lianzheng.adapters.consensus.cometbft.framing import FrameDecoder, encode_frame
from lianzheng.adapters.consensus.cometbft.proto import abci_pb2 as abci
from lianzheng.adapters.consensus.cometbft.proto import keys_pb2 as keys
from lianzheng.adapters.consensus.cometbft.pruning import Pruner
from lianzheng.adapters.consensus.cometbft.server import AbciServer
from lianzheng.adapters.consensus.cometbft.statesync import StateSync
from lianzheng.adapters.consensus.cometbft.store import AppliedBlock
from lianzheng.clock import ManualClock
from lianzheng.contracts.machine import Machine
from lianzheng.encoding.canonical import decode, encode
from lianzheng.errors import LianzhengError, NotFoundError
from lianzheng.governance.members import member_of
from lianzheng.governance.model import member_key
from lianzheng.governance.validators import validator_powers
from lianzheng.ledger.cometbft import CometHead
from lianzheng.ledger.genesis import genesis_digest

START_MS = 1_790_000_000_000
ALPHA = MEMBERS[0]


class Engine:
    """One connection, as the engine's client has it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer, self._decoder = reader, writer, FrameDecoder()
        self._ready: list[bytes] = []

    async def send(self, *requests: abci.Request) -> None:
        self._writer.write(b"".join(encode_frame(one.SerializeToString()) for one in requests))
        await self._writer.drain()

    async def receive(self) -> abci.Response:
        while not self._ready:
            data = await self._reader.read(65536)
            if not data:
                raise EOFError
            self._ready += self._decoder.feed(data)
        return abci.Response.FromString(self._ready.pop(0))

    async def ask(self, request: abci.Request) -> abci.Response:
        await self.send(request)
        return await self.receive()


class Node:
    """The application over files in a folder, and what it complained of."""

    def __init__(self, folder: Path, every: int = 1000, keep: int | None = None) -> None:
        self.folder = folder
        self.signer_changes: list[CometHead] = []
        self.genesis = comet_genesis()
        self.machine = Machine(self.genesis)
        self.chain = CometChain(self.machine, self.genesis, folder / "ledger.db", folder / "height")
        self.application = AbciApplication(
            self.chain,
            validator_powers,
            ManualClock(START_MS),
            StateSync(self.chain, every, self.changes, validator_powers),
            Pruner(self.chain, keep, every=1),
        )
        self.faults: list[LianzhengError] = []
        self.server = AbciServer(folder / "abci.sock", self.application.handle, self.faults.append)

    async def changes(self, height: int) -> list[CometHead]:
        """What the node says of changes of signers, beside its snapshots."""
        return self.signer_changes

    async def connect(self) -> Engine:
        return Engine(*await asyncio.open_unix_connection(self.folder / "abci.sock"))


@asynccontextmanager
async def node(folder: Path, every: int = 1000, keep: int | None = None) -> AsyncIterator[Node]:
    one = Node(folder, every, keep)
    await one.chain.open()
    await one.server.start()
    try:
        yield one
    finally:
        await one.server.stop()
        await one.chain.close()


def init_chain(one: Node, **changes: object) -> abci.Request:
    fields: dict[str, object] = {
        "chain_id": one.genesis.chain_id,
        "initial_height": 1,
        "app_state_bytes": encode({"genesis": genesis_digest(one.genesis).hex()}),
        "validators": [
            abci.ValidatorUpdate(pub_key=keys.PublicKey(ed25519=key), power=power)
            for key, power in validator_powers(one.machine.committed_state).items()
        ],
    }
    return abci.Request(init_chain=abci.RequestInitChain(**(fields | changes)))  # type: ignore[arg-type]


def finalize(height: int, txs: list[bytes], block_hash: bytes = b"h" * 32) -> abci.Request:
    request = abci.RequestFinalizeBlock(txs=txs, height=height, hash=block_hash)
    request.time.seconds, request.time.nanos = START_MS // 1000 + height, 999_999
    return abci.Request(finalize_block=request)


COMMIT = abci.Request(commit=abci.RequestCommit())
INFO = abci.Request(info=abci.RequestInfo(version="0.38.25"))
FLUSH = abci.Request(flush=abci.RequestFlush())


def agreement(nonce: int = 1) -> bytes:
    return ALPHA.transaction("agreement.sign", agreement_payload(), nonce, START_MS).to_bytes()


async def test_every_request_is_answered_by_its_own_arm_even_if_empty(tmp_path: Path) -> None:
    async with node(tmp_path) as one:
        engine = await one.connect()
        arms = [
            abci.Request(echo=abci.RequestEcho(message="")),
            FLUSH,
            INFO,
            init_chain(one),
            abci.Request(query=abci.RequestQuery()),
            abci.Request(check_tx=abci.RequestCheckTx()),
            abci.Request(prepare_proposal=abci.RequestPrepareProposal(max_tx_bytes=1000)),
            abci.Request(process_proposal=abci.RequestProcessProposal()),
            abci.Request(extend_vote=abci.RequestExtendVote()),
            abci.Request(verify_vote_extension=abci.RequestVerifyVoteExtension()),
            finalize(1, []),
            COMMIT,
            abci.Request(list_snapshots=abci.RequestListSnapshots()),
            abci.Request(offer_snapshot=abci.RequestOfferSnapshot()),
            abci.Request(load_snapshot_chunk=abci.RequestLoadSnapshotChunk()),
            abci.Request(apply_snapshot_chunk=abci.RequestApplySnapshotChunk()),
        ]
        await engine.send(*arms)  # pipelined: answers come in order
        answers = [await engine.receive() for _ in arms]
        assert [a.WhichOneof("value") for a in answers] == [a.WhichOneof("value") for a in arms]
        assert {arm.name for arm in abci.Request.DESCRIPTOR.oneofs[0].fields} == {a.WhichOneof("value") for a in arms}
        assert one.faults == []


async def test_init_chain_may_come_twice_and_names_the_genesis_state(tmp_path: Path) -> None:
    async with node(tmp_path) as one:
        engine = await one.connect()
        first, second = await engine.ask(init_chain(one)), await engine.ask(init_chain(one))
        assert first == second
        assert first.init_chain.app_hash == one.machine.app_hash()
        executed = await engine.ask(finalize(1, [agreement()]))
        restarted = await one.connect()
        assert await restarted.ask(init_chain(one)) == first  # of genesis still, not of the block in flight
        assert await restarted.ask(finalize(1, [agreement()])) == executed


@pytest.mark.parametrize(
    "changes",
    [
        {"chain_id": "other"},
        {"initial_height": 2},
        {"app_state_bytes": encode({"genesis": "00" * 32})},
        {"validators": []},
    ],
    ids=["chain", "height", "genesis", "validators"],
)
async def test_another_networks_genesis_stops_the_engine(tmp_path: Path, changes: dict[str, object]) -> None:
    async with node(tmp_path) as one:
        engine = await one.connect()
        answer = await engine.ask(init_chain(one, **changes))
        assert answer.exception.error.startswith("engine_genesis_mismatch")
        with pytest.raises(EOFError):
            await engine.receive()
        assert [fault.code for fault in one.faults] == ["engine_genesis_mismatch"]


async def test_nothing_is_durable_before_commit(tmp_path: Path) -> None:
    async with node(tmp_path) as one:
        engine = await one.connect()
        await engine.ask(init_chain(one))
        answer = await engine.ask(finalize(1, [agreement()]))
        assert [result.code for result in answer.finalize_block.tx_results] == [0]
        assert (await engine.ask(INFO)).info.last_block_height == 0
        assert one.chain.store.block(1) is None
    async with node(tmp_path) as again:  # killed between the two: the block comes again
        engine = await again.connect()
        assert (await engine.ask(INFO)).info.last_block_height == 0
        repeated = await engine.ask(finalize(1, [agreement()]))
        assert repeated.finalize_block == answer.finalize_block
        await engine.ask(COMMIT)
    async with node(tmp_path) as third:
        engine = await third.connect()
        info = (await engine.ask(INFO)).info
        assert (info.last_block_height, info.last_block_app_hash) == (1, answer.finalize_block.app_hash)
        assert third.chain.time_ms == START_MS + 1000  # 999,999 ns are floored away (B31)


async def test_an_engine_that_died_before_commit_gets_the_same_answer_again(tmp_path: Path) -> None:
    async with node(tmp_path) as one:
        engine = await one.connect()
        await engine.ask(init_chain(one))
        first = await engine.ask(finalize(1, [agreement()]))
        restarted = await one.connect()
        assert (await restarted.ask(INFO)).info.last_block_height == 0
        assert await restarted.ask(finalize(1, [agreement()])) == first
        await restarted.ask(COMMIT)
        assert (await restarted.ask(INFO)).info.last_block_height == 1


async def test_double_votes_in_a_block_are_kept(tmp_path: Path) -> None:
    """Once for each validator and height, however often the block comes; nothing of the state depends on them."""
    block = finalize(1, [agreement()])
    kinds = abci.MisbehaviorType
    for address, height, kind in (
        (b"a" * 20, 7, kinds.DUPLICATE_VOTE),
        (b"a" * 20, 9, kinds.DUPLICATE_VOTE),
        (b"b" * 20, 9, kinds.LIGHT_CLIENT_ATTACK),
    ):
        found = abci.Misbehavior(type=kind, height=height, validator=abci.Validator(address=address, power=1))
        block.finalize_block.misbehavior.append(found)
    async with node(tmp_path) as one:
        engine = await one.connect()
        await engine.ask(init_chain(one))
        answer = await engine.ask(block)
        await engine.ask(block)
        await engine.ask(COMMIT)
    async with node(tmp_path) as again:
        assert again.chain.store.double_votes() == [(b"a" * 20, 2, 9)]
    (tmp_path / "beside").mkdir()
    async with node(tmp_path / "beside") as other:
        engine = await other.connect()
        await engine.ask(init_chain(other))
        plain = await engine.ask(finalize(1, [agreement()]))
        assert plain.finalize_block == answer.finalize_block


async def test_another_block_in_place_of_a_decided_one_stops_the_node(tmp_path: Path) -> None:
    async with node(tmp_path) as one:
        engine = await one.connect()
        await engine.ask(init_chain(one))
        await engine.ask(finalize(1, [agreement()]))
        answer = await engine.ask(finalize(1, [], block_hash=b"x" * 32))
        assert answer.exception.error.startswith("ledger_forked")


async def test_check_tx_says_the_code_and_changes_nothing(tmp_path: Path) -> None:
    async with node(tmp_path) as one:
        engine = await one.connect()
        before = one.machine.app_hash()
        good = (await engine.ask(abci.Request(check_tx=abci.RequestCheckTx(tx=agreement())))).check_tx
        bad = (await engine.ask(abci.Request(check_tx=abci.RequestCheckTx(tx=b"{}")))).check_tx
        assert (good.code, bad.code, bad.log) == (0, 1, "field_invalid")
        assert decode(bad.data) == {"code": "field_invalid", "data": None}
        assert one.machine.app_hash() == before


async def test_proposals_hold_what_fits_and_refuse_what_has_no_form(tmp_path: Path) -> None:
    first, second = agreement(1), agreement(2)
    later = first.replace(b'"alg":"Ed25519"', b'"alg":"ES256"')  # a form of schema 3 (LED-2)
    assert later != first
    async with node(tmp_path) as one:
        engine = await one.connect()
        request = abci.RequestPrepareProposal(txs=[b"junk", later, first, second], max_tx_bytes=16 + len(first))
        prepared = (await engine.ask(abci.Request(prepare_proposal=request))).prepare_proposal
        assert list(prepared.txs) == [first]
        status = abci.ResponseProcessProposal.ProposalStatus
        for txs, expected in (
            ([first, second], status.ACCEPT),
            ([first, b"junk"], status.REJECT),
            ([later], status.REJECT),
        ):
            processed = abci.Request(process_proposal=abci.RequestProcessProposal(txs=txs))
            assert (await engine.ask(processed)).process_proposal.status == expected


async def test_a_refused_transaction_has_code_and_data_in_the_results(tmp_path: Path) -> None:
    """B7: the code enters the engine's results hash through ``data``."""
    async with node(tmp_path) as one:
        engine = await one.connect()
        await engine.ask(init_chain(one))
        answer = await engine.ask(finalize(1, [agreement(1), agreement(2)]))
        codes = [(r.code, decode(r.data)["code"]) for r in answer.finalize_block.tx_results]
        assert codes == [(0, "ok"), (1, "agreement_already_signed")]


async def test_a_query_is_answered_while_consensus_is_busy(tmp_path: Path) -> None:
    async with node(tmp_path) as one:
        consensus, other = await one.connect(), await one.connect()
        await consensus.ask(init_chain(one))
        await consensus.send(finalize(1, [agreement()]), COMMIT)
        await other.send(abci.Request(query=abci.RequestQuery(path="/state", data=b"network")))
        answer = (await other.receive()).query
        assert decode(answer.value)["chain_id"] == one.genesis.chain_id
        assert (await consensus.receive()).WhichOneof("value") == "finalize_block"


async def test_two_applications_say_the_same_of_the_same_blocks(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    now = START_MS
    updates = [ALPHA.transaction("member.update", update_payload(n), n, now).to_bytes() for n in range(1, 6)]
    answers = []
    for name in ("a", "b"):
        async with node(tmp_path / name) as one:
            engine = await one.connect()
            await engine.ask(init_chain(one))
            said = []
            for height, txs in enumerate((updates[:2], [], updates[2:]), 1):
                said.append((await engine.ask(finalize(height, txs))).SerializeToString())
                await engine.ask(COMMIT)
            answers.append(said)
    assert answers[0] == answers[1]


async def chain_with_snapshot(one: Node) -> tuple[Engine, abci.Snapshot]:
    """Blocks up to 4 and the snapshot that was made at 2."""
    engine = await one.connect()
    await engine.ask(init_chain(one))
    for height in range(1, 5):
        update = ALPHA.transaction("member.update", update_payload(height), height, START_MS).to_bytes()
        await engine.ask(finalize(height, [update]))
        await engine.ask(COMMIT)
    listing = abci.Request(list_snapshots=abci.RequestListSnapshots())
    for _ in range(200):  # written in a thread, once two blocks follow
        found = (await engine.ask(listing)).list_snapshots.snapshots
        if found:
            return engine, found[0]
        await asyncio.sleep(0.01)
    raise AssertionError("no snapshot was made")


def offered(snapshot: abci.Snapshot, app_hash: bytes) -> abci.Request:
    return abci.Request(offer_snapshot=abci.RequestOfferSnapshot(snapshot=snapshot, app_hash=app_hash))


def load(snapshot: abci.Snapshot, chunk: int) -> abci.Request:
    fields = abci.RequestLoadSnapshotChunk(height=snapshot.height, format=snapshot.format, chunk=chunk)
    return abci.Request(load_snapshot_chunk=fields)


def apply(index: int, chunk: bytes, sender: str = "peer") -> abci.Request:
    return abci.Request(apply_snapshot_chunk=abci.RequestApplySnapshotChunk(index=index, chunk=chunk, sender=sender))


async def test_a_snapshot_is_taken_over_and_a_bad_chunk_is_fetched_elsewhere(tmp_path: Path) -> None:
    """LED-8."""
    for name in ("giver", "taker"):
        (tmp_path / name).mkdir()
    offers = abci.ResponseOfferSnapshot.Result
    results = abci.ResponseApplySnapshotChunk.Result
    async with node(tmp_path / "giver", every=2) as giver, node(tmp_path / "taker") as taker:
        source, snapshot = await chain_with_snapshot(giver)
        assert snapshot.height == 2
        block = giver.chain.store.block(2)
        assert block is not None
        chunks = [(await source.ask(load(snapshot, i))).load_snapshot_chunk.chunk for i in range(snapshot.chunks)]
        engine = await taker.connect()
        wrong = (await engine.ask(offered(snapshot, b"x" * 32))).offer_snapshot
        assert wrong.result == offers.REJECT
        assert (await engine.ask(offered(snapshot, block.app_hash))).offer_snapshot.result == offers.ACCEPT
        bad = (await engine.ask(apply(0, chunks[0] + b"x", "liar"))).apply_snapshot_chunk
        assert (bad.result, list(bad.refetch_chunks), list(bad.reject_senders)) == (results.RETRY, [0], ["liar"])
        assert (await engine.ask(INFO)).info.last_block_height == 0
        for index, chunk in enumerate(chunks):
            assert (await engine.ask(apply(index, chunk))).apply_snapshot_chunk.result == results.ACCEPT
        info = (await engine.ask(INFO)).info
        assert (info.last_block_height, info.last_block_app_hash) == (2, block.app_hash)
        third = giver.chain.store.block(3)
        assert third is not None
        followed = await engine.ask(finalize(3, third.wire_transactions()))
        assert followed.finalize_block.app_hash == third.app_hash
        await engine.ask(COMMIT)
    async with node(tmp_path / "taker") as again:
        assert (again.chain.height, again.chain.application_hash) == (3, third.app_hash)


async def test_a_restart_begins_at_the_newest_snapshot(tmp_path: Path) -> None:
    async with node(tmp_path, every=2) as one:
        await chain_with_snapshot(one)
        expected = one.chain.application_hash
    async with node(tmp_path, every=2) as again:
        assert (again.chain.height, again.chain.application_hash) == (4, expected)
        assert again.machine.app_hash() == expected
    chunk = next((tmp_path / "ledger.db.snapshots").glob("*/000000"))
    chunk.write_bytes(b"damaged")  # then every block is executed again
    async with node(tmp_path, every=2) as third:
        assert (third.chain.height, third.chain.application_hash) == (4, expected)


async def commit_next(engine: Engine, height: int) -> int:
    """One more block; from which height on the engine is told to keep blocks."""
    update = ALPHA.transaction("member.update", update_payload(height), height, START_MS).to_bytes()
    await engine.ask(finalize(height, [update]))
    return int((await engine.ask(COMMIT)).commit.retain_height)


@pytest.mark.parametrize(("keep", "retained"), [(None, 0), (1, 3), (5, 3), (6, 3), (7, 2), (8, 0)])
async def test_what_is_dropped_lies_below_what_is_kept_and_below_every_snapshot(
    tmp_path: Path, keep: int | None, retained: int
) -> None:
    """At block 8 with snapshots of 4 and 6: 8 − keep + 1, but at most 4 − 1; that 1 be kept says nothing."""
    async with node(tmp_path, keep=keep) as one:
        engine = await one.connect()
        await engine.ask(init_chain(one))
        for height in range(1, 8):
            assert (await commit_next(engine, height) == 0) or height >= 4
            if height == 3:
                assert one.chain.snapshots.offers() == [], "without a snapshot nothing goes"
            if height in (4, 6):
                one.chain.snapshots.write(one.machine.snapshot(), [])
        assert await commit_next(engine, 8) == retained
        expected = one.chain.application_hash
        kept = [block.height for block in one.chain.store.blocks_above(0) if not block.pruned]
        assert kept == list(range(max(retained, 1), 9))
        if retained:
            with pytest.raises(NotFoundError, match="block_pruned"):
                one.chain.events(retained - 1)
        assert (await anext(one.chain.events(max(retained, 1))))["height"] == max(retained, 1)
    async with node(tmp_path) as again:
        assert (again.chain.height, again.chain.application_hash) == (8, expected)


async def test_a_change_of_signers_whose_head_is_not_kept_yet_keeps_its_block(tmp_path: Path) -> None:
    """EV-4: bundles need it, and once dropped the engine could not give it any more."""
    async with node(tmp_path) as one:
        engine = await one.connect()
        await engine.ask(init_chain(one))
        for height in range(1, 8):
            await commit_next(engine, height)
            if height == 6:
                one.chain.snapshots.write(one.machine.snapshot(), [])
        pruner = Pruner(one.chain, 1, every=1)
        change = AppliedBlock(8, one.chain.time_ms + 1, b"h" * 32, one.chain.application_hash, b"", b"[]", b"[]")
        assert await pruner.retain(7) == 5
        await one.chain.store.append(change, [], True)  # the header of 9 names other validators
        assert await pruner.retain(20) == 5
        one.chain.snapshots.write(replace(one.machine.snapshot(), height=18), [])
        one.chain.snapshots.write(replace(one.machine.snapshot(), height=19), [])
        assert await pruner.retain(20) == 9
        await one.chain.store.keep_signer_change(9, b"its head")
        assert await pruner.retain(20) == 17


async def test_bytes_that_are_no_request_end_the_connection(tmp_path: Path) -> None:
    async with node(tmp_path) as one:
        reader, writer = await asyncio.open_unix_connection(tmp_path / "abci.sock")
        writer.write(encode_frame(b"\xff\xff\xff"))
        data = await reader.read()
        assert b"abci_request_invalid" in data
        writer.close()
        assert (tmp_path / "abci.sock").stat().st_mode & 0o777 == 0o600
        assert [fault.code for fault in one.faults] == ["abci_request_invalid"]


async def fetched(source: Engine, snapshot: abci.Snapshot) -> list[bytes]:
    return [(await source.ask(load(snapshot, i))).load_snapshot_chunk.chunk for i in range(snapshot.chunks)]


async def test_an_engine_that_died_after_the_last_chunk_fetches_a_snapshot_again(tmp_path: Path) -> None:
    """The state is durable here before the engine has noted where it is: refusing what it offers would end there."""
    for name in ("giver", "taker"):
        (tmp_path / name).mkdir()
    offers, results = abci.ResponseOfferSnapshot.Result, abci.ResponseApplySnapshotChunk.Result
    async with node(tmp_path / "giver", every=2) as giver:
        source, snapshot = await chain_with_snapshot(giver)
        block, third = giver.chain.store.block(2), giver.chain.store.block(3)
        assert block is not None and third is not None
        chunks = await fetched(source, snapshot)
        for _ in range(2):  # the second engine knows nothing of the first one's
            async with node(tmp_path / "taker") as taker:
                engine = await taker.connect()
                accepted = await engine.ask(offered(snapshot, block.app_hash))
                assert accepted.offer_snapshot.result == offers.ACCEPT
                for index, chunk in enumerate(chunks):
                    assert (await engine.ask(apply(index, chunk))).apply_snapshot_chunk.result == results.ACCEPT
        async with node(tmp_path / "taker") as taker:
            engine = await taker.connect()
            assert (await engine.ask(INFO)).info.last_block_height == 2
            await engine.ask(finalize(3, third.wire_transactions()))
            await engine.ask(COMMIT)
            assert taker.chain.application_hash == third.app_hash
            late = await engine.ask(offered(snapshot, block.app_hash))
            assert late.offer_snapshot.result == offers.REJECT, "with a block of its own it has begun"


async def test_a_snapshot_without_its_last_change_of_signers_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    """EV-4: what is left out at the end is signed by nobody; bundles of a node that took it over would not verify."""
    for name in ("giver", "taker"):
        (tmp_path / name).mkdir()
    results = abci.ResponseApplySnapshotChunk.Result
    gone = MEMBERS[1]
    async with node(tmp_path / "giver") as giver, node(tmp_path / "taker") as taker:
        record = member_of(giver.machine.state, gone.did)
        assert record is not None
        before = ordered(validator_powers(giver.machine.committed_state))
        left = record.model_copy(update={"version": 1, "phase": "left"})
        giver.machine._state.apply([(member_key(gone.did), left.to_json())])
        giver.machine.execute_block(1, START_MS + 1000, [])
        giver.machine.commit()
        after = ordered(validator_powers(giver.machine.committed_state))
        assert {one.key for one in before} - {one.key for one in after} == {gone.validator}
        change = make_head(MEMBERS, before, height=1, following=after)
        engine = await taker.connect()
        genesis_hash = taker.machine.app_hash()
        for changes, expected in (([], results.REJECT_SNAPSHOT), ([enough(change)], results.ACCEPT)):
            giver.chain.snapshots.write(giver.machine.snapshot(), changes)
            source = await giver.connect()
            listing = await source.ask(abci.Request(list_snapshots=abci.RequestListSnapshots()))
            (snapshot,) = listing.list_snapshots.snapshots
            await engine.ask(offered(snapshot, giver.machine.app_hash()))
            answers = [await engine.ask(apply(i, chunk)) for i, chunk in enumerate(await fetched(source, snapshot))]
            assert answers[-1].apply_snapshot_chunk.result == expected
            if not changes:
                assert (taker.chain.height, taker.machine.app_hash()) == (0, genesis_hash)
        assert (taker.chain.height, taker.machine.app_hash()) == (1, giver.machine.app_hash())
        assert [at for at, _ in taker.chain.store.signer_changes()] == [1]


def enough(head: CometHead) -> CometHead:
    """The head with the first signatures that exceed 2/3, and no more."""
    total, power, count = sum(one.power for one in head.validators), 0, 0
    while 3 * power <= 2 * total:
        power += head.validators[head.commit.signatures[count].validator].power
        count += 1
    return head.model_copy(
        update={"commit": head.commit.model_copy(update={"signatures": head.commit.signatures[:count]})}
    )


async def test_a_full_disk_while_a_snapshot_is_fetched_is_named(tmp_path: Path) -> None:
    for name in ("giver", "taker"):
        (tmp_path / name).mkdir()
    async with node(tmp_path / "giver", every=2) as giver, node(tmp_path / "taker") as taker:
        _, snapshot = await chain_with_snapshot(giver)
        block = giver.chain.store.block(2)
        assert block is not None
        (tmp_path / "taker" / "ledger.db.snapshots").write_bytes(b"where a folder should be")
        engine = await taker.connect()
        answer = await engine.ask(offered(snapshot, block.app_hash))
        assert answer.exception.error.startswith("ledger_storage_failed")
        assert [fault.code for fault in taker.faults] == ["ledger_storage_failed"]


async def test_whoever_reads_a_long_past_does_not_hold_up_the_loop(tmp_path: Path) -> None:
    """Heights without events give the reader nothing to wait for: the others must have their turns all the same."""
    async with node(tmp_path) as one:
        engine = await one.connect()
        await engine.ask(init_chain(one))
        for height in range(1, 41):
            await engine.ask(finalize(height, [agreement()] if height == 40 else []))
            await engine.ask(COMMIT)
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        task = asyncio.create_task(other())
        try:
            assert (await anext(one.chain.events(1)))["height"] == 40
        finally:
            task.cancel()
        assert turns >= 39, "one for each height that was passed over"
