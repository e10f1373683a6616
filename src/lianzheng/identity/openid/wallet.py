"""What a holder keeps and shows: a credential in its format, and the presentation of one to one verifier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lianzheng.encoding.binary import b64u_decode
from lianzheng.encoding.canonical import JsonObject
from lianzheng.encoding.jcs import parse_w3c
from lianzheng.encoding.multikey import ED25519_PUB
from lianzheng.identity.credentials.contexts import CREDENTIALS_V2
from lianzheng.identity.credentials.enveloped import ENVELOPED_PRESENTATION, envelop
from lianzheng.identity.credentials.keys import ProofSigner
from lianzheng.identity.credentials.proofs import ProofOptions, create_proof
from lianzheng.identity.credentials.verifiable import rfc3339
from lianzheng.identity.openid.formats import JWT_VC, packed, unpacked_credential
from lianzheng.limits import CREDENTIAL_BYTES_MAX, OPENID_PROOF_MS

__all__ = ["HeldVc", "content_of", "make_presentation"]


@dataclass(frozen=True)
class HeldVc:
    """A credential as it came: a compact JWS of ``jwt_vc_json``, or the document of ``ldp_vc``."""

    format: str
    value: Any


def content_of(held: HeldVc) -> JsonObject:
    """What it says; its signature was checked when it came."""
    if held.format == JWT_VC:
        return parse_w3c(b64u_decode(str(held.value).split(".")[1]), CREDENTIAL_BYTES_MAX)
    found: JsonObject = held.value
    return found


def make_presentation(held: HeldVc, signer: ProofSigner, client_id: str, nonce: str, now_ms: int) -> str | JsonObject:
    """``held`` in a presentation that counts for this verifier and this request alone (OpenID4VP 1.0, B.1.3)."""
    presentation: JsonObject = {
        "@context": [CREDENTIALS_V2],
        "type": ["VerifiablePresentation"],
        "holder": signer.verification_method.partition("#")[0],
        "verifiableCredential": [unpacked_credential(held.value, held.format)],
    }
    if held.format == JWT_VC:
        iat = now_ms // 1000
        claims = {"aud": client_id, "nonce": nonce, "iat": iat, "exp": iat + OPENID_PROOF_MS // 1000}
        return packed(envelop({**presentation, **claims}, signer, ENVELOPED_PRESENTATION))
    suite = "eddsa-rdfc-2022" if signer.codec == ED25519_PUB else "ecdsa-rdfc-2019"
    options = ProofOptions(suite, rfc3339(now_ms), purpose="authentication", domain=client_id, challenge=nonce)
    return create_proof(presentation, signer, options)
