"""The ``jwt`` proof type of OpenID4VCI 1.0 (appendix F.1): a wallet proves that it has the key it asks a binding to."""

from __future__ import annotations

from dataclasses import dataclass

from lianzheng.encoding.canonical import JsonObject
from lianzheng.errors import FormatError, VerificationError
from lianzheng.identity.credentials.keys import ProofKey, ProofSigner
from lianzheng.identity.openid.jwt import Jwt, check_times, key_of_jwk, read_jwt, sign_jwt
from lianzheng.limits import OPENID_PROOF_MS

__all__ = ["KeyProof", "make_proof", "read_proof"]

_TYP = "openid4vci-proof+jwt"


@dataclass(frozen=True)
class KeyProof:
    """A proof whose signature is not checked yet. ``method`` names the key; ``jwk``: it came with the proof."""

    jwt: Jwt
    method: str
    nonce: str
    jwk: ProofKey | None

    @property
    def did(self) -> str:
        """To whom a credential will be bound, once the signature holds."""
        return self.method.partition("#")[0]


def make_proof(signer: ProofSigner, audience: str, nonce: str, now_ms: int, *, jwk: JsonObject | None = None) -> str:
    """The proof for one request: for the issuer ``audience``, with its fresh ``nonce``."""
    claims: JsonObject = {"aud": audience, "iat": now_ms // 1000, "nonce": nonce}
    return sign_jwt(claims, signer, _TYP, jwk=jwk)


def read_proof(token: object, audience: str, now_ms: int) -> KeyProof:
    """What a proof claims, for this issuer and now.

    ``kid`` must be a DID URL with a fragment, ``jwk`` a public key; exactly one of them. ``iss`` is not looked at:
    tokens here are had without a client id.
    Raises ``FormatError``: ``jwt_malformed``, ``jwk_malformed``; ``VerificationError``: ``jwt_header_refused``,
    ``jwt_audience_mismatch``, ``jwt_expired``, ``jwt_not_yet_valid``.
    """
    jwt = read_jwt(token, _TYP)
    if jwt.claims.get("aud") != audience:
        raise VerificationError("jwt_audience_mismatch", "The token was made for another party.")
    check_times(jwt.claims, now_ms, OPENID_PROOF_MS)
    nonce, kid = jwt.claims.get("nonce"), jwt.header.get("kid")
    if not isinstance(nonce, str):
        raise FormatError("jwt_malformed", "The proof holds no nonce.", next_step="Take one from the nonce endpoint.")
    if "jwk" in jwt.header and "kid" not in jwt.header:
        key, method = key_of_jwk(jwt.header["jwk"])
        return KeyProof(jwt, method, nonce, key)
    if "jwk" in jwt.header or not isinstance(kid, str) or not kid.startswith("did:") or not kid.partition("#")[2]:
        raise VerificationError("jwt_header_refused", "The header names the key by one DID URL in kid, or by one jwk.")
    return KeyProof(jwt, kid, nonce, None)
