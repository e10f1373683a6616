"""What a wallet keeps, sealed (AUTH-7). Daily keys derive from ``seed``, those of the DID's future from the reserve.

The two are sealed apart: whoever has the state alone can sign as the present key and change no key (ID-3).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from lianzheng.consent.model import cid_of
from lianzheng.crypto import ed25519
from lianzheng.encoding.model import Bytes, Bytes32, Natural, Record, Seq, Text, TimeMs
from lianzheng.encoding.multikey import ED25519_PUB, encode_multikey
from lianzheng.errors import FormatError
from lianzheng.identity.did.model import CreationOperation2
from lianzheng.identity.enrolment import IdentityDocument
from lianzheng.identity.model import CreationOperation, Sigma
from lianzheng.ids import ChainId, Did, KeyId
from lianzheng.limits import WALLET_BYTES_MAX, WALLET_FORMER_SEEDS_MAX
from lianzheng.wallet.keys import KEY_ID, consent_seed, did_seed

__all__ = [
    "AccessEntry",
    "HeldConsent",
    "HeldCredential",
    "HeldDocument",
    "HeldKey",
    "HeldToken",
    "Reserve",
    "WalletState",
    "consent_key",
    "decode_state",
]


class HeldKey(Record):
    """A key of the wallet's DID with its secret, and the name that the DID's record gives it."""

    id: KeyId
    secret: Annotated[Bytes32, Field(repr=False)]

    @property
    def multikey(self) -> str:
        """Its public part."""
        return encode_multikey(ED25519_PUB, ed25519.public_key(self.secret))

    def sign(self, message: bytes) -> bytes:
        """Its signature."""
        return ed25519.sign(self.secret, message)


class Reserve(Record):
    """The secret of the DID's next keys and its recovery key: apart from the state, off the device if so wished."""

    v: Literal[1] = 1
    chain_id: ChainId
    secret: Annotated[Bytes32, Field(repr=False)]


class HeldCredential(Record):
    """An issuer's signature on (G, U, V) that the wallet has verified under the ledger's key."""

    issuer: Did
    period: Natural
    document: IdentityDocument
    sigma_i: Sigma
    credential: dict[str, Any]


class HeldToken(Record):
    """What is needed to withdraw one token; τ itself is kept by the requester."""

    provider: Did
    index: Natural
    """The consent key is the ``index``-th of the seed."""
    cid: Bytes32
    h: Bytes32
    not_after: Text


class HeldConsent(Record):
    """One named consent and its tokens. ``status`` is the wallet's own view."""

    consent_id: Text
    named: dict[str, Any]
    tokens: Annotated[tuple[HeldToken, ...], Seq]
    status: Literal["signed", "paused", "withdrawn"]


class HeldDocument(Record):
    """A Verifiable Credential as it came, verified when it came; ``data`` is its JSON by RFC 8785."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{16}$")]
    received_ms: TimeMs
    issuer: Text
    types: Annotated[tuple[Text, ...], Seq]
    data: Annotated[Bytes, Field(repr=False)]


class AccessEntry(Record):
    """Who asked what, when, why, and which bands came back, as a signed request proves and members have told."""

    request: Bytes32
    """Hash of the signed request: the name of the use (B25)."""
    time_ms: TimeMs
    requester: Did
    provider: Did
    task: Bytes32
    purpose: Text
    views: Annotated[tuple[Text, ...], Seq]
    bands: dict[str, Natural] | None
    """By indicator; None while only the provider has told of the use, which does not learn any."""
    told_by: Annotated[tuple[Did, ...], Seq]
    """Sorted. A use that the provider tells and the requester does not is a matter for a complaint."""
    cid: Bytes32


class WalletState(Record):
    """The sealed content of one wallet."""

    v: Literal[2] = 2
    chain_id: ChainId
    seed: Annotated[Bytes32, Field(repr=False)]
    former: Annotated[tuple[Bytes32, ...], Seq, Field(repr=False, max_length=WALLET_FORMER_SEEDS_MAX)] = ()
    """Seeds of devices that were stolen: their consents are still withdrawn, nothing new is signed with them."""
    operation: Annotated[CreationOperation | CreationOperation2, Field(union_mode="left_to_right")]
    key: HeldKey
    next_index: Natural = 0
    credentials: Annotated[tuple[HeldCredential, ...], Seq] = ()
    consents: Annotated[tuple[HeldConsent, ...], Seq] = ()
    documents: Annotated[tuple[HeldDocument, ...], Seq] = ()
    access_log: Annotated[tuple[AccessEntry, ...], Seq] = ()


class _WalletState1(Record):
    """As wallets were before their DIDs could change; nothing ever wrote its log."""

    v: Literal[1] = 1
    chain_id: ChainId
    seed: Annotated[Bytes32, Field(repr=False)]
    operation: CreationOperation
    next_index: Natural = 0
    credentials: Annotated[tuple[HeldCredential, ...], Seq] = ()
    consents: Annotated[tuple[HeldConsent, ...], Seq] = ()
    access_log: Annotated[tuple[dict[str, Any], ...], Seq] = ()


def consent_key(state: WalletState, token: HeldToken) -> bytes:
    """Ed25519 seed of the token's rk: of the seed that stood when it was made, which the cid tells (AUTH-4)."""
    for seed in (state.seed, *reversed(state.former)):
        found = consent_seed(seed, state.chain_id, token.index)
        if cid_of(ed25519.public_key(found), token.not_after, token.h) == token.cid:
            return found
    return consent_seed(state.seed, state.chain_id, token.index)


def decode_state(data: bytes) -> WalletState:
    """The state in canonical bytes of this version or the one before. Raises ``FormatError`` of this version."""
    try:
        return WalletState.from_bytes(data, WALLET_BYTES_MAX)
    except FormatError as error:
        try:
            old = _WalletState1.from_bytes(data, WALLET_BYTES_MAX)
        except FormatError:
            raise error from None
    return WalletState(
        chain_id=old.chain_id,
        seed=old.seed,
        operation=old.operation,
        key=HeldKey(id=KEY_ID, secret=did_seed(old.seed, old.chain_id)),
        next_index=old.next_index,
        credentials=old.credentials,
        consents=old.consents,
    )
