"""From the signers at genesis to the head that a bundle stands on (EV-4, B31), without any block; for both engines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lianzheng.encoding.multikey import ED25519_PUB, encode_multikey
from lianzheng.errors import VerificationError
from lianzheng.ledger.block import Head, SignedHead, verify_signed_head
from lianzheng.ledger.cometbft import CometHead, CometHeader, Validator, verify_comet_head
from lianzheng.ledger.cometbft.encoding import validators_hash
from lianzheng.ledger.cometbft.verify import check_validator_order

__all__ = ["FinalHead", "verify_final_head", "verify_heads", "verify_signer_changes"]

Signers = Sequence[str] | Sequence[Validator]
AnyHead = SignedHead | CometHead


@dataclass(frozen=True, slots=True)
class FinalHead:
    """What a verified head says, whatever signed it."""

    height: int
    """Of the block whose state ``app_hash`` is: CometBFT's header carries the one of the block before it."""
    time_ms: int
    app_hash: bytes
    signer: str
    """For people: the sequencer's key, or the validators' and their power."""
    signatures: int


def verify_final_head(chain_id: str, signers: Signers, changes: Sequence[AnyHead], head: AnyHead) -> FinalHead:
    """What ``head`` says, if it follows from ``signers`` over ``changes``; every signature holds.

    Raises ``VerificationError`` ``head_kind_mismatch`` where heads are of another engine than the signers; and those
    of :func:`verify_heads` or ``verify_comet_head``, ``head_signers_unknown``.
    """
    sequencers = [signer for signer in signers if isinstance(signer, str)]
    validators = [signer for signer in signers if isinstance(signer, Validator)]
    signed = [change for change in changes if isinstance(change, SignedHead)]
    committed = [change for change in changes if isinstance(change, CometHead)]
    if isinstance(head, SignedHead) and len(sequencers) == 1 and not validators and not committed:
        signer = verify_heads(chain_id, sequencers[0], signed, head)
        plain = head.head
        return FinalHead(plain.height, plain.time_ms, plain.app_hash, signer, 1 + len(signed))
    if isinstance(head, CometHead) and validators and not sequencers and not signed:
        return _verify_committed(chain_id, validators, committed, head)
    raise VerificationError("head_kind_mismatch", "The heads are of another engine than the network's signers.")


def verify_signer_changes(chain_id: str, validators: Sequence[Validator], changes: Sequence[CometHead]) -> bytes:
    """Hash of the validators that ``changes`` lead to from ``validators``; every signature holds.

    Raises ``VerificationError``: ``head_chain_order``, ``head_chain_padded``, ``head_signers_unknown`` and those of
    ``verify_comet_head``.
    """
    check_validator_order(validators)
    trusted = validators_hash(validators)
    last: CometHeader | None = None
    for change in changes:
        last = _verify_next(chain_id, trusted, last, change)
        if last.next_validators_hash == trusted:
            raise VerificationError("head_chain_padded", "The chain of signers holds a head that changes no signer.")
        trusted = last.next_validators_hash
    return trusted


def _verify_next(chain_id: str, trusted: bytes, last: CometHeader | None, head: CometHead) -> CometHeader:
    header = head.header
    if last is not None and (header.height <= last.height or header.time.ms <= last.time.ms):
        raise VerificationError("head_chain_order", "The heads of the bundle are not in ascending order.")
    if header.validators_hash != trusted:
        raise VerificationError("head_signers_unknown", "A head is signed by others than the validators before it.")
    verify_comet_head(head, chain_id)
    return header


def _verify_committed(
    chain_id: str, validators: Sequence[Validator], changes: Sequence[CometHead], head: CometHead
) -> FinalHead:
    trusted = verify_signer_changes(chain_id, validators, changes)
    _verify_next(chain_id, trusted, changes[-1].header if changes else None, head)
    total = sum(one.power for one in head.validators)
    signing = [head.validators[one.validator] for one in head.commit.signatures]
    power = sum(one.power for one in signing)
    keys = ", ".join(encode_multikey(ED25519_PUB, one.key) for one in signing)
    return FinalHead(
        height=head.header.height - 1,
        time_ms=head.header.time.ms,
        app_hash=head.header.app_hash,
        signer=f"{len(signing)} of {len(head.validators)} validators with {power} of {total}: {keys}",
        signatures=sum(len(one.commit.signatures) for one in (*changes, head)),
    )


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
