"""Messages of the gate and the usage receipt they make together (GATE-1, GATE-8..10, B25, B26).

Request hash:   SHA-256(tag ``gate-request`` ‖ JCS(request without ``signature``))
Signed request: tag ``gate-request-signature`` ‖ request hash
Signed answer:  tag ``gate-answer-signature`` ‖ JCS(answer without ``signature``)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints

from lianzheng.crypto.digest import sha256
from lianzheng.encoding.canonical import encode
from lianzheng.encoding.framing import tagged
from lianzheng.encoding.model import Bytes, Bytes32, Bytes48, Bytes64, Natural, Record, Seq, TimeMs
from lianzheng.errors import (
    ConflictError,
    FormatError,
    LianzhengError,
    NotFoundError,
    RefusedError,
    UnavailableError,
    VerificationError,
)
from lianzheng.ids import ChainId, Did, KeyId, ViewId
from lianzheng.limits import GATE_BATCH_MAX, QUERY_VIEWS_MAX

__all__ = [
    "Evaluation",
    "GateAnswer",
    "GateAnswered",
    "GateBatch",
    "GateBatchAnswer",
    "GateCall",
    "GateRefusal",
    "GateRequest",
    "UsageReceipt",
    "ViewEpoch",
    "answer_signing_bytes",
    "batch_answer",
    "request_hash",
    "request_signing_bytes",
    "use_leaf",
]


class ViewEpoch(Record):
    """One view in one of its epochs: what one use buys."""

    view: ViewId
    epoch: Natural


class GateRequest(Record):
    """What the requester signs: this consent, this task, these views, now. It names no person."""

    v: Literal[1] = 1
    chain_id: ChainId
    requester: Did
    key_id: KeyId
    provider: Did
    task: Bytes32
    cid: Bytes32
    views: Annotated[tuple[ViewEpoch, ...], Seq, Field(min_length=1, max_length=QUERY_VIEWS_MAX)]
    nonce: Bytes32
    time_ms: TimeMs
    signature: Bytes64


class GateCall(Record):
    """The request together with the token it rests on; the token stays out of the receipt."""

    request: GateRequest
    token: Bytes


class Evaluation(Record):
    """``w = k·B`` for one view, with its DLEQ proof (GATE-9)."""

    view: ViewId
    epoch: Natural
    w: Bytes48
    proof: Bytes64


class GateAnswer(Record):
    """What the provider signs in return; ``task_salt`` is its salt for the report of this task (B26)."""

    v: Literal[1] = 1
    chain_id: ChainId
    provider: Did
    key_id: KeyId
    request: Bytes32
    task: Bytes32
    cid: Bytes32
    evaluations: Annotated[tuple[Evaluation, ...], Seq]
    task_salt: Bytes32
    time_ms: TimeMs
    signature: Bytes64


class GateBatch(Record):
    """Calls asked together; each entry is the bytes of a :class:`GateCall`, and stands for itself alone (EQ-1)."""

    calls: Annotated[tuple[Bytes, ...], Seq, Field(min_length=1, max_length=GATE_BATCH_MAX)]


class GateAnswered(Record):
    """A call of a batch that was answered: the bytes of its :class:`GateAnswer`, the same as alone."""

    answer: Bytes


class GateRefusal(Record):
    """A call of a batch that was refused: what the problem+json would have said of it alone (RFC 9457)."""

    code: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
    status: Annotated[int, Field(ge=400, le=599)]
    title: Annotated[str, StringConstraints(max_length=1000)]
    next_step: Annotated[str, StringConstraints(max_length=1000)]

    @classmethod
    def of(cls, error: LianzhengError) -> Self:
        """The error as it leaves the node: without its internal detail."""
        return cls(code=error.code, status=error.status, title=error.text[:1000], next_step=error.next_step[:1000])

    def error(self) -> LianzhengError:
        """The error that it came from, as far as it was told."""
        kind = _KINDS.get(self.status, UnavailableError)
        return kind(self.code, self.title, next_step=self.next_step)


_KINDS: dict[int, type[LianzhengError]] = {
    kind.status: kind
    for kind in (FormatError, VerificationError, RefusedError, NotFoundError, ConflictError, UnavailableError)
}


class GateBatchAnswer(Record):
    """One entry for each call, in the order of the calls."""

    answers: Annotated[tuple[GateAnswered | GateRefusal, ...], Seq, Field(max_length=GATE_BATCH_MAX)]


class UsageReceipt(Record):
    """Request and answer: together they prove one use to both sides (GATE-10)."""

    request: GateRequest
    answer: GateAnswer


def batch_answer(outcomes: Sequence[bytes | LianzhengError]) -> GateBatchAnswer:
    """The outcomes of a batch as they travel."""
    return GateBatchAnswer(
        answers=tuple(
            GateRefusal.of(outcome) if isinstance(outcome, LianzhengError) else GateAnswered(answer=outcome)
            for outcome in outcomes
        )
    )


def request_hash(request: GateRequest) -> bytes:
    """32 bytes naming the request; the DLEQ transcript and the answer bind it (B25)."""
    return sha256("gate-request", _without_signature(request))


def request_signing_bytes(request: GateRequest) -> bytes:
    """What the requester's key signs."""
    return tagged("gate-request-signature", request_hash(request))


def answer_signing_bytes(answer: GateAnswer) -> bytes:
    """What the provider's key signs."""
    return tagged("gate-answer-signature", _without_signature(answer))


def use_leaf(task_salt: bytes, cid: bytes) -> bytes:
    """Entry of the report's Merkle tree: ``H(tag ‖ task salt ‖ cid)`` (GATE-10, B26)."""
    return sha256("use", task_salt, cid)


def _without_signature(message: GateRequest | GateAnswer) -> bytes:
    return encode({key: value for key, value in message.to_json().items() if key != "signature"})
