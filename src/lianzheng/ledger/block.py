"""Blocks of the embedded engine and their signed heads (B31).

Head hash:    SHA-256(tag ``head`` ‖ JCS(head))
Signed bytes: tag ``head-signature`` ‖ head hash
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from lianzheng.crypto import ed25519
from lianzheng.crypto.digest import sha256
from lianzheng.encoding.canonical import encode
from lianzheng.encoding.framing import tagged
from lianzheng.encoding.model import Bytes, Bytes32, Bytes64, Natural, Record, Seq, TimeMs
from lianzheng.encoding.multikey import ED25519_PUB, decode_multikey
from lianzheng.errors import FormatError, VerificationError
from lianzheng.ids import ChainId
from lianzheng.limits import BLOCK_BYTES_MAX, BLOCK_TRANSACTIONS_MAX

__all__ = [
    "Block",
    "BlockResult",
    "Head",
    "SignedHead",
    "head_hash",
    "head_signing_bytes",
    "result_leaf",
    "verify_signed_head",
]

Multikey = Annotated[str, StringConstraints(pattern=r"^z[1-9A-HJ-NP-Za-km-z]{40,60}$")]


class Head(Record):
    """What one block commits to; ``previous`` of block 1 is the genesis digest."""

    chain_id: ChainId
    height: Natural
    time_ms: TimeMs
    previous: Bytes32
    txs_root: Bytes32
    results_root: Bytes32
    app_hash: Bytes32
    next_signer: Multikey
    """Ed25519 multikey that signs the block after this one."""


class SignedHead(Record):
    """A head and its signer's signature; the signer is the ``next_signer`` of the head before."""

    head: Head
    signature: Bytes64


class BlockResult(Record):
    """Outcome of one transaction as the results' root has it (B7)."""

    code: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
    data: Any = None


class Block(Record):
    """A signed head with the transactions in order and their results."""

    head: SignedHead
    transactions: Annotated[tuple[Bytes, ...], Seq, Field(max_length=BLOCK_TRANSACTIONS_MAX)]
    results: Annotated[tuple[BlockResult, ...], Seq, Field(max_length=BLOCK_TRANSACTIONS_MAX)]

    @classmethod
    def parse(cls, data: bytes) -> Block:
        """Strict decode; raises ``FormatError`` with the codes of ``Record.from_bytes``."""
        return cls.from_bytes(data, BLOCK_BYTES_MAX)


def head_hash(head: Head) -> bytes:
    """32 bytes naming a head (B31)."""
    return sha256("head", head.to_bytes())


def head_signing_bytes(head: Head) -> bytes:
    """What the sequencer signs (B31, CON-2)."""
    return tagged("head-signature", head_hash(head))


def verify_signed_head(signed: SignedHead, signer: str) -> None:
    """Return only if ``signer`` (an Ed25519 multikey) signed this head.

    Raises ``VerificationError`` ``head_signature_invalid``.
    """
    try:
        ed25519.verify(decode_multikey(signer, ED25519_PUB), head_signing_bytes(signed.head), signed.signature)
    except (VerificationError, FormatError) as error:
        raise VerificationError("head_signature_invalid", "A block's head is not signed by its signer.") from error


def result_leaf(code: str, data: Any) -> bytes:
    """Entry of the results' tree: JCS of ``{code, data}`` (B7)."""
    return encode({"code": code, "data": data})
