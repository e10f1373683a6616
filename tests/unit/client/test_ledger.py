"""A wallet without a node believes what nodes of different members tell alike."""

from __future__ import annotations

from typing import Any, cast

import pytest

from lianzheng.client.http import NodeClient
from lianzheng.client.ledger import AgreedLedger
from lianzheng.errors import UnavailableError, VerificationError

MEMBERS = {
    "member/did:b": {"did": "did:b", "phase": "active", "control_group": "two"},
    "member/did:a": {"did": "did:a", "phase": "suspended", "control_group": "one"},
}


class FakeNode:
    """What one node tells; changeable."""

    def __init__(self, entries: dict[str, Any], block_ms: int = 100, genesis_ms: int = 7, digest: str = "d") -> None:
        self.entries = entries
        self.network = {"genesis_time_ms": genesis_ms, "genesis_digest": digest, "block_time_ms": block_ms}
        self.truncated = False
        self.down = False

    async def get(self, path: str, **params: str) -> Any:
        if self.down:
            raise UnavailableError("node_unreachable", "The node does not answer.")
        if path == "/api/v1/network":
            return self.network
        found = [{"key": key, "value": value} for key, value in sorted(self.entries.items())]
        found = [item for item in found if str(item["key"]).startswith(params["prefix"])]
        return {"entries": found, "truncated": self.truncated}


async def read(nodes: list[FakeNode], *prefixes: str) -> AgreedLedger:
    return await AgreedLedger.read(cast(list[NodeClient], nodes), prefixes or ("member/",))


def three(**changes: Any) -> list[FakeNode]:
    return [FakeNode(dict(MEMBERS), **changes) for _ in range(3)]


async def test_what_all_tell_alike_is_the_ledger() -> None:
    ledger = await read(three(), "member/", "none/")
    assert ledger.get("member/did:a") == MEMBERS["member/did:a"]
    assert ledger.get("member/did:c") is None
    assert [key for key, _ in ledger.scan("member/")] == ["member/did:a", "member/did:b"]
    assert [member.did for member in ledger.view().all()] == ["did:a", "did:b"]
    found = ledger.view().get("did:a")
    assert found is not None
    assert (found.phase, found.control_group) == ("suspended", "one")
    assert ledger.view().get("did:c") is None


@pytest.mark.parametrize("liar", [0, 1, 2])
async def test_one_that_tells_otherwise_is_noticed(liar: int) -> None:
    for key, value in (
        ("member/did:a", MEMBERS["member/did:a"] | {"phase": "active"}),
        ("member/did:z", {"did": "did:z", "phase": "active", "control_group": "three"}),
    ):
        nodes = three()
        nodes[liar].entries[key] = value
        with pytest.raises(VerificationError, match="ledger_views_differ"):
            await read(nodes)
    nodes = three()
    del nodes[liar].entries["member/did:b"]
    with pytest.raises(VerificationError, match="ledger_views_differ"):
        await read(nodes)


@pytest.mark.parametrize("change", [{"genesis_time_ms": 8}, {"genesis_digest": "e"}])
@pytest.mark.parametrize("liar", [0, 2])
async def test_another_genesis_is_noticed(liar: int, change: dict[str, Any]) -> None:
    """Periods of credential keys are counted from genesis: no single node may say when that was."""
    nodes = three()
    nodes[liar].network |= change
    with pytest.raises(VerificationError, match="ledger_views_differ"):
        await read(nodes)


@pytest.mark.parametrize(("times", "told"), [([5, 100, 99], 99), ([10**15, 100, 99], 100), ([1, 2], 1), ([3], 3)])
async def test_no_single_node_moves_the_time(times: list[int], told: int) -> None:
    assert (await read([FakeNode(dict(MEMBERS), block_ms=time) for time in times])).block_time_ms == told


async def test_a_part_is_not_taken_for_the_whole() -> None:
    nodes = three()
    for node in nodes:
        node.truncated = True
    with pytest.raises(VerificationError, match="ledger_view_cut"):
        await read(nodes)


async def test_a_node_that_is_away_is_no_agreement() -> None:
    nodes = three()
    nodes[1].down = True
    with pytest.raises(UnavailableError, match="node_unreachable"):
        await read(nodes)


async def test_a_node_a_block_behind_is_waited_for() -> None:
    """The one that did not know the entry at first knows it at the second look; a lasting difference stays one."""
    nodes = three()
    nodes[1].entries["member/did:b"] = {**MEMBERS["member/did:b"], "phase": "admitted"}
    asked = 0

    class Late(FakeNode):
        async def get(self, path: str, **params: str) -> Any:
            nonlocal asked
            asked += path.endswith("entries")
            if asked > 1:
                self.entries = dict(MEMBERS)
            return await super().get(path, **params)

    late = Late(nodes[1].entries)
    found = await AgreedLedger.read_patiently(cast(list[NodeClient], [nodes[0], late, nodes[2]]), ["member/"])
    assert (found.get("member/did:b"), asked) == (MEMBERS["member/did:b"], 2)


async def test_what_is_not_a_delay_is_not_waited_for() -> None:
    nodes = three()
    for node in nodes:
        node.truncated = True
    with pytest.raises(VerificationError, match="ledger_view_cut"):
        await AgreedLedger.read_patiently(cast(list[NodeClient], nodes), ["member/"])
