"""The envelope of every act on the ledger (LED-2, B5, B6).

Signed bytes:       tag ``transaction``     ‖ JCS(body)
Transaction id:     SHA-256(tag ``transaction-id`` ‖ JCS(body)), never over the signature
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from lianzheng.encoding.framing import tagged
from lianzheng.encoding.model import Bytes64, Natural, Record, TimeMs
from lianzheng.ids import ChainId
from lianzheng.ledger.algorithms import Algorithm
from lianzheng.limits import TRANSACTION_BYTES_MAX

__all__ = [
    "ALGORITHMS_SINCE",
    "Transaction",
    "TransactionBody",
    "TransactionProof",
    "body_bytes",
    "payload_bytes",
    "signing_bytes",
    "transaction_id",
]

ALGORITHMS_SINCE = 3
"""The first schema under which a transaction may be signed with ES256 or SM2-SM3."""
Kind = Annotated[str, StringConstraints(pattern=r"^[a-z]{1,24}(\.[a-z_]{1,32}){1,2}$")]
Sender = Annotated[str, StringConstraints(min_length=3, max_length=120)]
"""A DID, or ``rk:<base64url>`` for a consent key (B6)."""


class TransactionBody(Record):
    """What is signed. ``nonce`` is null where the payload carries ``prev`` or the kind is final (LED-3)."""

    v: Literal[1] = 1
    chain_id: ChainId
    kind: Kind
    sender: Sender
    key_id: Annotated[str, StringConstraints(max_length=41)]
    """Fragment below the sender's DID such as ``#node``; empty for an rk sender."""
    nonce: Natural | None
    expires_at: TimeMs
    payload: dict[str, Any]


class TransactionProof(Record):
    """Signature over :func:`signing_bytes`; ``alg`` must be that of the key (LED-2)."""

    alg: Algorithm
    sig: Bytes64


class Transaction(Record):
    """Body and proof; at most ``TRANSACTION_BYTES_MAX`` canonical bytes."""

    body: TransactionBody
    proof: Annotated[TransactionProof, Field()]

    @classmethod
    def parse(cls, data: bytes) -> Transaction:
        """Strict decode of the wire form; raises ``FormatError`` with the codes of ``Record.from_bytes``."""
        return cls.from_bytes(data, TRANSACTION_BYTES_MAX)

    @classmethod
    def parse_under(cls, schema: int, data: bytes) -> Transaction:
        """As :meth:`parse`, with the form of ``schema``: before schema 3 there is Ed25519 alone (LED-7)."""
        return cls.parse(data) if schema >= ALGORITHMS_SINCE else _EarlierTransaction.parse(data)


class _EarlierProof(TransactionProof):
    alg: Literal["Ed25519"]


class _EarlierTransaction(Transaction):
    """The envelope of schemas 1 and 2, refused as it was there."""

    proof: Annotated[_EarlierProof, Field()]


def body_bytes(wire: bytes) -> bytes:
    """Canonical bytes of the body inside a parsed transaction's wire form, without encoding it anew.

    Keys are sorted, so the body comes first and the proof last; a quotation mark inside a text is escaped, and
    nothing in a proof nests, so the last ``,"proof":`` is the envelope's own.
    """
    return wire[len(b'{"body":') : wire.rindex(b',"proof":')]


def payload_bytes(body: bytes) -> bytes:
    """Canonical bytes of the payload inside :func:`body_bytes`.

    Only texts without nested members stand before ``"payload":`` and after the last ``,"sender":``.
    """
    return body[body.index(b'"payload":') + len(b'"payload":') : body.rindex(b',"sender":')]


def signing_bytes(body: TransactionBody | bytes) -> bytes:
    """The bytes that the sender signs (B5); takes the body or its canonical bytes."""
    return tagged("transaction", body if isinstance(body, bytes) else body.to_bytes())


def transaction_id(body: TransactionBody | bytes) -> bytes:
    """32 bytes naming the act; equal for two signatures over one body (B5)."""
    data = body if isinstance(body, bytes) else body.to_bytes()
    return hashlib.sha256(tagged("transaction-id", data)).digest()
