"""The wallet's acts as functions of its state: transactions, enrolment, consent, withdrawal. No storage, no clock."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lianzheng.consent.model import (
    ConsentPause,
    ConsentRecord,
    ConsentRevoke,
    Terms,
    cid_of,
    consent_key_name,
    grant_pop_bytes,
    record_hash,
    token_digest,
)
from lianzheng.consent.named import (
    ConsentOffer,
    Presentation,
    TokenLink,
    consent_text,
    name_consent,
    sign_named_consent,
)
from lianzheng.consent.submission import ConsentSubmission, TokenDelivery
from lianzheng.consent.text import salted_text
from lianzheng.consent.token import default_validity, make_token
from lianzheng.crypto import ed25519
from lianzheng.crypto.hazmat.bls12381 import G1, scalar_to_bytes
from lianzheng.encoding.model import Record
from lianzheng.errors import FormatError, RefusedError, VerificationError
from lianzheng.identity.credentials.kyc import verify_kyc_credential
from lianzheng.identity.did.model import CreationOperation2, DidCreate2
from lianzheng.identity.enrolment import (
    EnrolmentChallenge,
    EnrolmentRequest,
    EnrolmentResponse,
    IdentityDocument,
    make_enrolment_request,
)
from lianzheng.identity.idnorm import identity_element, normalise
from lianzheng.identity.model import DidCreate, IssuerKeyRecord, did_of, issuer_state_key
from lianzheng.identity.resolver import resolve_key
from lianzheng.ledger.context import MembersView, StateView
from lianzheng.ledger.sender import sign_transaction
from lianzheng.ledger.transaction import Transaction, TransactionBody
from lianzheng.limits import ANONYMITY_SET_MIN
from lianzheng.wallet.keys import consent_seed, holder_secret
from lianzheng.wallet.model import HeldConsent, HeldCredential, HeldToken, WalletState, consent_key
from lianzheng.zk import spseq

__all__ = [
    "SignedConsent",
    "WalletWarning",
    "accept_enrolment",
    "choose_credential",
    "create_did_transaction",
    "enrolment_request",
    "pause_transaction",
    "preview_text",
    "sign_consent",
    "withdraw_transactions",
]


@dataclass(frozen=True, slots=True)
class WalletWarning:
    """Something the investor should know; the act goes on."""

    code: str
    what: str
    number: int


@dataclass(frozen=True, slots=True, repr=False)
class SignedConsent:
    """For the requester (``submission``), for the wallet (``held``), for the screen (``warnings``)."""

    submission: ConsentSubmission
    held: HeldConsent
    warnings: tuple[WalletWarning, ...]


def create_did_transaction(state: WalletState, expires_at: int) -> Transaction:
    """``did.create``, signed by the DID's own key (ID-3)."""
    operation = state.operation
    payload = (
        DidCreate2(operation=operation) if isinstance(operation, CreationOperation2) else DidCreate(operation=operation)
    )
    body = TransactionBody(
        chain_id=state.chain_id,
        kind="did.create",
        sender=did_of(state.operation),
        key_id=state.key.id,
        nonce=1,
        expires_at=expires_at,
        payload=payload.to_json(),
    )
    return sign_transaction(body, state.key.sign)


def enrolment_request(
    state: WalletState, challenge: EnrolmentChallenge, issuer: str, document: IdentityDocument
) -> EnrolmentRequest:
    """The answer to the challenge of ``issuer`` (ID-7).

    Raises ``RefusedError`` ``enrolment_misdirected`` where the challenge is for another DID, network or issuer.
    """
    if (challenge.did, challenge.chain_id, challenge.issuer) != (did_of(state.operation), state.chain_id, issuer):
        raise RefusedError("enrolment_misdirected", "The challenge is for another DID, network or issuer.")
    secret = holder_secret(state.seed, state.chain_id)
    return make_enrolment_request(challenge, document, secret, state.key.id, state.key.sign)


