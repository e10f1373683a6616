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

_TRIES = 50
_TRY_S = 1 / 10


class AgreedLedger:
    """``StateView`` and ``MembersView`` over entries that all the nodes asked have given alike."""

    def __init__(self, entries: dict[str, JsonObject], genesis_time_ms: int, block_time_ms: int) -> None:
        self._entries = entries
        self.genesis_time_ms = genesis_time_ms
        self.block_time_ms = block_time_ms

    @classmethod
    async def read(cls, nodes: Sequence[NodeClient], prefixes: Iterable[str]) -> AgreedLedger:
        """Everything under these prefixes.

        The block time is the middle one of those told: nodes differ by a block or two, and no single one decides.
        Raises ``VerificationError`` ``ledger_views_differ``, ``ledger_view_cut``, or what a node answers.
        """
        entries: dict[str, JsonObject] = {}
        for prefix in prefixes:
            answers = await asyncio.gather(*(node.get("/api/v1/ledger/entries", prefix=prefix) for node in nodes))
            if any(answer != answers[0] for answer in answers):
                raise _differ()
            if answers[0]["truncated"]:
                raise VerificationError("ledger_view_cut", "A node gives only a part of the entries asked for.")
            entries |= {item["key"]: item["value"] for item in answers[0]["entries"]}
        networks = await asyncio.gather(*(node.get("/api/v1/network") for node in nodes))
        if len({(one["genesis_digest"], one["genesis_time_ms"]) for one in networks}) > 1:
            raise _differ()
        times = sorted(one["block_time_ms"] for one in networks)
        return cls(entries, networks[0]["genesis_time_ms"], times[(len(times) - 1) // 2])

    @classmethod
    async def read_patiently(cls, nodes: Sequence[NodeClient], prefixes: Iterable[str]) -> AgreedLedger:
        """As :meth:`read`, where a follower may be a block or two behind: tried again for five seconds."""
        wanted = tuple(prefixes)
        for _ in range(_TRIES):
            try:
                return await cls.read(nodes, wanted)
            except VerificationError as error:
                if error.code != "ledger_views_differ":
                    raise
                await asyncio.sleep(_TRY_S)
        return await cls.read(nodes, wanted)

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


def _differ() -> VerificationError:
    return VerificationError(
        "ledger_views_differ",
        "The members' nodes do not give the same ledger entries.",
        next_step="Try again when all of them have caught up.",
    )
