"""A person asks a member for the uses of one consent: who asked what, when, and which bands came back (GATE-10).

Query:   its hash is SHA-256(tag ``access-query`` ‖ JCS(query without ``signature``)); signed by the consent's own key
         over tag ``access-query-signature`` ‖ hash. The cid follows from what the query shows: no other key names it
Answer:  signed by the member over tag ``access-answer`` ‖ JCS(answer without ``signature``), bound to the query's hash

Of a receipt the person gets the requester's signed request. Task salt and evaluated points stay with the two sides
(GATE-10): the one would tell others' consents apart, the other is a half of a tag.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lianzheng.compute.gate.model import GateRequest, request_signing_bytes
from lianzheng.consent.model import RealDay, cid_of
from lianzheng.crypto import ed25519
from lianzheng.crypto.digest import sha256
from lianzheng.encoding.canonical import encode
from lianzheng.encoding.framing import tagged
from lianzheng.encoding.model import Bytes, Bytes32, Bytes64, Natural, Record, Seq, TimeMs
from lianzheng.errors import VerificationError
from lianzheng.ids import ChainId, Did, KeyId
from lianzheng.limits import ACCESS_USES_MAX

__all__ = [
    "AccessAnswer",
    "AccessChallenge",
    "AccessQuery",
    "AccessUse",
    "answer_bytes",
    "query_bytes",
    "query_hash",
    "verify_query",
    "verify_request",
]


class AccessChallenge(Record):
    """A nonce of one member for one query; nothing is kept of it until it comes back signed."""

    v: Literal[1] = 1
    chain_id: ChainId
    member: Did
    nonce: Annotated[Bytes, Field(min_length=32, max_length=96)]


class AccessQuery(Record):
    """Whoever holds the key of a consent asks for its uses, from the ``skip``-th on."""

    v: Literal[1] = 1
    chain_id: ChainId
    member: Did
    rk: Bytes32
    not_after: RealDay
    h: Bytes32
    skip: Natural
    nonce: Annotated[Bytes, Field(min_length=32, max_length=96)]
    signature: Bytes64

    @property
    def cid(self) -> bytes:
        """The consent asked about."""
        return cid_of(self.rk, self.not_after, self.h)


class AccessUse(Record):
    """One use. ``bands`` by indicator, as the requester has read them; None from a provider, which learns none."""

    request: GateRequest
    answered_ms: TimeMs
    bands: dict[str, Natural] | None


class AccessAnswer(Record):
    """What the member knows; for a cid unknown to it, no uses."""

    v: Literal[1] = 1
    chain_id: ChainId
    member: Did
    key_id: KeyId
    query: Bytes32
    cid: Bytes32
    uses: Annotated[tuple[AccessUse, ...], Seq, Field(max_length=ACCESS_USES_MAX)]
    more: bool
    """Whether there are uses after these."""
    time_ms: TimeMs
    signature: Bytes64


def query_hash(query: AccessQuery) -> bytes:
    """32 bytes that bind an answer to its query."""
    return sha256("access-query", _without_signature(query))


def query_bytes(query: AccessQuery) -> bytes:
    """What the consent's key signs."""
    return tagged("access-query-signature", query_hash(query))


def answer_bytes(answer: AccessAnswer) -> bytes:
    """What the member's key signs."""
    return tagged("access-answer", _without_signature(answer))


def verify_query(query: AccessQuery) -> None:
    """The query is signed by the key of the consent that it names. Raises ``VerificationError``.

    Its code is ``access_signature_invalid``.
    """
    try:
        ed25519.verify(query.rk, query_bytes(query), query.signature)
    except VerificationError as error:
        raise VerificationError(
            "access_signature_invalid", "The question is not signed by the consent's key."
        ) from error


def verify_request(request: GateRequest, keys: tuple[bytes, ...]) -> None:
    """One of the requester's keys, present or past, has signed the request.

    Raises ``VerificationError`` ``access_request_invalid``.
    """
    message = request_signing_bytes(request)
    for key in keys:
        try:
            ed25519.verify(key, message, request.signature)
        except VerificationError:
            continue
        return
    raise VerificationError("access_request_invalid", "A request that is told of is not signed by its requester.")


def _without_signature(message: AccessQuery | AccessAnswer) -> bytes:
    return encode({key: value for key, value in message.to_json().items() if key != "signature"})
