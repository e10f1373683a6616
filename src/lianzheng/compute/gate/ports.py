"""What the gate needs from outside besides the durable count of uses (``compute.ports``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from lianzheng.compute.gate.model import Evaluation, GateRequest
from lianzheng.compute.gate.work import Element, EvaluationWork, TokenWork
from lianzheng.crypto.hazmat.bls12381 import G1
from lianzheng.errors import LianzhengError
from lianzheng.limits import MESSAGE_BYTES_MAX

__all__ = ["GateWorkers", "RateLimit", "RevokedSet", "Transport", "UseLog", "ViewKey", "ViewKeys"]


@dataclass(frozen=True, slots=True, repr=False)
class ViewKey:
    """The OPRF key of one view in one epoch, with its public point."""

    scalar: int
    point: G1


class ViewKeys(Protocol):
    """Keys of this node's own open epochs."""

    def get(self, view: str, epoch: int) -> ViewKey | None:
        """The key while the epoch answers; None before it begins and after it ends."""


class RevokedSet(Protocol):
    """Consents whose signed revocation this node has verified, in a block or not (AUTH-4)."""

    async def is_refused(self, cid: bytes) -> bool:
        """Whether the consent must be refused from now on."""


class RateLimit(Protocol):
    """The peer's share of this node's work (GATE-1)."""

    def take(self, peer: str) -> bool:
        """Take one request of ``peer`` if its allowance holds."""


class GateWorkers(Protocol):
    """Who does the curve work of requests. Each list answers its argument in order."""

    lanes: int
    """Groups of works that it can do side by side."""

    async def verify(self, works: Sequence[TokenWork]) -> list[Element]:
        """GATE-6 and GATE-7. Raises ``UnavailableError`` ``gate_workers_lost``."""

    async def evaluate(self, works: Sequence[EvaluationWork]) -> list[Evaluation]:
        """GATE-9. Raises ``UnavailableError`` ``gate_workers_lost``."""


class UseLog(Protocol):
    """The provider's log: who asked for what, when; it cannot say about whom, because the node does not know."""

    def answered(self, peer: str, request: GateRequest) -> None: ...

    def refused(self, peer: str, request: GateRequest, error: LianzhengError) -> None: ...


class Transport(Protocol):
    """Bytes to a member's peer API over mutual TLS."""

    async def post_bytes(self, did: str, path: str, body: bytes, size_max: int = MESSAGE_BYTES_MAX) -> bytes:
        """Answer of the peer, at most ``size_max`` bytes of it.

        Raises ``UnavailableError`` ``peer_unreachable``, or the peer's own refusal.
        """

    async def get_bytes(self, did: str, path: str) -> bytes:
        """As :meth:`post_bytes`, for a GET."""
