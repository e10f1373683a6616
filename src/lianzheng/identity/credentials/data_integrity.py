"""Cryptosuite ``eddsa-jcs-2022`` (W3C Data Integrity EdDSA Cryptosuites 1.0, §3.3).

Signed bytes:  SHA-256(JCS(proof options)) ‖ SHA-256(JCS(document without proof)); full RFC 8785, no tag (CON-2)
proofValue:    multibase base58btc of the 64-byte Ed25519 signature
"""

from __future__ import annotations

from collections.abc import Callable

from lianzheng.crypto import ed25519
from lianzheng.crypto.digest import sha256_raw
from lianzheng.encoding.binary import multibase_decode, multibase_encode
from lianzheng.encoding.canonical import JsonObject
from lianzheng.encoding.jcs import encode_w3c
from lianzheng.errors import FormatError, LianzhengError, VerificationError

__all__ = ["CRYPTOSUITE", "add_proof", "signed_bytes", "verify_proof"]

CRYPTOSUITE = "eddsa-jcs-2022"
_MEMBERS = {"type", "cryptosuite", "created", "verificationMethod", "proofPurpose", "proofValue"}


def add_proof(
    document: JsonObject,
    verification_method: str,
    created: str,
    sign: Callable[[bytes], bytes],
    purpose: str = "assertionMethod",
) -> JsonObject:
    """A copy of ``document`` with a proof; ``created`` is an RFC 3339 time. Raises ``proof_present``."""
    if "proof" in document:
        raise FormatError("proof_present", "The document carries a proof already.")
    options = {
        "type": "DataIntegrityProof",
        "cryptosuite": CRYPTOSUITE,
        "created": created,
        "verificationMethod": verification_method,
        "proofPurpose": purpose,
    }
    if "@context" in document:
        options["@context"] = document["@context"]
    value = multibase_encode(sign(signed_bytes(document, options)))
    return {**document, "proof": {**options, "proofValue": value}}


def verify_proof(document: JsonObject, resolve_key: Callable[[str], bytes], purpose: str = "assertionMethod") -> str:
    """The verification method whose key signed ``document`` for ``purpose``.

    Raises ``VerificationError``: ``proof_missing``, ``proof_malformed``, ``proof_purpose_wrong``,
    ``proof_context_mismatch``, ``proof_invalid``; and whatever ``resolve_key`` raises for an unknown method.
    """
    proof = document.get("proof")
    if not isinstance(proof, dict):
        raise VerificationError("proof_missing", "The document carries no proof, or more than one.")
    unsecured = {name: value for name, value in document.items() if name != "proof"}
    options = {name: value for name, value in proof.items() if name != "proofValue"}
    if set(proof) - {"@context"} != _MEMBERS or not all(isinstance(proof[name], str) for name in _MEMBERS):
        raise VerificationError("proof_malformed", "The proof has missing, unknown or malformed members.")
    if proof["type"] != "DataIntegrityProof" or proof["cryptosuite"] != CRYPTOSUITE:
        raise VerificationError("proof_malformed", "The proof is of another cryptosuite.")
    if proof["proofPurpose"] != purpose:
        raise VerificationError("proof_purpose_wrong", "The proof serves another purpose.")
    # The suite lets a document gain contexts at the end; ours never do, so any difference is refused.
    if proof.get("@context") != document.get("@context"):
        raise VerificationError("proof_context_mismatch", "The proof was made under another context.")
    key = resolve_key(proof["verificationMethod"])
    try:
        signature = multibase_decode(proof["proofValue"], size_max=64)
        ed25519.verify(key, signed_bytes(unsecured, options), signature)
    except LianzhengError as error:
        raise VerificationError("proof_invalid", "The proof does not hold.", detail=error.code) from error
    method: str = proof["verificationMethod"]
    return method


def signed_bytes(unsecured: JsonObject, options: JsonObject) -> bytes:
    """The 64 bytes that Ed25519 signs."""
    return sha256_raw(encode_w3c(options)) + sha256_raw(encode_w3c(unsecured))
