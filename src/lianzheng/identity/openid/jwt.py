"""Compact JWTs of one purpose each, under keys that the receiver looks up: proofs of possession, request objects.

The algorithm follows from the key; what the header claims is only compared. ``none`` and symmetric algorithms belong
to no key and can therefore not be taken (RFC 8725, sections 3.1 and 3.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lianzheng.crypto import ecdsa
from lianzheng.encoding.binary import b64u_decode, b64u_encode
from lianzheng.encoding.canonical import JsonObject
from lianzheng.encoding.jcs import encode_w3c, parse_w3c
from lianzheng.encoding.multikey import ED25519_PUB, P256_PUB, P384_PUB, encode_multikey
from lianzheng.errors import FormatError, VerificationError
from lianzheng.identity.credentials.keys import ProofKey, ProofSigner
from lianzheng.limits import CLOCK_SKEW_MS, OPENID_JWT_BYTES_MAX

__all__ = ["ALGORITHMS", "Jwt", "check_times", "jwk_of", "key_of_jwk", "read_jwt", "sign_jwt"]

ALGORITHMS = {ED25519_PUB: ("EdDSA", "Ed25519"), P256_PUB: ("ES256",), P384_PUB: ("ES384",)}
"""What each kind of key signs with; the first is what we write."""
_CURVES: dict[str, tuple[int, ecdsa.CurveName, int]] = {
    "P-256": (P256_PUB, "P-256", 32),
    "P-384": (P384_PUB, "P-384", 48),
}
_REFUSED = frozenset({"crit", "b64", "jku", "x5u", "x5c", "trust_chain", "zip", "enc"})
"""Header members that fetch a key, or change what the payload means; chains of certificates are not looked at."""
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


@dataclass(frozen=True)
class Jwt:
    """A token whose form is right and whose signature is not checked yet."""

    header: JsonObject
    claims: JsonObject
    signed: bytes
    signature: bytes

    def verify(self, key: ProofKey) -> None:
        """Return only if ``key`` signed it, with its own algorithm. Raises ``VerificationError`` ``jwt_invalid``."""
        if self.header.get("alg") not in ALGORITHMS.get(key.codec, ()):
            raise _invalid("The token's algorithm is not that of the key.")
        try:
            key.verify(self.signed, self.signature)
        except (VerificationError, FormatError) as error:
            raise _invalid("The token's signature does not hold.") from error


def sign_jwt(claims: JsonObject, signer: ProofSigner, typ: str, *, jwk: JsonObject | None = None) -> str:
    """``claims`` signed; the header names the key by ``kid``, or holds ``jwk`` in its place."""
    named: JsonObject = {"kid": signer.verification_method} if jwk is None else {"jwk": jwk}
    header = {"alg": ALGORITHMS[signer.codec][0], "typ": typ, **named}
    first = b64u_encode(encode_w3c(header)) + "." + b64u_encode(encode_w3c(claims))
    return first + "." + b64u_encode(signer.sign(first.encode("ascii")))


def read_jwt(token: object, typ: str) -> Jwt:
    """The parts of a compact JWS that says it is a ``typ``.

    Raises ``FormatError`` ``jwt_malformed``; ``VerificationError`` ``jwt_header_refused``.
    """
    if not isinstance(token, str) or len(token) > OPENID_JWT_BYTES_MAX or token.count(".") != 2:
        raise _malformed()
    head, body, tail = token.split(".")
    try:
        header = parse_w3c(b64u_decode(head), OPENID_JWT_BYTES_MAX)
        claims = parse_w3c(b64u_decode(body), OPENID_JWT_BYTES_MAX)
        signature = b64u_decode(tail)
    except FormatError as error:
        raise _malformed() from error
    known = [name for names in ALGORITHMS.values() for name in names]
    if header.get("typ") != typ or header.get("alg") not in known or _REFUSED & set(header):
        raise VerificationError(
            "jwt_header_refused", "The token's header is of another type or algorithm, or says what may not be said."
        )
    return Jwt(header, claims, f"{head}.{body}".encode("ascii"), signature)


def check_times(claims: JsonObject, now_ms: int, age_ms_max: int, *, iat_required: bool = True) -> None:
    """``iat``, ``nbf`` and ``exp`` (RFC 7519, seconds) are in force; ``iat`` lies at most ``age_ms_max`` back.

    Raises ``FormatError`` ``jwt_malformed``; ``VerificationError``: ``jwt_expired``, ``jwt_not_yet_valid``.
    """
    for name in ("iat", "nbf", "exp"):
        value = claims.get(name)
        if name in claims and (type(value) is not int or not 0 <= value < 2**40):
            raise _malformed()
    if iat_required and "iat" not in claims:
        raise _malformed()
    if any(claims.get(name, 0) * 1000 > now_ms + CLOCK_SKEW_MS for name in ("iat", "nbf")):
        raise VerificationError("jwt_not_yet_valid", "The token is not valid yet; compare the clocks.")
    old = "iat" in claims and claims["iat"] * 1000 + age_ms_max + CLOCK_SKEW_MS < now_ms
    if old or ("exp" in claims and claims["exp"] * 1000 <= now_ms - CLOCK_SKEW_MS):
        raise VerificationError("jwt_expired", "The token has expired.")


def key_of_jwk(jwk: object) -> tuple[ProofKey, str]:
    """The public key of a JWK (RFC 7517, 8037), and the ``did:key`` verification method that is the same key.

    Raises ``FormatError`` ``jwk_malformed``; a private or symmetric key is one.
    """
    if not isinstance(jwk, dict) or _PRIVATE & set(jwk):
        raise _bad_jwk()
    codec, raw = _raw_of(jwk)
    text = encode_multikey(codec, raw)
    return ProofKey(codec, raw, f"did:key:{text}"), f"did:key:{text}#{text}"


def jwk_of(key: ProofKey) -> JsonObject:
    """``key`` as a public JWK."""
    if key.codec == ED25519_PUB:
        return {"kty": "OKP", "crv": "Ed25519", "x": b64u_encode(key.raw)}
    curve: ecdsa.CurveName = "P-256" if key.codec == P256_PUB else "P-384"
    x, y = ecdsa.coordinates(curve, key.raw)
    return {"kty": "EC", "crv": curve, "x": b64u_encode(x), "y": b64u_encode(y)}


def _raw_of(jwk: dict[str, Any]) -> tuple[int, bytes]:
    form = jwk.get("kty"), jwk.get("crv")
    try:
        if form == ("OKP", "Ed25519"):
            return ED25519_PUB, b64u_decode(_text(jwk, "x"), 32)
        if form[0] == "EC" and isinstance(form[1], str) and form[1] in _CURVES:
            codec, curve, width = _CURVES[form[1]]
            x, y = b64u_decode(_text(jwk, "x"), width), b64u_decode(_text(jwk, "y"), width)
            raw = bytes([2 + (y[-1] & 1)]) + x
            if ecdsa.coordinates(curve, raw) == (x, y):
                return codec, raw
    except FormatError as error:
        raise _bad_jwk() from error
    raise _bad_jwk()


def _text(jwk: dict[str, Any], name: str) -> str:
    value = jwk.get(name)
    if not isinstance(value, str):
        raise _bad_jwk()
    return value


def _malformed() -> FormatError:
    return FormatError("jwt_malformed", "The token is no compact JWS with claims of the form asked for.")


def _invalid(text: str) -> VerificationError:
    return VerificationError("jwt_invalid", text)


def _bad_jwk() -> FormatError:
    return FormatError("jwk_malformed", "The JWK is no public key of Ed25519, P-256 or P-384.")
