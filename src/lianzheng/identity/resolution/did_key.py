"""did:key: the document is made from the key in the identifier, and is the same for ever."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec
from nacl import bindings
from nacl.exceptions import RuntimeError as SodiumError

from lianzheng.crypto import sm2
from lianzheng.crypto.hazmat.bls12381 import G2
from lianzheng.encoding.canonical import JsonObject
from lianzheng.encoding.multikey import (
    BLS12381_G2_PUB,
    ED25519_PUB,
    P256_PUB,
    P384_PUB,
    SM2_PUB,
    X25519_PUB,
    decode_any_multikey,
    encode_multikey,
)
from lianzheng.errors import FormatError, RefusedError
from lianzheng.identity.resolution.model import DOCUMENT_CONTEXT, Options, Resolved
from lianzheng.identity.resolution.url import DidUrl

__all__ = ["KeyDriver", "key_document"]

_SIGNING = ("assertionMethod", "authentication", "capabilityDelegation", "capabilityInvocation")
_CURVES = {P256_PUB: ec.SECP256R1(), P384_PUB: ec.SECP384R1()}


class KeyDriver:
    """Needs nothing: no ledger, no network, no clock."""

    async def resolve(self, did: DidUrl, options: Options) -> Resolved:
        """The document of the key. Raises as :func:`key_document`, and ``did_feature_unsupported``."""
        if options.versioned or options.proof:
            raise RefusedError("did_feature_unsupported", "A did:key has one version and no ledger.")
        return Resolved(key_document(did.specific, derive=options.derive_encryption_key))


def key_document(multikey: str, *, derive: bool = False) -> JsonObject:
    """The document of ``did:key:<multikey>``; ``derive`` adds the X25519 key that an Ed25519 key turns into.

    Raises ``FormatError`` ``did_invalid`` for anything but a valid key of a known type in its one text.
    """
    try:
        codec, key = decode_any_multikey(multikey)
        _check_point(codec, key)
    except FormatError as error:
        raise FormatError("did_invalid", "The did:key holds no valid key of a known type.", detail=error.code) from None
    did = f"did:key:{multikey}"
    methods, relations = [_method(did, multikey)], {name: [f"{did}#{multikey}"] for name in _SIGNING}
    if codec == X25519_PUB:
        relations = {"keyAgreement": [f"{did}#{multikey}"]}
    if codec == ED25519_PUB and derive:
        agreement = encode_multikey(X25519_PUB, bindings.crypto_sign_ed25519_pk_to_curve25519(key))
        methods.append(_method(did, agreement))
        relations["keyAgreement"] = [f"{did}#{agreement}"]
    return {"@context": list(DOCUMENT_CONTEXT), "id": did, "verificationMethod": methods, **relations}


def _method(did: str, multikey: str) -> JsonObject:
    return {"id": f"{did}#{multikey}", "type": "Multikey", "controller": did, "publicKeyMultibase": multikey}


def _check_point(codec: int, key: bytes) -> None:
    try:
        if codec in _CURVES:
            ec.EllipticCurvePublicKey.from_encoded_point(_CURVES[codec], key)
        elif codec == ED25519_PUB:
            bindings.crypto_sign_ed25519_pk_to_curve25519(key)
        elif codec == BLS12381_G2_PUB:
            G2.from_bytes(key)
        elif codec == SM2_PUB:
            sm2.check_point(key)
    except (ValueError, SodiumError):
        raise FormatError("point_malformed", "A public key is no point of its curve.") from None
