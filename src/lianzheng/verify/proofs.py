"""One proof about the ledger, from the trust file down: signers → head → app_hash → root → path (LED-6, EV-4)."""

from __future__ import annotations

from lianzheng.encoding.canonical import decode_object
from lianzheng.errors import FormatError, VerificationError
from lianzheng.ledger.answers import GrowthAnswer, LogAnswer, ProofAnswer, StateAnswer
from lianzheng.ledger.cometbft import parse_head
from lianzheng.limits import BUNDLE_BYTES_MAX
from lianzheng.verify.decode import decode_trust
from lianzheng.verify.light_client import verify_final_head

__all__ = ["verify_proof"]

_TYPES: dict[str, type[ProofAnswer]] = {"state": StateAnswer, "log": LogAnswer, "growth": GrowthAnswer}


def verify_proof(data: bytes, trust: bytes, old_root: bytes | None = None) -> ProofAnswer:
    """The typed proof, if everything in it follows from the trust file; ``old_root`` is for proofs of growth.

    Raises ``VerificationError``: ``proof_malformed``, ``network_foreign``, ``trust_without_signers``,
    ``app_hash_mismatch``,
    ``state_path_invalid``, ``inclusion_invalid``, ``consistency_invalid``, ``root_missing``, and those
    of ``verify_final_head``.
    """
    answer = _decode(data)
    network = decode_trust(trust)
    if answer.chain_id != network.chain_id:
        raise VerificationError("network_foreign", "The proof belongs to another network than the trust file.")
    if network.signers is None:
        raise VerificationError("trust_without_signers", "A proof stands under signers; the trust file names none.")
    try:
        head = parse_head(answer.head)
        changes = tuple(map(parse_head, answer.head_chain))
    except FormatError as error:
        raise VerificationError("proof_malformed", f"Not a proof: {error.text}", detail=error.code) from error
    final = verify_final_head(network.chain_id, network.signers, changes, head)
    if answer.app_hash() != final.app_hash:
        raise VerificationError("app_hash_mismatch", "Log and state roots are not what the signed head carries.")
    answer.check(old_root)
    return answer


def _decode(data: bytes) -> ProofAnswer:
    try:
        kind = decode_object(data, BUNDLE_BYTES_MAX).get("type")
        record = _TYPES.get(kind) if isinstance(kind, str) else None
        if record is None:
            raise VerificationError("proof_malformed", "Not a proof: its type is none that this software knows.")
        return record.from_bytes(data, BUNDLE_BYTES_MAX)
    except FormatError as error:
        raise VerificationError("proof_malformed", f"Not a proof: {error.text}", detail=error.code) from error
