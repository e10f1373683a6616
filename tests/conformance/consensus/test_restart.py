"""Restarting the embedded engine: checkpoints, block deltas, and what happens where they are damaged (LED-8, LED-9)."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger_kit import BETA, GAMMA, START_MS, anchor_payload, make_genesis, make_sequencer, update_payload
from lianzheng.adapters.consensus.embedded import EmbeddedSequencer
from lianzheng.clock import ManualClock
from lianzheng.contracts.machine import Machine
from lianzheng.errors import UnavailableError
from lianzheng.ledger.ports import EngineStatus, TxResult


class Counting(Machine):
    """Counts the blocks that are executed, as against taken over from a checkpoint or a delta."""

    executed = 0

    def execute_block(self, height: int, time_ms: int, transactions: list[bytes]) -> list[TxResult]:
        self.executed += 1
        return super().execute_block(height, time_ms, transactions)


def _engine(folder: Path, schema: int = 2, checkpoint_writes: int = 10**9) -> tuple[EmbeddedSequencer, Counting]:
    genesis = make_genesis(schema=schema)
    machine = Counting(genesis)
    engine = make_sequencer(folder, ManualClock(START_MS + 1), genesis, machine=machine)
    engine._chain.checkpoint_writes = checkpoint_writes
    return engine, machine


async def _send(engine: EmbeddedSequencer, first: int, last: int) -> None:
    for nonce in range(first, last):
        assert (await engine.submit(BETA.transaction("member.update", update_payload(nonce, "beta"), nonce))).result.ok


async def _make(folder: Path, schema: int = 2, checkpoint_writes: int = 10**9) -> EngineStatus:
    """Twelve blocks, one with an anchor; the status at the end."""
    engine, _ = _engine(folder, schema, checkpoint_writes)
    await engine.start()
    await _send(engine, 1, 6)
    await engine.submit(GAMMA.transaction("evidence.anchor", anchor_payload(None), 1))
    await _send(engine, 6, 12)
    status = engine.status()
    await engine.stop()
    return status


def _checkpoints(folder: Path) -> list[int]:
    return sorted(int(path.name) for path in (folder / "ledger.sqlite.checkpoints").glob("0*"))


def _deltas(folder: Path) -> list[int]:
    with sqlite3.connect(folder / "ledger.sqlite") as connection:
        return [row[0] for row in connection.execute("SELECT height FROM deltas ORDER BY height")]


@pytest.mark.parametrize("schema", [1, 2])
async def test_deltas_alone_give_the_state_back_without_executing_anything(tmp_path: Path, schema: int) -> None:
    before = await _make(tmp_path, schema)
    engine, machine = _engine(tmp_path, schema)
    await engine.start()
    assert (engine.status(), machine.executed) == (before, 0)
    await _send(engine, 12, 14)
    await engine.stop()


@pytest.mark.parametrize("schema", [1, 2])
async def test_a_checkpoint_and_the_deltas_after_it_give_the_state_back(tmp_path: Path, schema: int) -> None:
    before = await _make(tmp_path, schema, checkpoint_writes=12)
    (height,) = _checkpoints(tmp_path)
    assert 1 < height <= 12 and min(_deltas(tmp_path), default=height + 1) == height + 1
    engine, machine = _engine(tmp_path, schema)
    await engine.start()
    assert (engine.status(), machine.executed) == (before, 0)
    proof = await engine.prove_log(0)
    assert proof.entry and proof.log_size == 1
    repeat = await engine.submit(BETA.transaction("member.update", update_payload(2, "beta"), 2))
    assert repeat.result.ok and repeat.height == 2, (
        "a repeat of an act from before the checkpoint has its first receipt"
    )
    await _send(engine, 12, 14)
    await engine.stop()


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


DAMAGES: dict[str, Callable[[Path], object]] = {
    "a bit of a chunk": lambda folder: _flip(folder / "000000"),
    "a chunk cut off": lambda folder: (folder / "000000").write_bytes((folder / "000000").read_bytes()[:-1]),
    "a chunk gone": lambda folder: (folder / "000000").unlink(),
    "a bit of the description": lambda folder: _flip(folder / "checkpoint.json"),
    "the description gone": lambda folder: (folder / "checkpoint.json").unlink(),
    "an empty description": lambda folder: (folder / "checkpoint.json").write_bytes(b""),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
async def test_a_damaged_checkpoint_costs_time_and_nothing_else(
    tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    before = await _make(tmp_path, checkpoint_writes=12)
    damage(next((tmp_path / "ledger.sqlite.checkpoints").glob("0*")))
    engine, machine = _engine(tmp_path, checkpoint_writes=12)
    await engine.start()
    status = engine.status()
    assert machine.executed == 12 and (status.height, status.app_hash) == (before.height, before.app_hash)
    assert "checkpoint" in status.warnings[-1] and status.warnings[:-1] == before.warnings
    await _send(engine, 12, 13)
    await engine.stop()
    engine, machine = _engine(tmp_path)
    await engine.start()
    assert machine.executed == 0, "a sound checkpoint has taken the damaged one's place"
    assert len(_checkpoints(tmp_path)) == 1
    await engine.stop()


async def test_a_damaged_delta_is_replaced_by_executing_the_blocks(tmp_path: Path) -> None:
    before = await _make(tmp_path)
    for change in ("CAST(delta || x'00' AS BLOB)", "x''", "(SELECT delta FROM deltas WHERE height = 4)"):
        copy = tmp_path / "copy"
        shutil.copytree(tmp_path, copy, ignore=lambda *_: ["copy"])
        with sqlite3.connect(copy / "ledger.sqlite") as connection:
            connection.execute(f"UPDATE deltas SET delta = {change} WHERE height = 5")  # noqa: S608
        engine, machine = _engine(copy)
        await engine.start()
        assert machine.executed == 12 and engine.status().app_hash == before.app_hash
        await engine.stop()
        shutil.rmtree(copy)


async def test_a_checkpoint_of_another_chain_or_of_blocks_that_are_gone_is_not_used(tmp_path: Path) -> None:
    before = await _make(tmp_path / "a", checkpoint_writes=12)
    engine, _ = _engine(tmp_path / "b", checkpoint_writes=6)
    await engine.start()
    await engine.submit(GAMMA.transaction("evidence.anchor", anchor_payload(None, 7), 1))
    await _send(engine, 1, 4)
    await engine.stop()
    shutil.rmtree(tmp_path / "a" / "ledger.sqlite.checkpoints")
    shutil.copytree(tmp_path / "b" / "ledger.sqlite.checkpoints", tmp_path / "a" / "ledger.sqlite.checkpoints")
    engine, machine = _engine(tmp_path / "a")
    await engine.start()
    assert machine.executed == 12 and engine.status().app_hash == before.app_hash
    await engine.stop()


async def test_an_old_database_below_the_height_file_is_refused_even_beside_a_newer_checkpoint(tmp_path: Path) -> None:
    engine, _ = _engine(tmp_path)
    await engine.start()
    await _send(engine, 1, 4)
    await engine.stop()
    shutil.copy(tmp_path / "ledger.sqlite", tmp_path / "old.sqlite")
    engine, _ = _engine(tmp_path, checkpoint_writes=1)
    await engine.start()
    await _send(engine, 4, 8)
    await engine.stop()
    for end in ("-wal", "-shm"):
        (tmp_path / f"ledger.sqlite{end}").unlink(missing_ok=True)
    shutil.copy(tmp_path / "old.sqlite", tmp_path / "ledger.sqlite")
    engine, _ = _engine(tmp_path)
    with pytest.raises(UnavailableError, match="ledger_rolled_back"):
        await engine.start()


async def test_a_database_from_before_deltas_is_replayed(tmp_path: Path) -> None:
    before = await _make(tmp_path, schema=1)
    with sqlite3.connect(tmp_path / "ledger.sqlite") as connection:
        connection.execute("DROP TABLE deltas")
    engine, machine = _engine(tmp_path, schema=1)
    await engine.start()
    assert (machine.executed, engine.status()) == (12, before)
    await engine.stop()


async def test_a_checkpoint_cut_off_by_a_crash_is_as_if_it_had_not_begun(tmp_path: Path) -> None:
    before = await _make(tmp_path, checkpoint_writes=12)
    folder = tmp_path / "ledger.sqlite.checkpoints"
    (height,) = _checkpoints(tmp_path)
    shutil.copytree(folder / f"{height:012d}", folder / "partial")
    (folder / "partial" / "checkpoint.json").unlink()
    engine, machine = _engine(tmp_path, checkpoint_writes=4)
    await engine.start()
    assert (engine.status(), machine.executed) == (before, 0)
    await _send(engine, 12, 26)
    await engine.stop()
    assert _checkpoints(tmp_path) > [height] and not (folder / "partial").exists()
