"""Enveloping proofs (W3C Securing Verifiable Credentials using JOSE and COSE 1.0): the credential is a JWS payload.

In a presentation such a credential is an object whose ``id`` is ``data:application/vc+jwt,<compact JWS>``. The
algorithm follows from the key, the key from ``kid``; what the header claims beside that is only compared.
"""

from __future__ import annotations

from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey

from lianzheng.crypto import ecdsa
from lianzheng.encoding.binary import b64u_decode, b64u_encode
from lianzheng.encoding.canonical import JsonObject
from lianzheng.encoding.jcs import encode_w3c, parse_w3c
from lianzheng.encoding.multikey import ED25519_PUB, P256_PUB, P384_PUB
from lianzheng.errors import FormatError, VerificationError
from lianzheng.identity.credentials.contexts import CREDENTIALS_V2
from lianzheng.identity.credentials.datamodel import listed
from lianzheng.identity.credentials.keys import ProofKey, ProofSigner, ResolveKey
from lianzheng.limits import CLOCK_SKEW_MS, CREDENTIAL_BYTES_MAX

__all__ = ["ENVELOPED_CREDENTIAL", "ENVELOPED_PRESENTATION", "envelop", "is_enveloped", "open_envelope", "split_claims"]

ENVELOPED_CREDENTIAL = "EnvelopedVerifiableCredential"
ENVELOPED_PRESENTATION = "EnvelopedVerifiablePresentation"
_MEDIA = {ENVELOPED_CREDENTIAL: "vc+jwt", ENVELOPED_PRESENTATION: "vp+jwt"}
_ALGORITHMS = {ED25519_PUB: ("EdDSA", "Ed25519"), P256_PUB: ("ES256",), P384_PUB: ("ES384",)}
_REFUSED_HEADERS = {"crit", "jwk", "jku", "x5u", "x5c", "b64"}  # nothing in the message chooses the key
"""Header members that would let the message bring its own key or change the meaning of its payload."""


_CLAIMS = {"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "nonce", "cnf"}


def is_enveloped(document: JsonObject) -> bool:
    """Whether ``document`` says it is an envelope."""
    types = listed(document.get("type"))
    return any(name in types for name in _MEDIA)


def envelop(document: JsonObject, signer: ProofSigner, kind: str = ENVELOPED_CREDENTIAL) -> JsonObject:
    """``document`` as the payload of a JWS by ``signer``, in an object of type ``kind``."""
    media = _MEDIA[kind]
    header = {"alg": _ALGORITHMS[signer.codec][0], "kid": signer.verification_method, "typ": media}
    first = b64u_encode(encode_w3c(header)) + "." + b64u_encode(encode_w3c(document))
    token = first + "." + b64u_encode(signer.sign(first.encode("ascii")))
    return {"@context": CREDENTIALS_V2, "id": f"data:application/{media},{token}", "type": kind}


def open_envelope(document: JsonObject, resolve_key: ResolveKey, purpose: str) -> tuple[JsonObject, ProofKey]:
    """The signed document inside an envelope, and the key that signed it; nothing inside is checked yet.

    Raises ``FormatError`` ``envelope_malformed``; ``VerificationError``: ``envelope_header_refused``,
    ``envelope_invalid``; whatever ``resolve_key`` raises.
    """
    token, media = _token(document)
    try:
        header = parse_w3c(b64u_decode(token.split(".")[0]), CREDENTIAL_BYTES_MAX)
    except FormatError as error:
        raise _malformed() from error
    kid = header.get("kid")
    if _REFUSED_HEADERS & set(header) or header.get("typ", media) != media or not isinstance(kid, str):
        raise VerificationError("envelope_header_refused", "The header names no key, or says what may not be said.")
    key = resolve_key(kid, purpose)
    algorithms = _ALGORITHMS.get(key.codec, ())
    if header.get("alg") not in algorithms:
        raise VerificationError("envelope_header_refused", "The header's algorithm is not that of the key.")
    try:
        payload = jws.deserialize_compact(token, _jwk(key), algorithms=list(algorithms)).payload
    except (JoseError, ValueError) as error:
        raise VerificationError("envelope_invalid", "The envelope's signature does not hold.") from error
    inside = parse_w3c(payload, CREDENTIAL_BYTES_MAX)
    if "vc" in inside or "vp" in inside:
        raise _malformed()  # the claims of version 1.1, which 2.0 forbids
    return inside, key


def split_claims(payload: JsonObject, now_ms: int) -> tuple[JsonObject, JsonObject]:
    """The registered claims of a payload (RFC 7519) and the document beside them; the former are in force.

    Raises ``VerificationError``: ``envelope_expired``, ``envelope_not_yet_valid``; ``FormatError``
    ``envelope_malformed``.
    """
    claims = {name: value for name, value in payload.items() if name in _CLAIMS}
    document = {name: value for name, value in payload.items() if name not in _CLAIMS}
    for name in ("exp", "nbf", "iat"):
        if name in claims and type(claims[name]) not in (int, float):
            raise _malformed()
    if "exp" in claims and claims["exp"] * 1000 <= now_ms - CLOCK_SKEW_MS:
        raise VerificationError("envelope_expired", "The envelope has expired.")
    if any(claims.get(name, 0) * 1000 > now_ms + CLOCK_SKEW_MS for name in ("nbf", "iat")):
        raise VerificationError("envelope_not_yet_valid", "The envelope is not valid yet; compare the clocks.")
    issuer = document.get("issuer", document.get("holder"))
    named = issuer.get("id") if isinstance(issuer, dict) else issuer
    if "iss" in claims and named is not None and claims["iss"] != named:
        raise _malformed()
    return claims, document


def _token(document: JsonObject) -> tuple[str, str]:
    url = document.get("id")
    for kind, media in _MEDIA.items():
        prefix = f"data:application/{media},"
        if isinstance(url, str) and url.startswith(prefix) and len(url) < CREDENTIAL_BYTES_MAX:
            token = url[len(prefix) :]
            types = listed(document.get("type"))
            if token.count(".") == 2 and kind in types and CREDENTIALS_V2 in listed(document.get("@context")):
                return token, media
    raise _malformed()


def _jwk(key: ProofKey) -> Any:
    if key.codec == ED25519_PUB:
        return OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": b64u_encode(key.raw)})
    curve: ecdsa.CurveName = "P-256" if key.codec == P256_PUB else "P-384"
    x, y = ecdsa.coordinates(curve, key.raw)
    return ECKey.import_key({"kty": "EC", "crv": curve, "x": b64u_encode(x), "y": b64u_encode(y)})


def _malformed() -> FormatError:
    return FormatError("envelope_malformed", "The envelope holds no compact JWS of a credential or presentation.")
