"""The ledger as a wallet sees it: read at several members' nodes, and used only where they agree.

Until state proofs exist (schema 2) agreement of nodes of different members is what a wallet without a node has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence

from lianzheng.client.http import NodeClient
from lianzheng.encoding.canonical import JsonObject
from lianzheng.errors import VerificationError
from lianzheng.ledger.context import MemberView

__all__ = ["AgreedLedger"]


class AgreedLedger:
    """``StateView`` and ``MembersView`` over entries that all the nodes asked have given alike."""

    def __init__(self, entries: dict[str, JsonObject], genesis_time_ms: int, block_time_ms: int) -> None:
        self._entries = entries
        self.genesis_time_ms = genesis_time_ms
        self.block_time_ms = block_time_ms

    @classmethod
    async def read(cls, nodes: Sequence[NodeClient], prefixes: Iterable[str]) -> AgreedLedger:
        """Everything under these prefixes. Raises ``VerificationError`` ``ledger_views_differ``, or of the nodes."""
        entries: dict[str, JsonObject] = {}
        for prefix in prefixes:
            answers = await asyncio.gather(*(node.get("/api/v1/ledger/entries", prefix=prefix) for node in nodes))
            if any(answer != answers[0] for answer in answers) or answers[0]["truncated"]:
                raise VerificationError(
                    "ledger_views_differ",
                    "The members' nodes do not give the same ledger entries.",
                    next_step="Try again when all of them have caught up.",
                )
            entries |= {item["key"]: item["value"] for item in answers[0]["entries"]}
        network = await nodes[0].get("/api/v1/network")
        return cls(entries, network["genesis_time_ms"], network["block_time_ms"])

    def view(self) -> AgreedMembers:
        """The member set."""
        return AgreedMembers(self)

    def get(self, key: str) -> JsonObject | None:
        """``StateView``: the value at ``key``, or None."""
        return self._entries.get(key)

    def scan(self, prefix: str) -> Iterator[tuple[str, JsonObject]]:
        """``StateView``: entries under ``prefix``, in order."""
        return ((key, self._entries[key]) for key in sorted(self._entries) if key.startswith(prefix))


class AgreedMembers:
    """``MembersView`` of an :class:`AgreedLedger`."""

    def __init__(self, ledger: AgreedLedger) -> None:
        self._ledger = ledger

    def get(self, did: str) -> MemberView | None:
        """The member with this DID, or None."""
        value = self._ledger.get(f"member/{did}")
        return None if value is None else MemberView(did, value["phase"], value["control_group"])

    def all(self) -> tuple[MemberView, ...]:
        """Every member, in the order of DIDs."""
        return tuple(
            MemberView(value["did"], value["phase"], value["control_group"])
            for _, value in self._ledger.scan("member/")
        )
