"""Snapshots (LED-8): the same bytes everywhere, restored whole or not at all, one bad chunk named."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ledger_kit import ALPHA, BETA, GAMMA, START_MS, agreement_payload, anchor_payload, make_genesis, update_payload
from lianzheng.contracts.machine import Machine
from lianzheng.errors import FormatError, VerificationError
from lianzheng.ledger.context import StateView
from lianzheng.ledger.snapshot import SnapshotManifest, check_chunk, chunk_digest


def _machine(schema: int = 2) -> Machine:
    machine = Machine(make_genesis(schema=schema))
    for height, party in enumerate((BETA, GAMMA), 1):
        acts = [
            party.transaction("agreement.sign", agreement_payload(), 1),
            party.transaction("evidence.anchor", anchor_payload(None, height), 2),
            party.transaction("member.update", update_payload(height, party.name), 3),
        ]
        results = machine.execute_block(height, START_MS + height, [act.to_bytes() for act in acts])
        assert all(result.ok for result in results)
        machine.commit()
    return machine


def _dump(machine: Machine, chunk_bytes: int = 100) -> tuple[SnapshotManifest, list[bytes]]:
    snapshot = machine.snapshot()
    chunks = list(snapshot.chunks(chunk_bytes))
    return snapshot.manifest(chunk_digest(chunk) for chunk in chunks), chunks


@pytest.mark.parametrize("schema", [1, 2])
@pytest.mark.parametrize("chunk_bytes", [1, 7, 1000, 10**6])
def test_a_restored_node_goes_on_as_the_one_that_was_dumped(schema: int, chunk_bytes: int) -> None:
    live, other = _machine(schema), Machine(make_genesis(schema=schema))
    manifest, chunks = _dump(live, chunk_bytes)
    assert all(len(chunk) == chunk_bytes for chunk in chunks[:-1]) and 0 < len(chunks[-1]) <= chunk_bytes
    other.restore(manifest, chunks)
    assert (other.height, other.app_hash(), other.roots()) == (2, live.app_hash(), live.roots())
    assert dict(other.state.scan("")) == dict(live.state.scan(""))
    assert [other.log_entry(index) for index in range(2)] == [live.log_entry(index) for index in range(2)]
    act = BETA.transaction("member.update", update_payload(9, "beta"), 4).to_bytes()
    results = [machine.execute_block(3, START_MS + 3, [act]) for machine in (live, other)]
    assert results[0] == results[1] and results[0][0].ok
    assert live.app_hash() == other.app_hash()
    assert _dump(other)[0].chunks != manifest.chunks


def test_two_nodes_dump_the_same_bytes_however_they_got_there() -> None:
    live, restored = _machine(), Machine(make_genesis(schema=2))
    restored.restore(*_dump(live))
    assert _dump(live) == _dump(restored) == _dump(_machine())


def test_a_snapshot_is_fixed_when_it_is_taken() -> None:
    machine = _machine()
    expected = _dump(machine)
    snapshot = machine.snapshot()
    act = ALPHA.transaction("evidence.anchor", anchor_payload(None), 1).to_bytes()
    assert machine.execute_block(3, START_MS + 3, [act])[0].ok
    assert _dump(machine) == expected, "a block in flight is no part of it"
    machine.commit()
    assert _dump(machine) != expected
    chunks = list(snapshot.chunks(100))
    assert (snapshot.manifest(map(chunk_digest, chunks)), chunks) == expected


def test_one_bad_chunk_is_refused_and_named_and_nothing_changes() -> None:
    manifest, chunks = _dump(_machine())
    target = Machine(make_genesis(schema=2))
    before = target.app_hash()
    for index, chunk in enumerate(chunks):
        for bad in (chunk[:-1], chunk + b"\0", bytes([chunk[0] ^ 1]) + chunk[1:], b""):
            with pytest.raises(VerificationError, match=rf"snapshot_chunk_invalid: Chunk {index} "):
                check_chunk(manifest, index, bad)
    chunks[2] = chunks[2][::-1]
    with pytest.raises(VerificationError, match="Chunk 2 "):
        target.restore(manifest, chunks)
    assert target.app_hash() == before and target.height == 0
    with pytest.raises(VerificationError, match=f"Chunk {len(chunks)} "):
        check_chunk(manifest, len(chunks), b"")


def _lies(manifest: SnapshotManifest, chunks: list[bytes]) -> Iterator[tuple[str, dict[str, Any], list[bytes]]]:
    """Manifests that fit their chunks, but not the application hash or not the form."""
    whole = b"".join(chunks)
    altered = whole.replace(b'"phase":"running"', b'"phase":"stopped"')
    assert altered != whole
    cut, spaced = whole[:-3], whole.replace(b'"phase":"running"', b'"phase": "running"')
    yield "snapshot_root_mismatch", {}, [altered]
    yield "snapshot_invalid", {}, [cut]
    yield "snapshot_invalid|json_malformed", {}, [spaced]
    yield "snapshot_root_mismatch|snapshot_invalid", {"log_size": manifest.log_size - 1}, [whole]
    yield "snapshot_root_mismatch|snapshot_invalid|json_malformed", {"log_size": manifest.log_size + 1}, [whole]
    yield "snapshot_invalid", {"entries": manifest.entries + 1}, [whole]
    yield "snapshot_root_mismatch", {"schema_version": 1}, [whole]
    yield "snapshot_root_mismatch", {"app_hash": b"x" * 32}, [whole]
    yield "snapshot_foreign", {"chain_id": "other-chain"}, [whole]
    yield "snapshot_invalid", {}, [whole, b"\xff\xff\xff\xff" + b"x" * 20]
    yield "snapshot_invalid|snapshot_root_mismatch", {}, []


def test_a_lying_manifest_is_refused_at_the_root() -> None:
    manifest, chunks = _dump(_machine())
    target = Machine(make_genesis(schema=2))
    for code, changes, lie in _lies(manifest, chunks):
        digests = tuple(chunk_digest(chunk) for chunk in lie)
        liar = manifest.model_copy(update={"chunks": digests} | changes)
        with pytest.raises((VerificationError, FormatError)) as refusal:
            target.restore(liar, lie)
        assert refusal.value.code in code.split("|"), code
        assert target.height == 0
    target.restore(manifest, chunks)


def _entries(manifest: SnapshotManifest, chunks: list[bytes]) -> list[bytes]:
    data, found = b"".join(chunks), []
    while data:
        end = 4 + int.from_bytes(data[:4], "big")
        found.append(data[:end])
        data = data[end:]
    assert len(found) == manifest.log_size + manifest.entries
    return found


@pytest.mark.parametrize("fault", ["order", "twice", "tail", "unasked-chunk"])
@pytest.mark.parametrize("schema", [1, 2])
def test_a_dump_that_is_not_the_one_of_its_state_is_refused_though_root_and_numbers_are_right(
    schema: int, fault: str
) -> None:
    """LED-8: byte-identical on every node; the root says nothing of order, nor of what stands beside the entries."""
    manifest, chunks = _dump(_machine(schema), 10**6)
    entries = _entries(manifest, chunks)
    if fault == "order":
        entries[-2:] = entries[:-3:-1]
    elif fault == "twice":
        entries.append(entries[-1])
        manifest = manifest.model_copy(update={"entries": manifest.entries + 1})
    data = b"".join(entries) + (b"\0\0\0" if fault == "tail" else b"")
    digests = [chunk_digest(data), chunk_digest(b"")] if fault == "unasked-chunk" else [chunk_digest(data)]
    target = Machine(make_genesis(schema=schema))
    before = target.app_hash()
    with pytest.raises(FormatError, match="snapshot_invalid"):
        target.restore(manifest.model_copy(update={"chunks": tuple(digests)}), [data])
    assert target.app_hash() == before


def test_a_snapshot_that_is_refused_at_the_end_changes_nothing() -> None:
    manifest, chunks = _dump(_machine())
    target = Machine(make_genesis(schema=2))
    before = target.app_hash()

    def refuse(state: StateView) -> None:
        assert state.get("network") is not None
        raise VerificationError("snapshot_signers_mismatch", "Not these.")

    with pytest.raises(VerificationError, match="snapshot_signers_mismatch"):
        target.restore(manifest, chunks, refuse)
    assert (target.height, target.app_hash()) == (0, before)