def accept_enrolment(
    state: WalletState,
    response: EnrolmentResponse,
    issuer: str,
    document: IdentityDocument,
    ledger: StateView,
    now_ms: int,
    *,
    test_network: bool,
) -> WalletState:
    """The wallet holds the credential: σ_I verifies on the wallet's own U and V under the *ledger's* key (ID-7).

    Raises ``VerificationError``: ``credential_mismatch``, ``credential_key_unknown``,
    ``credential_signature_invalid``, those of ``verify_kyc_credential``; and those of ``normalise``.
    """
    me = did_of(state.operation)
    if (response.did, response.issuer, response.chain_id) != (me, issuer, state.chain_id):
        raise VerificationError("credential_mismatch", "The answer is for another DID, network or issuer.")
    value = ledger.get(issuer_state_key(issuer, response.period))
    if value is None:
        raise VerificationError("credential_key_unknown", "The ledger has no credential key of this issuer and period.")
    key = spseq.PublicKey.from_bytes(IssuerKeyRecord.from_json(value).key)
    idnorm = normalise(document.type, document.country, document.number, test_network=test_network)
    holder = G1.generator() * holder_secret(state.seed, state.chain_id)
    try:
        spseq.verify(key, (G1.generator(), identity_element(idnorm), holder), response.sigma_i.decode())
    except (FormatError, VerificationError) as error:
        raise VerificationError(
            "credential_signature_invalid", "The issuer's signature does not verify under its key on the ledger."
        ) from error
    verify_kyc_credential(
        response.credential,
        issuer=issuer,
        subject=me,
        resolve_key=lambda method: resolve_key(ledger, method),
        now_ms=now_ms,
    )
    held = HeldCredential(
        issuer=issuer,
        period=response.period,
        document=document,
        sigma_i=response.sigma_i,
        credential=response.credential,
    )
    kept = [item for item in state.credentials if (item.issuer, item.period) != (issuer, response.period)]
    return state.model_copy(update={"credentials": (*kept, held)})


def choose_credential(
    state: WalletState, requester: str, period: int, members: MembersView, issuer: str | None = None
) -> HeldCredential:
    """A credential of this period by an active issuer outside the requester's control group (GATE-5), the newest first.

    Raises ``RefusedError`` ``no_issuer_outside_group``: only a local assessment is possible; ``member_unknown``.
    """
    asking = members.get(requester)
    if asking is None:
        raise RefusedError("member_unknown", "The requester is not a member.")
    for held in reversed(state.credentials):
        member = members.get(held.issuer)
        if held.period != period or member is None or not member.active or issuer not in (None, held.issuer):
            continue
        if member.control_group != asking.control_group:
            return held
    raise RefusedError(
        "no_issuer_outside_group",
        "No credential of an issuer outside the requester's control group is held.",
        next_step="Enrol with another member, or be assessed locally only.",
    )


def preview_text(offer: ConsentOffer, period: int, genesis_time_ms: int) -> str:
    """The text to show before signing, for the default validity. Raises as ``consent_text``."""
    return consent_text(offer, *default_validity(period, genesis_time_ms))


def sign_consent(
    state: WalletState,
    offer: ConsentOffer,
    credential: HeldCredential,
    presentation: Presentation,
    *,
    genesis_time_ms: int,
    now_ms: int,
    test_network: bool,
    validity: tuple[str, str] | None = None,
    shared_by: Mapping[str, int] | None = None,
) -> tuple[WalletState, SignedConsent]:
    """Named consent and one token for each provider of the offer (AUTH-1..3); the new state has used up its keys.

    ``validity`` defaults to the credential's whole period (AUTH-1). ``shared_by`` says how many people share a value
    of the terms (such as ``issuer``); fewer than 100 give warning ``anonymity_set_small``, any other validity
    ``validity_unusual``. Raises ``FormatError`` ``network_wrong`` and as ``consent_text``.
    """
    if offer.chain_id != state.chain_id:
        raise FormatError("network_wrong", "The offer is for another network.")
    usual = default_validity(credential.period, genesis_time_ms)
    days = usual if validity is None else validity
    text = consent_text(offer, *days)
    maker = _TokenMaker(state, offer, credential, days, text, test_network)
    made = [maker.make(number) for number in range(len(offer.providers))]
    links = [link for _, link, _ in made]
    named = name_consent(offer, did_of(state.operation), days, presentation, links, now_ms)
    document = sign_named_consent(named, state.key.id, now_ms, state.key.sign)
    submission = ConsentSubmission(named=document, tokens=tuple(delivery for delivery, _, _ in made))
    held = HeldConsent(
        consent_id=offer.consent_id, named=document, tokens=tuple(token for _, _, token in made), status="signed"
    )
    warnings = [] if days == usual else [WalletWarning("validity_unusual", "not_after", 0)]
    warnings += [
        WalletWarning("anonymity_set_small", what, people)
        for what, people in sorted((shared_by or {}).items())
        if people < ANONYMITY_SET_MIN
    ]
    used = state.model_copy(update={"next_index": state.next_index + len(made), "consents": (*state.consents, held)})
    return used, SignedConsent(submission, held, tuple(warnings))


