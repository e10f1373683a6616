"""An engine that says it has no consensus any more, while its process lives on."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from lianzheng.adapters.consensus.cometbft.supervisor import ENGINE_VERSION, EngineProcess

WRONG = "wrong Block.Header.AppHash.  Expected 35F2, got 92D2"
PREVOTE = f'{{"_msg":"prevote step: consensus deems this block invalid; prevoting nil","err":"{WRONG}"}}'
PANIC = '{"_msg":"CONSENSUS FAILURE!!!","err":"failed to write msg to consensus WAL due to no space left on device"}'
PANIC_OTHER = f'{{"_msg":"CONSENSUS FAILURE!!!","err":"precommit step; +2/3 prevoted for an invalid block: {WRONG}"}}'
CATCHING_UP = f'{{"_msg":"Error in validation","height":14,"err":"{WRONG}"}}'


def program(folder: Path, *lines: str) -> Path:
    """Says these lines when started, and lives on."""
    path = folder / "engine"
    said = "\n".join(f"echo '{line}'" for line in lines)
    path.write_text(
        f'#!/bin/sh\nif [ "$1" = version ]; then echo {ENGINE_VERSION}; exit; fi\n{said}\nexec tail -f /dev/null\n'
    )
    path.chmod(0o700)
    return path


async def test_an_engine_without_consensus_is_started_again(tmp_path: Path) -> None:
    """A wrong proposal alone is the proposer's fault: only what ended consensus, or was signed by 2/3, counts."""
    diverged: list[bool] = []
    process = EngineProcess(program(tmp_path, PREVOTE, PANIC), tmp_path, lambda: diverged.append(True))
    await process.start()
    try:
        async with asyncio.timeout(60):
            while process.restarts < 2:
                await asyncio.sleep(0.01)
    finally:
        await process.stop()
    assert diverged == []
    assert process.pid is None


@pytest.mark.parametrize("line", [PANIC_OTHER, CATCHING_UP])
async def test_a_state_that_the_others_do_not_share_is_reported_and_the_engine_ends(tmp_path: Path, line: str) -> None:
    told = asyncio.Event()

    def diverged() -> None:
        process.give_up()
        told.set()

    process = EngineProcess(program(tmp_path, line), tmp_path, diverged)
    await process.start()
    try:
        async with asyncio.timeout(60):
            await told.wait()
            while process.pid is not None:
                await asyncio.sleep(0.01)
    finally:
        await process.stop()
    assert process.restarts == 0
