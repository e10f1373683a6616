"""From the signers at genesis to the head that a bundle stands on (EV-4, B31), without any block."""

from __future__ import annotations

from collections.abc import Sequence

from lianzheng.errors import VerificationError
from lianzheng.ledger.block import Head, SignedHead, verify_signed_head

__all__ = ["verify_heads"]


def verify_heads(chain_id: str, signer: str, changes: Sequence[SignedHead], head: SignedHead) -> str:
    """The key that signed ``head``, which follows from ``signer`` over ``changes``; every signature holds.

    ``changes`` are the heads before it that name another next signer, in order. Raises ``VerificationError``:
    ``head_foreign_network``, ``head_chain_order``, ``head_chain_padded``, ``head_chain_signature_invalid``,
    ``head_signature_invalid``.
    """
    last: Head | None = None
    for change in changes:
        _check_place(chain_id, last, change.head)
        try:
            verify_signed_head(change, signer)
        except VerificationError as error:
            raise VerificationError(
                "head_chain_signature_invalid", "A head in the chain of signers is not signed by its signer."
            ) from error
        if change.head.next_signer == signer:
            raise VerificationError("head_chain_padded", "The chain of signers holds a head that changes no signer.")
        last, signer = change.head, change.head.next_signer
    _check_place(chain_id, last, head.head)
    verify_signed_head(head, signer)
    return signer


def _check_place(chain_id: str, last: Head | None, head: Head) -> None:
    if head.chain_id != chain_id:
        raise VerificationError("head_foreign_network", "A head belongs to another network than the bundle.")
    if head.height < 1 or (last is not None and (head.height <= last.height or head.time_ms <= last.time_ms)):
        raise VerificationError("head_chain_order", "The heads of the bundle are not in ascending order.")