def withdraw_transactions(state: WalletState, tokens: Sequence[HeldToken], expires_at: int) -> tuple[Transaction, ...]:
    """``consent.revoke`` signed by each token's own key; any member's node takes them (AUTH-4)."""
    made = []
    for token in tokens:
        seed = consent_key(state, token)
        payload = ConsentRevoke(rk=ed25519.public_key(seed), not_after=token.not_after, h=token.h)
        made.append(_by_consent_key(state, seed, "consent.revoke", expires_at, payload))
    return tuple(made)


def pause_transaction(
    state: WalletState, token: HeldToken, record: ConsentRecord, expires_at: int, *, resume: bool = False
) -> Transaction:
    """``consent.pause`` (or ``resume``) of one token, on its present record (AUTH-4)."""
    payload = ConsentPause(cid=token.cid, seq=record.seq + 1, prev=record_hash(record))
    kind = "consent.resume" if resume else "consent.pause"
    return _by_consent_key(state, consent_key(state, token), kind, expires_at, payload)


class _TokenMaker:
    """Makes the tokens of one consent."""

    def __init__(
        self,
        state: WalletState,
        offer: ConsentOffer,
        credential: HeldCredential,
        days: tuple[str, str],
        text: str,
        test_network: bool,
    ) -> None:
        self._state, self._offer, self._credential, self._days, self._text = state, offer, credential, days, text
        document = credential.document
        idnorm = normalise(document.type, document.country, document.number, test_network=test_network)
        self._element = identity_element(idnorm)
        self._holder = holder_secret(state.seed, state.chain_id)
        self._signature = credential.sigma_i.decode()

    def make(self, number: int) -> tuple[TokenDelivery, TokenLink, HeldToken]:
        """The token for the ``number``-th provider of the offer; salt, nonce, rk and r are its own."""
        state, offer = self._state, self._offer
        provider, index = offer.providers[number], state.next_index + number
        rk_seed = consent_seed(state.seed, state.chain_id, index)
        salt = secrets.token_bytes(32)
        terms = self._terms(number, ed25519.public_key(rk_seed), salt)
        token, r = make_token(terms, self._element, self._holder, self._signature)
        h = token_digest(token)
        cid = cid_of(terms.rk, terms.not_after, h)
        pop = ed25519.sign(rk_seed, grant_pop_bytes(state.chain_id, cid, offer.requester.did))
        return (
            TokenDelivery(token=token.to_bytes(), r=scalar_to_bytes(r), pop=pop),
            TokenLink(provider=provider.did, cid=cid, salt=salt),
            HeldToken(provider=provider.did, index=index, cid=cid, h=h, not_after=terms.not_after),
        )

    def _terms(self, number: int, rk: bytes, salt: bytes) -> Terms:
        offer, provider = self._offer, self._offer.providers[number]
        return Terms(
            chain_id=offer.chain_id,
            requester=offer.requester.did,
            provider=provider.did,
            agent=None,
            purpose=offer.purpose,
            views=tuple(sorted(provider.views)),
            function=offer.function,
            not_before=self._days[0],
            not_after=self._days[1],
            max_uses=provider.max_uses,
            issuer=self._credential.issuer,
            credential_period=self._credential.period,
            rk=rk,
            template=offer.template,
            text=salted_text(salt, self._text),
            nonce=secrets.token_bytes(32),
        )


def _by_consent_key(state: WalletState, seed: bytes, kind: str, expires_at: int, payload: Record) -> Transaction:
    rk = ed25519.public_key(seed)
    body = TransactionBody(
        chain_id=state.chain_id,
        kind=kind,
        sender=consent_key_name(rk),
        key_id="",
        nonce=None,
        expires_at=expires_at,
        payload=payload.to_json(),
    )
    return sign_transaction(body, lambda data: ed25519.sign(seed, data))
