"""The signed promise by which a record is acknowledged (EV-3).

signed bytes = tag ``evidence-promise`` ‖ JCS(body)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from lianzheng.crypto import ed25519
from lianzheng.crypto.digest import sha256_raw, sm3_raw
from lianzheng.encoding.binary import b64u_encode
from lianzheng.encoding.canonical import encode_known
from lianzheng.encoding.framing import tagged
from lianzheng.encoding.model import Bytes32, Bytes64, Record, TimeMs
from lianzheng.errors import VerificationError
from lianzheng.evidence.model.record import EvidenceRecord, LeafPair, leaves_of
from lianzheng.ids import ChainId, Did, KeyId
from lianzheng.limits import CLOCK_SKEW_MS, PROMISE_MS

__all__ = ["Acknowledgement", "Promise", "PromiseBody", "Promiser", "promise_bytes"]


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

    def verify_for(self, document: bytes, chain_id: str, now_ms: int) -> None:
        """The record holds what was handed in, and its anchor is owed on this chain within the minute (EV-3).

        Of a promise that holds (:meth:`verify`); without this it may be about anything, due in a hundred years.
        Raises ``VerificationError``: ``promise_document_missing``, ``promise_chain_wrong``, ``promise_due_late``.
        """
        body, digests = self.promise.body, (sha256_raw(document), sm3_raw(document))
        if digests not in [(one.sha256, one.sm3) for one in self.record.documents]:
            raise VerificationError(
                "promise_document_missing", "The record that is promised does not hold what was handed in."
            )
        if body.chain_id != chain_id:
            raise VerificationError("promise_chain_wrong", "The promise is for another network.")
        if body.due_ms > now_ms + PROMISE_MS + CLOCK_SKEW_MS:
            raise VerificationError(
                "promise_due_late", "The promise is due later than a minute from now.", next_step="Check your clock."
            )


def promise_bytes(body: PromiseBody) -> bytes:
    """The bytes that the member's node key signs."""
    return tagged("evidence-promise", body.to_bytes())


@dataclass(frozen=True, slots=True)
class Promiser:
    """Writes one member's promises: byte for byte those of :class:`Promise`, without a typed value for each."""

    chain_id: str
    member: str
    key_id: str

    def body(self, sha256: bytes, sm3: bytes, due_ms: int) -> bytes:
        """Canonical bytes of a :class:`PromiseBody`."""
        return encode_known(
            {
                "chain_id": self.chain_id,
                "due_ms": due_ms,
                "key_id": self.key_id,
                "leaves": {"sha256": b64u_encode(sha256), "sm3": b64u_encode(sm3)},
                "member": self.member,
                "v": 1,
            }
        )

    def signed(self, body: bytes, sign: Callable[[bytes], bytes]) -> bytes:
        """Canonical bytes of the :class:`Promise` with ``body``, signed by ``sign``."""
        signature = b64u_encode(sign(tagged("evidence-promise", body)))
        # ``body`` sorts before ``sig`` and is canonical already (RFC 8785).
        return b'{"body":' + body + b',"sig":"' + signature.encode("ascii") + b'"}'
