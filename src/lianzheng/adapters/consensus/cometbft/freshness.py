"""Whether this node's head is recent enough to answer on, under a Byzantine-fault-tolerant engine (GATE-4).

A statement counts only with a valid commit for its height; one without is ignored and reported by the member's name.
Members whose statements count must hold, together with this one, more than 2/3 of the voting power.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from lianzheng.adapters.consensus.faults import ledger_stale
from lianzheng.clock import Clock
from lianzheng.errors import LianzhengError, VerificationError
from lianzheng.ledger.cometbft import CometStatement, verify_comet_statement
from lianzheng.ledger.cometbft.verify import signed_power
from lianzheng.limits import HEAD_FRESH_MS

__all__ = ["CometFreshness", "Ring", "StatementSource"]

_COMMIT_S = 10
"""GATE-4: a commit that is not there within this does not count."""


class StatementSource(Protocol):
    """Any member's node, asked how far it is."""

    async def comet_statement(self, nonce: bytes) -> CometStatement:
        """Its signed answer with the commit for its height. Raises ``UnavailableError``."""


@dataclass(frozen=True, slots=True)
class Ring:
    """Who is asked, as this node's head says it."""

    keys: Mapping[str, bytes]
    """Validator key of each member that runs one, by DID."""
    powers: Mapping[bytes, int]
    """Power by validator key."""
    node_keys: Mapping[str, bytes]
    """Key of each member's ``#node``, by DID."""

    def power_of(self, did: str) -> int:
        """Power of a member's validator, 0 without one."""
        return self.powers.get(self.keys.get(did, b""), 0)

    @property
    def total(self) -> int:
        """The whole voting power."""
        return sum(self.powers.values())


class CometFreshness:
    """The last round that more than 2/3 answered, and the highest height that counted."""

    def __init__(self, clock: Clock, chain_id: str, did: str, source: Callable[[str], StatementSource]) -> None:
        self._clock = clock
        self._chain_id = chain_id
        self._did = did
        self._source = source
        self._asked_ms: int | None = None
        self.required_height = 0
        self.trouble: dict[str, str] = {}
        """Reason code by DID of each member whose last answer did not count."""

    async def ask(self, ring: Ring) -> bool:
        """Ask every other validator's node once; whether those that count suffice."""
        asked_ms = self._clock.boot_ms()
        others = [did for did in ring.keys if did != self._did]
        heights = await asyncio.gather(*(self._ask_one(did, ring) for did in others))
        answered = {did: height for did, height in zip(others, heights, strict=True) if height is not None}
        self.required_height = max([self.required_height, *answered.values()])
        power = ring.power_of(self._did) + sum(map(ring.power_of, answered))
        if 3 * power <= 2 * ring.total:
            return False
        self._asked_ms = asked_ms if self._asked_ms is None else max(asked_ms, self._asked_ms)
        return True

    def check(self, height: int) -> None:
        """Return only if enough members answered a nonce of the last 60 s and ``height`` is not below what they showed.

        The 60 s run from *sending*, by a clock that counts while suspended. Raises ``UnavailableError``
        ``ledger_stale``.
        """
        if self._asked_ms is None or self._clock.boot_ms() - self._asked_ms > HEAD_FRESH_MS:
            raise ledger_stale("Members with more than 2/3 of the power have not confirmed a head in the last minute.")
        if height < self.required_height:
            raise ledger_stale("This node has not yet reached the head that another member showed.")

    async def _ask_one(self, did: str, ring: Ring) -> int | None:
        """The height that this member proved, or None; why not is noted under its name."""
        nonce = os.urandom(32)
        try:
            async with asyncio.timeout(_COMMIT_S):
                answer = await self._source(did).comet_statement(nonce)
            verify_comet_statement(answer, self._chain_id, nonce, did, ring.node_keys[did])
            if answer.head is not None and 3 * signed_power(answer.head, ring.powers) <= 2 * ring.total:
                raise VerificationError(
                    "commit_power_insufficient", "A commit is not signed by validators that this node knows."
                )
        except TimeoutError:
            self.trouble[did] = "peer_unreachable"
            return None
        except LianzhengError as error:
            self.trouble[did] = error.code
            return None
        self.trouble.pop(did, None)
        return answer.statement.height
