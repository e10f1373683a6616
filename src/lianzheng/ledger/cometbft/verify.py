"""The light client: whether a header is final, and whether one validator set leads to another (EV-4, GATE-4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lianzheng.crypto import ed25519
from lianzheng.errors import VerificationError
from lianzheng.ledger.cometbft.encoding import address_of, header_hash, validators_hash, vote_bytes
from lianzheng.ledger.cometbft.model import CometHead, CometStatement, Validator
from lianzheng.ledger.statement import verify_statement_signed

__all__ = ["check_validator_order", "signed_power", "verify_comet_head", "verify_comet_statement"]


def verify_comet_head(head: CometHead, chain_id: str) -> bytes:
    """The block's hash, if validators with more than 2/3 of the power of *the set that the header names* signed it.

    Whether that set is to be believed is the caller's to know. The signatures are in validator order and end with
    the one that first exceeds 2/3. Raises ``VerificationError``: ``head_foreign_network``,
    ``validators_hash_mismatch``, ``validators_order_invalid``, ``commit_block_mismatch``, ``commit_order_invalid``,
    ``commit_padded``, ``commit_power_insufficient``, ``commit_signature_invalid``.
    """
    header, commit = head.header, head.commit
    if header.chain_id != chain_id:
        raise VerificationError("head_foreign_network", "A head belongs to another network than the bundle.")
    check_validator_order(head.validators)
    if validators_hash(head.validators) != header.validators_hash:
        raise VerificationError("validators_hash_mismatch", "A validator set is not the one that its header names.")
    block_hash = header_hash(header)
    if commit.block_id.hash != block_hash:
        raise VerificationError("commit_block_mismatch", "A commit is for another block than the header's.")
    total, power, last = sum(one.power for one in head.validators), 0, -1
    for signature in commit.signatures:
        if not last < signature.validator < len(head.validators):
            raise VerificationError("commit_order_invalid", "A commit's signatures are not in validator order.")
        if 3 * power > 2 * total:
            raise VerificationError("commit_padded", "A commit holds more signatures than are needed.")
        last = signature.validator
        validator = head.validators[last]
        try:
            ed25519.verify(validator.key, vote_bytes(chain_id, header.height, commit, signature), signature.signature)
        except VerificationError as error:
            raise VerificationError("commit_signature_invalid", "A commit's signature does not verify.") from error
        power += validator.power
    if 3 * power <= 2 * total:
        raise VerificationError(
            "commit_power_insufficient", "A commit is signed by no more than 2/3 of the voting power."
        )
    return block_hash


def check_validator_order(validators: Sequence[Validator]) -> None:
    """Return only if each key stands once, most power first, then by address: one set, one encoding.

    Raises ``VerificationError`` ``validators_order_invalid``.
    """
    places = [(-one.power, address_of(one.key)) for one in validators]
    if places != sorted(places) or len({one.key for one in validators}) != len(validators):
        raise VerificationError("validators_order_invalid", "A validator set is not in the engine's order.")


def signed_power(head: CometHead, powers: Mapping[bytes, int]) -> int:
    """Power, by another set, of the validators that signed this head."""
    return sum(powers.get(head.validators[one.validator].key, 0) for one in head.commit.signatures)


def verify_comet_statement(answer: CometStatement, chain_id: str, nonce: bytes, signer: str, public: bytes) -> None:
    """Return only if ``signer`` made this answer to ``nonce`` and carries a valid commit for what it states (GATE-4).

    Raises ``VerificationError`` ``statement_head_mismatch``, and those of :func:`verify_statement_signed` and
    :func:`verify_comet_head`.
    """
    statement = verify_statement_signed(answer, chain_id, nonce, signer, public)
    if answer.head is None:
        if statement.height != 0:
            raise VerificationError("statement_head_mismatch", "A head statement carries no commit for its height.")
        return
    block_hash = verify_comet_head(answer.head, chain_id)
    if (answer.head.header.height, block_hash) != (statement.height, statement.head_hash):
        raise VerificationError("statement_head_mismatch", "A head statement carries another head than it names.")
