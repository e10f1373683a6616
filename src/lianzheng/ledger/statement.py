"""A node's answer to "how far are you?": a signed head statement over the asker's nonce (GATE-4, B32).

Signed bytes: tag ``head-statement`` ‖ JCS(statement)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from lianzheng.crypto import ed25519
from lianzheng.encoding.framing import tagged
from lianzheng.encoding.model import Bytes32, Bytes64, Natural, Record
from lianzheng.errors import VerificationError
from lianzheng.ids import ChainId, Did
from lianzheng.ledger.block import SignedHead, head_hash

__all__ = [
    "HeadStatement",
    "SignedStatement",
    "Statement",
    "make_statement",
    "verify_statement",
    "verify_statement_signed",
]


class Statement(Record):
    """The signed part. At height 0 ``head_hash`` is the genesis digest."""

    chain_id: ChainId
    nonce: Bytes32
    height: Natural
    head_hash: Bytes32


class HeadStatement(Record):
    """The statement, who made it, and the signed head that is the commit for its height (null at height 0)."""

    statement: Statement
    signer: Did
    signature: Bytes64
    head: SignedHead | None


def make_statement(
    statement: Statement, signer: str, head: SignedHead | None, sign: Callable[[bytes], bytes]
) -> HeadStatement:
    """Sign ``statement`` with the node role key of ``signer``."""
    signature = sign(tagged("head-statement", statement.to_bytes()))
    return HeadStatement(statement=statement, signer=signer, signature=signature, head=head)


class SignedStatement(Protocol):
    """A statement with who made it, whatever commit an engine carries beside it."""

    @property
    def statement(self) -> Statement:
        """What is signed."""
        ...

    @property
    def signer(self) -> str:
        """The member's DID."""
        ...

    @property
    def signature(self) -> bytes:
        """By its node key."""
        ...


def verify_statement_signed(
    answer: SignedStatement, chain_id: str, nonce: bytes, signer: str, public: bytes
) -> Statement:
    """The statement, if ``signer`` made it in answer to ``nonce``; what it says of a head is not looked at.

    Raises ``VerificationError``: ``statement_chain_mismatch``, ``statement_nonce_mismatch``,
    ``statement_signer_mismatch``, ``statement_signature_invalid`` (GATE-4).
    """
    statement = answer.statement
    if statement.chain_id != chain_id:
        raise VerificationError("statement_chain_mismatch", "A head statement is of another chain.")
    if statement.nonce != nonce:
        raise VerificationError("statement_nonce_mismatch", "A head statement answers another nonce.")
    if answer.signer != signer:
        raise VerificationError("statement_signer_mismatch", "A head statement names another signer.")
    try:
        ed25519.verify(public, tagged("head-statement", statement.to_bytes()), answer.signature)
    except VerificationError as error:
        raise VerificationError("statement_signature_invalid", "A head statement is not signed by its node.") from error
    return statement


def verify_statement(answer: HeadStatement, chain_id: str, nonce: bytes, signer: str, public: bytes) -> None:
    """Return only if ``signer`` made this answer to ``nonce`` and its head is the one it names.

    The head's own signature is the caller's to check, who knows the signers. Raises ``VerificationError``:
    ``statement_head_mismatch``, or of :func:`verify_statement_signed` (GATE-4).
    """
    statement = verify_statement_signed(answer, chain_id, nonce, signer, public)
    head = answer.head.head if answer.head else None
    if head is None:
        if statement.height != 0:
            raise VerificationError("statement_head_mismatch", "A head statement carries no signed head.")
    elif head.height != statement.height or head_hash(head) != statement.head_hash or head.chain_id != chain_id:
        raise VerificationError("statement_head_mismatch", "A head statement carries another head than it names.")
