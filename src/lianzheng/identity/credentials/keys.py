"""Keys that make and check Data Integrity proofs: an algorithm is a property of the key, never of the message."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lianzheng.crypto import ecdsa, ed25519, sm2
from lianzheng.encoding.multikey import ED25519_PUB, P256_PUB, P384_PUB, SM2_PUB, decode_any_multikey, encode_multikey
from lianzheng.errors import FormatError, VerificationError

__all__ = ["ProofKey", "ProofSigner", "ResolveKey", "did_key", "did_key_signer"]

_CURVES: dict[int, ecdsa.CurveName] = {P256_PUB: "P-256", P384_PUB: "P-384"}


@dataclass(frozen=True)
class ProofKey:
    """A public key: ``codec`` (multicodec) tells the algorithm, ``raw`` the key without prefix."""

    codec: int
    raw: bytes
    controller: str

    def verify(self, message: bytes, signature: bytes) -> None:
        """Return only for a signature of this key. Raises ``VerificationError`` ``signature_invalid``."""
        if self.codec == ED25519_PUB:
            ed25519.verify(self.raw, message, signature)
        elif self.codec in _CURVES:
            ecdsa.verify(_CURVES[self.codec], self.raw, message, signature)
        elif self.codec == SM2_PUB:
            sm2.verify(self.raw, message, signature)
        else:
            raise VerificationError("signature_invalid", "The key is of a kind that signs nothing.")


ResolveKey = Callable[[str, str], ProofKey]
"""(verification method, proof purpose) → the key, if its controller lists it for that purpose; else it raises."""


@dataclass(frozen=True)
class ProofSigner:
    """What makes a proof: the name of the key, its algorithm, and the act of signing."""

    verification_method: str
    codec: int
    sign: Callable[[bytes], bytes]


def did_key(method: str, purpose: str) -> ProofKey:
    """The key of a ``did:key`` DID URL. Raises ``VerificationError`` ``verification_method_unknown``."""
    did, _, fragment = method.partition("#")
    text = did.removeprefix("did:key:")
    try:
        codec, raw = decode_any_multikey(text)
    except FormatError as error:
        raise _unknown() from error
    signs = codec in (ED25519_PUB, SM2_PUB) or codec in _CURVES
    if did == text or fragment != text or not signs or purpose == "keyAgreement":
        raise _unknown()
    return ProofKey(codec, raw, did)


def did_key_signer(codec: int, secret: bytes) -> ProofSigner:
    """A signer named by its own ``did:key``. ``secret``: Ed25519 seed, scalar or SM2 pair. Raises ``key_malformed``."""
    if codec == ED25519_PUB:
        public, sign = ed25519.public_key(secret), lambda message: ed25519.sign(secret, message)
    elif codec == SM2_PUB:
        public, sign = sm2.public_key(secret), lambda message: sm2.sign(secret, message)
    else:
        curve = _CURVES[codec]
        public, sign = ecdsa.public_key(curve, secret), lambda message: ecdsa.sign(curve, secret, message)
    text = encode_multikey(codec, public)
    return ProofSigner(f"did:key:{text}#{text}", codec, sign)


def _unknown() -> VerificationError:
    return VerificationError("verification_method_unknown", "The proof names a key that is not one of did:key's.")
