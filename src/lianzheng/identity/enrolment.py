"""Messages of enrolment and the proof that the wallet knows v (ID-7).

Proof:    Schnorr of v with V = v·G, transcript "enrolment": "did", "issuer", "nonce"
Signed:   tag ``enrolment-request`` ‖ JCS(request without signature), by an authentication key of the DID
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from lianzheng.crypto import ed25519
from lianzheng.crypto.hazmat.bls12381 import G1
from lianzheng.encoding.canonical import encode
from lianzheng.encoding.framing import tagged
from lianzheng.encoding.model import Bytes, Bytes32, Bytes48, Bytes64, Natural, Record, TimeMs
from lianzheng.errors import FormatError, VerificationError
from lianzheng.identity.model import DidRecord, Sigma, public_key
from lianzheng.ids import ChainId, Did, KeyId
from lianzheng.zk import schnorr
from lianzheng.zk.schnorr import SchnorrProof
from lianzheng.zk.transcript import Transcript

__all__ = [
    "EnrolmentChallenge",
    "EnrolmentRequest",
    "EnrolmentResponse",
    "IdentityDocument",
    "make_enrolment_request",
    "verify_enrolment_request",
]


class IdentityDocument(Record):
    """What stands on the person's document. Personal data: sent to the issuer only, never logged."""

    type: Annotated[str, StringConstraints(pattern=r"^[A-Z_]{1,32}$")]
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
    number: Annotated[str, StringConstraints(min_length=1, max_length=40), Field(repr=False)]


class EnrolmentChallenge(Record):
    """The issuer's nonce for one DID."""

    v: Literal[1] = 1
    chain_id: ChainId
    issuer: Did
    did: Did
    nonce: Bytes32
    expires_at: TimeMs


class EnrolmentRequest(Record):
    """The wallet shows document, V and knowledge of v, under its DID."""

    v: Literal[1] = 1
    chain_id: ChainId
    did: Did
    key_id: KeyId
    issuer: Did
    nonce: Bytes32
    document: IdentityDocument
    holder: Bytes48
    proof: Annotated[Bytes, Field(min_length=80, max_length=80)]
    signature: Bytes64


class EnrolmentResponse(Record):
    """σ_I on the class of (G, U, V), and a ``KycCredential`` for ordinary use."""

    v: Literal[1] = 1
    chain_id: ChainId
    issuer: Did
    did: Did
    period: Natural
    sigma_i: Sigma
    credential: dict[str, Any]


def make_enrolment_request(
    challenge: EnrolmentChallenge,
    document: IdentityDocument,
    holder_secret: int,
    key_id: str,
    sign: Callable[[bytes], bytes],
) -> EnrolmentRequest:
    """The answer to ``challenge``; ``sign`` signs with the DID's authentication key ``key_id``."""
    holder = G1.generator() * holder_secret
    transcript = _transcript(challenge.chain_id, challenge.did, challenge.issuer, challenge.nonce)
    unsigned = EnrolmentRequest(
        chain_id=challenge.chain_id,
        did=challenge.did,
        key_id=key_id,
        issuer=challenge.issuer,
        nonce=challenge.nonce,
        document=document,
        holder=holder.to_bytes(),
        proof=schnorr.prove(G1.generator(), holder, holder_secret, transcript).to_bytes(),
        signature=bytes(64),
    )
    return unsigned.model_copy(update={"signature": sign(_signing_bytes(unsigned))})


def verify_enrolment_request(request: EnrolmentRequest, did: DidRecord) -> G1:
    """V, whose secret the DID's holder has just proved to know, towards this issuer and nonce (ID-7).

    Raises ``VerificationError``: ``enrolment_signature_invalid``, ``enrolment_holder_invalid`` (V refused, CON-4),
    ``enrolment_proof_invalid``; ``NotFoundError`` ``key_unknown``.
    """
    key = public_key(did, request.key_id, "authentication")
    try:
        ed25519.verify(key, _signing_bytes(request), request.signature)
    except VerificationError as error:
        raise VerificationError("enrolment_signature_invalid", "The request is not signed by the DID's key.") from error
    try:
        holder = G1.from_bytes(request.holder)
    except FormatError as error:
        raise VerificationError("enrolment_holder_invalid", "V is refused.", detail=error.code) from error
    transcript = _transcript(request.chain_id, request.did, request.issuer, request.nonce)
    try:
        schnorr.verify(G1.generator(), holder, SchnorrProof.from_bytes(request.proof), transcript)
    except (FormatError, VerificationError) as error:
        raise VerificationError("enrolment_proof_invalid", "The proof that v is known does not hold.") from error
    return holder


def _transcript(chain_id: str, did: str, issuer: str, nonce: bytes) -> Transcript:
    transcript = Transcript("enrolment", chain_id)
    transcript.absorb("did", did)
    transcript.absorb("issuer", issuer)
    transcript.absorb("nonce", nonce)
    return transcript


def _signing_bytes(request: EnrolmentRequest) -> bytes:
    plain = {name: value for name, value in request.to_json().items() if name != "signature"}
    return tagged("enrolment-request", encode(plain))
