"""The suite's script through a real CometBFT: the same results, and a state that the blocks alone give back.

Block times are the machine's own here, so the acts are dated by it; apart from this the script is the suite's.
"""

from __future__ import annotations

from pathlib import Path

from comet_kit import Cluster, Member, needs_engine
from conformance_script import PEOPLE, dated_script
from engines_kit import Recorded, replay
from lianzheng.adapters.consensus.cometbft import CometEngine
from lianzheng.encoding.canonical import decode
from lianzheng.ledger.genesis import Genesis
from lianzheng.ledger.proofs import verify_consistency, verify_inclusion, verify_state

pytestmark = needs_engine
VALIDATOR = Member("validator")


def recorded(engine: CometEngine) -> list[Recorded]:
    """What the node keeps on disk."""
    return [
        Recorded(
            block.height,
            block.time_ms,
            tuple(block.wire_transactions()),
            tuple((one["code"], one["data"]) for one in decode(block.results)),
            block.app_hash,
        )
        for block in engine._chain.store.blocks_above(0)
    ]


async def run(engine: CometEngine, now_ms: int) -> None:
    for act, code in dated_script(now_ms):
        receipt = await engine.submit(act)
        assert receipt.result.code == code


async def check_proofs(engine: CometEngine) -> None:
    for key in (f"member/{PEOPLE[0].did}", "member/nobody"):
        proof = await engine.prove_state(key)
        assert proof.value == engine.state.get(key)
        verify_state(key, proof.value, proof.path, proof.state_root)
    log = await engine.prove_log(11)
    verify_inclusion(log.entry, 11, log.log_size, log.path, log.log_root)
    tree = engine._application.log
    growth = await engine.prove_consistency(5)
    verify_consistency(5, growth.log_size, tree.root(5), growth.log_root, growth.path)


async def test_results_hashes_restart_and_proofs(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, (VALIDATOR,), founders=(*PEOPLE, VALIDATOR), schema=2)
    genesis: Genesis = cluster.genesis
    (engine,) = await cluster.start()
    try:
        await run(engine, cluster.clock.now_ms())
        await check_proofs(engine)
        blocks, status = recorded(engine), engine.status()
        accepted = sum(result[0] == "ok" for block in blocks for result in block.results)
        assert accepted == sum(code == "ok" for _, code in dated_script(0))
        rebuilt = replay(genesis, blocks)
        assert rebuilt.app_hash() == status.app_hash
        assert dict(rebuilt.state.scan("")) == dict(engine.state.scan(""))
    finally:
        await cluster.stop()
    again = cluster.engine(VALIDATOR)
    await again.start()
    try:
        assert recorded(again)[: len(blocks)] == blocks
        assert again.state.get("network") == engine.state.get("network")
        await check_proofs(again)
    finally:
        await again.stop()
