"""Terms, tokens and consent records (AUTH-1, AUTH-2, AUTH-4, B2, B7..B10, B12).

h:     SHA-256(tag ``token`` ‖ JCS(τ))
cid:   SHA-256(tag ``cid`` ‖ rk ‖ not_after ‖ h)
pop:   Ed25519 by rk over tag ``consent-pop`` ‖ chain id ‖ cid ‖ DID of the posting member
prev:  SHA-256(tag ``record`` ‖ JCS(record)); ``seq`` is the record's version number
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from lianzheng.clock import day_of, start_of_day_ms
from lianzheng.crypto.digest import sha256
from lianzheng.encoding.binary import b64u_encode
from lianzheng.encoding.canonical import JsonObject
from lianzheng.encoding.framing import tagged
from lianzheng.encoding.model import Bytes32, Bytes48, Bytes64, Day, Natural, Record, Seq
from lianzheng.identity.model import Sigma
from lianzheng.ids import ChainId, Did, ViewId
from lianzheng.limits import GRANTS_MAX, GRANTS_MIN, QUERY_VIEWS_MAX, TOKEN_BYTES_MAX

__all__ = [
    "TOKEN_VERSION",
    "Code",
    "ConsentGrant",
    "ConsentPause",
    "ConsentRecord",
    "ConsentResume",
    "ConsentRevoke",
    "Grant",
    "PauseCount",
    "RealDay",
    "Terms",
    "Token",
    "TokenKeys",
    "cid_of",
    "consent_key_name",
    "consent_state_key",
    "decode_token",
    "grant_pop_bytes",
    "record_hash",
    "token_digest",
]

TOKEN_VERSION = 1
"""The version this build makes and reads: σ_I alone (ID-8, last sentence)."""


def _real_day(day: str) -> str:
    if day_of(start_of_day_ms(day)) != day:
        raise ValueError("no such day")
    return day


RealDay = Annotated[Day, AfterValidator(_real_day)]
"""A day that the calendar has."""
Code = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,64}$")]


class Terms(Record):
    """What the investor agrees to, for exactly one provider (AUTH-1). ``views`` are sorted and distinct."""

    v: Literal[1] = 1
    chain_id: ChainId
    requester: Did
    provider: Did
    agent: Did | None
    purpose: Code
    views: Annotated[tuple[ViewId, ...], Seq, Field(min_length=1, max_length=QUERY_VIEWS_MAX)]
    function: Code
    not_before: RealDay
    not_after: RealDay
    max_uses: Annotated[Natural, Field(ge=1)]
    issuer: Did
    credential_period: Natural
    rk: Bytes32
    template: Code
    text: Bytes32
    nonce: Bytes32

    @model_validator(mode="after")
    def _ordered(self) -> Terms:
        if list(self.views) != sorted(set(self.views)):
            raise ValueError("views must be sorted and distinct")
        return self


class TokenKeys(Record):
    """Names of the keys under which the signatures stand (B12)."""

    sigma_i: Annotated[str, StringConstraints(pattern=r"^did:lz:[!-~]{1,100}#cred-[0-9]{1,6}$")]


class Token(Record):
    """τ of version 1: terms, the blinded element and its issuer's signature, signed by the holder (AUTH-2, B10).

    Version 2 is another type with ``sigma_p`` and ``keys.sigma_p`` (ID-8); ``decode_token`` is where it joins.
    """

    terms: Terms
    a: Bytes48
    b: Bytes48
    c: Bytes48
    sigma_i: Sigma
    keys: TokenKeys
    R: Bytes48
    z: Bytes32


class Grant(Record):
    """One consent as the ledger sees it; says nothing about who and with whom (AUTH-4)."""

    rk: Bytes32
    not_after: RealDay
    h: Bytes32
    pop: Bytes64

    @property
    def cid(self) -> bytes:
        """Consent id."""
        return cid_of(self.rk, self.not_after, self.h)


class ConsentGrant(Record):
    """Payload of ``consent.grant``: a batch, dummies among it (AUTH-4)."""

    grants: Annotated[tuple[Grant, ...], Seq, Field(min_length=GRANTS_MIN, max_length=GRANTS_MAX)]


class ConsentPause(Record):
    """Payload of ``consent.pause``, signed by rk: ``seq`` is the record's next number."""

    cid: Bytes32
    seq: Natural
    prev: Bytes32


class ConsentResume(ConsentPause):
    """Payload of ``consent.resume``, signed by rk."""


class ConsentRevoke(Record):
    """Payload of ``consent.revoke``: ``{rk, not_after, h}`` signed by rk, or ``{cid}`` by the grant's sender."""

    rk: Bytes32 | None = None
    not_after: RealDay | None = None
    h: Bytes32 | None = None
    cid: Bytes32 | None = None

    @model_validator(mode="after")
    def _one_form(self) -> ConsentRevoke:
        if self.model_fields_set not in ({"cid"}, {"rk", "not_after", "h"}):
            raise ValueError("either cid, or rk, not_after and h")
        if any(getattr(self, name) is None for name in self.model_fields_set):
            raise ValueError("null is no value here")
        return self

    def to_json(self) -> JsonObject:
        """Without the members of the other form: one value, one encoding (CON-1)."""
        return self.model_dump(mode="json", exclude_unset=True)

    @property
    def consent_id(self) -> bytes:
        """The cid that either form names."""
        if self.rk is not None and self.not_after is not None and self.h is not None:
            return cid_of(self.rk, self.not_after, self.h)
        return self.cid or b""


class ConsentRecord(Record):
    """State entry ``consent/<cid>`` (B9). ``sender`` is null on a tombstone written before any grant."""

    rk: Bytes32
    not_after: Day
    sender: Did | None
    status: Literal["active", "paused", "revoked"]
    seq: Natural


class PauseCount(Record):
    """State entry ``consent-pauses/<cid>``: acts of rk on one day (AUTH-4 allows four)."""

    day: Day
    count: Natural


def token_digest(token: Token) -> bytes:
    """``h`` of a token (AUTH-4)."""
    return sha256("token", token.to_bytes())


def cid_of(rk: bytes, not_after: str, h: bytes) -> bytes:
    """The consent id (AUTH-4)."""
    return sha256("cid", rk, not_after, h)


def grant_pop_bytes(chain_id: str, cid: bytes, poster: str) -> bytes:
    """What rk signs so that nobody else can post the grant (AUTH-4, B9)."""
    return tagged("consent-pop", chain_id, cid, poster)


def record_hash(record: ConsentRecord) -> bytes:
    """``prev`` of the next change (B8)."""
    return sha256("record", record.to_bytes())


def consent_state_key(cid: bytes) -> str:
    """Where the record of a consent stands in the ledger's state."""
    return f"consent/{b64u_encode(cid)}"


def consent_key_name(rk: bytes) -> str:
    """Sender of transactions signed by a consent key: ``rk:<base64url>`` (B6)."""
    return f"rk:{b64u_encode(rk)}"


def decode_token(data: bytes) -> Token:
    """τ from its one encoding, the form that is hashed (B10).

    Raises ``FormatError`` as ``Record.from_bytes`` (``too_large``, ``json_not_canonical``, ``field_invalid`` …).
    """
    return Token.from_bytes(data, TOKEN_BYTES_MAX)
