"""The signed promise by which a record is acknowledged (EV-3).

signed bytes = tag ``evidence-promise`` ‖ JCS(body)
"""

from __future__ import annotations

from typing import Literal

from lianzheng.crypto import ed25519
from lianzheng.encoding.framing import tagged
from lianzheng.encoding.model import Bytes32, Bytes64, Record, TimeMs
from lianzheng.errors import VerificationError
from lianzheng.evidence.model.record import EvidenceRecord, LeafPair, leaves_of
from lianzheng.ids import ChainId, Did, KeyId

__all__ = ["Acknowledgement", "Promise", "PromiseBody", "promise_bytes"]


class PromiseBody(Record):
    """The member owes an anchor of these leaves in a block of at most ``due_ms`` or one of the first three after it."""

    v: Literal[1] = 1
    chain_id: ChainId
    member: Did
    key_id: KeyId
    leaves: LeafPair
    due_ms: TimeMs
    """The node's clock at acknowledgement + 60 s."""


class Promise(Record):
    """Body and the Ed25519 signature of the member's node key."""

    body: PromiseBody
    sig: Bytes64

    def verify(self, node_key: bytes) -> None:
        """The signature holds under ``node_key``. Raises ``VerificationError`` ``signature_invalid``."""
        ed25519.verify(node_key, promise_bytes(self.body), self.sig)


class Acknowledgement(Record):
    """What the person concerned keeps: record, salt and promise."""

    record: EvidenceRecord
    salt: Bytes32
    promise: Promise

    def verify(self, node_key: bytes) -> None:
        """The promise is signed and is about this record. Raises ``signature_invalid``, ``promise_leaf_mismatch``."""
        self.promise.verify(node_key)
        body = self.promise.body
        if leaves_of(self.record, self.salt) != body.leaves or self.record.institution != body.member:
            raise VerificationError(
                "promise_leaf_mismatch", "The promise is about another record than the one beside it."
            )


def promise_bytes(body: PromiseBody) -> bytes:
    """The bytes that the member's node key signs."""
    return tagged("evidence-promise", body.to_bytes())
