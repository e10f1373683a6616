"""Which changes of signers stand beside a snapshot: every one that a joining node could not learn any more (EV-4)."""

from __future__ import annotations

from pathlib import Path

import pytest

from comet_kit import BINARY, MEMBERS, comet_genesis, make_head, ordered
from lianzheng.adapters.consensus.cometbft import CometEngine, CometFiles
from lianzheng.adapters.consensus.cometbft.prover import CometProver
from lianzheng.adapters.consensus.cometbft.rpc import CometRpc
from lianzheng.adapters.consensus.cometbft.store import AppliedBlock
from lianzheng.clock import ManualClock
from lianzheng.contracts.machine import Machine
from lianzheng.governance.validators import validator_powers
from lianzheng.node.engines import ring_of

START_MS = 1_790_000_000_000


@pytest.mark.parametrize(("snapshot", "expected"), [(3, []), (4, [4]), (5, [4])])
async def test_a_change_in_the_header_of_the_snapshots_own_block_is_among_them(
    tmp_path: Path, snapshot: int, expected: list[int]
) -> None:
    """Block 3 changes the validators, so the header of 4 names them and that of 5 is the first that they sign.

    Whoever begins with the snapshot of 4 executes 5 and later ones: it never sees that change by itself.
    """
    genesis, member = comet_genesis(), MEMBERS[0]
    engine = CometEngine(
        Machine(genesis),
        genesis,
        CometFiles(BINARY, tmp_path, tmp_path / "ledger.db", tmp_path / "height"),
        validator_powers,
        ring_of,
        ManualClock(START_MS),
        did=member.did,
        sign=member.sign,
        source=lambda did: pytest.fail(f"nobody asks {did}"),
    )
    chain = engine._chain
    await chain.open()
    try:
        for height in range(1, 7):
            block = AppliedBlock(height, START_MS + height, b"h" * 32, chain.application_hash, b"", b"[]", b"[]")
            await chain.store.append(block, [], height == 3)
        validators = ordered(validator_powers(chain.application.committed_state))
        head = make_head(MEMBERS, validators, height=4, following=validators[:2])
        await chain.store.keep_signer_change(4, head.to_bytes())
        engine._prover = CometProver(chain, CometRpc("tcp://127.0.0.1:1"))
        assert [one.header.height for one in await engine._signer_changes(snapshot)] == expected
    finally:
        await chain.close()
