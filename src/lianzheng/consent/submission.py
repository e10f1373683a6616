"""What the wallet hands the requester, and the checks that make it a consent (AUTH-2, AUTH-3, AUTH-4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from lianzheng.consent.model import Grant, Token, cid_of, decode_token, grant_pop_bytes, token_digest
from lianzheng.consent.named import NamedConsent, OfferedProvider, TokenLink, verify_named_consent
from lianzheng.consent.text import salted_text
from lianzheng.consent.token import check_dates, check_issuer, check_key_period, check_terms, verify_token
from lianzheng.crypto import ed25519
from lianzheng.crypto.hazmat.bls12381 import G1, scalar_from_bytes
from lianzheng.encoding.model import Bytes, Bytes32, Bytes64, Record, Seq
from lianzheng.errors import FormatError, RefusedError, VerificationError
from lianzheng.ledger.context import MembersView, StateView
from lianzheng.limits import CONSENT_TOKENS_MAX, TOKEN_BYTES_MAX
from lianzheng.zk.spseq import PublicKey

__all__ = ["CheckedToken", "ConsentSubmission", "Desk", "TokenDelivery", "check_submission"]


class TokenDelivery(Record):
    """τ with its r, and rk's permission for this requester to post the grant."""

    token: Annotated[Bytes, Field(min_length=1, max_length=TOKEN_BYTES_MAX)]
    r: Annotated[Bytes32, Field(repr=False)]
    pop: Bytes64


class ConsentSubmission(Record):
    """Named consent and one token per provider; personal data throughout."""

    v: Literal[1] = 1
    named: dict[str, Any]
    tokens: Annotated[tuple[TokenDelivery, ...], Seq, Field(min_length=1, max_length=CONSENT_TOKENS_MAX)]


@dataclass(frozen=True, slots=True, repr=False)
class CheckedToken:
    """One token that has passed every check of the requester. ``r`` is as good as the identity number."""

    provider: str
    token: Token
    r: int
    grant: Grant


@dataclass(frozen=True, slots=True)
class Desk:
    """Where a submission is checked: who receives it, under which ledger state, at what time."""

    requester: str
    chain_id: str
    genesis_time_ms: int
    state: StateView
    members: MembersView
    now_ms: int
    block_ms: int


def check_submission(
    submission: ConsentSubmission, desk: Desk, element: Callable[[str], G1], resolve_key: Callable[[str], bytes]
) -> tuple[NamedConsent, tuple[CheckedToken, ...]]:
    """The consent and its tokens, every one of them about the customer named, for this requester, in accord.

    ``element`` gives U of a client reference. Raises the codes of ``verify_named_consent``, ``check_terms``,
    ``check_dates``, ``check_issuer``, ``check_key_period``, ``verify_token``, and ``consent_requester_mismatch``,
    ``consent_network_wrong``, ``consent_tokens_mismatch``, ``consent_cid_mismatch``, ``consent_terms_mismatch``,
    ``consent_text_mismatch``, ``consent_person_mismatch``, ``consent_pop_invalid``.
    """
    named = verify_named_consent(submission.named, resolve_key, desk.now_ms)
    offer = named.offer
    if offer.requester.did != desk.requester:
        raise RefusedError("consent_requester_mismatch", "The consent names another requester.")
    if offer.chain_id != desk.chain_id:
        raise RefusedError("consent_network_wrong", "The consent is for another network.")
    providers = [provider.did for provider in offer.providers]
    listed = [link.provider for link in named.tokens]
    if len(submission.tokens) != len(providers) or listed != providers or len(set(providers)) != len(providers):
        raise VerificationError("consent_tokens_mismatch", "Providers, tokens and list of tokens do not correspond.")
    u = element(offer.client_reference)
    rows = zip(submission.tokens, named.tokens, offer.providers, strict=True)
    return named, tuple(_check_one(delivery, link, provider, named, desk, u) for delivery, link, provider in rows)


def _check_one(
    delivery: TokenDelivery, link: TokenLink, provider: OfferedProvider, named: NamedConsent, desk: Desk, u: G1
) -> CheckedToken:
    token = decode_token(delivery.token)
    terms = token.terms
    h = token_digest(token)
    if cid_of(terms.rk, terms.not_after, h) != link.cid:
        raise VerificationError("consent_cid_mismatch", "A token is not the one that the named consent lists.")
    _check_terms_agree(token, provider, named)
    if terms.text != salted_text(link.salt, named.text):
        raise VerificationError("consent_text_mismatch", "A token stands for another text than the one shown.")
    check_terms(terms, chain_id=desk.chain_id, provider=provider.did)
    check_dates(terms, now_ms=desk.now_ms, block_ms=desk.block_ms, genesis_time_ms=desk.genesis_time_ms)
    check_issuer(terms, desk.members, (terms.requester,))
    key = check_key_period(token, desk.state, block_ms=desk.block_ms, genesis_time_ms=desk.genesis_time_ms)
    points = verify_token(token, desk.chain_id, PublicKey.from_bytes(key.key))
    try:
        r = scalar_from_bytes(delivery.r)
    except FormatError as error:
        raise VerificationError("consent_person_mismatch", "r is not a scalar below q.") from error
    if points.a != G1.generator() * r or points.b != u * r:
        raise VerificationError("consent_person_mismatch", "A token is not about the customer that the consent names.")
    try:
        ed25519.verify(terms.rk, grant_pop_bytes(desk.chain_id, link.cid, desk.requester), delivery.pop)
    except VerificationError as error:
        raise VerificationError(
            "consent_pop_invalid", "rk has not allowed this requester to post the grant."
        ) from error
    grant = Grant(rk=terms.rk, not_after=terms.not_after, h=h, pop=delivery.pop)
    return CheckedToken(provider.did, token, r, grant)


def _check_terms_agree(token: Token, provider: OfferedProvider, named: NamedConsent) -> None:
    terms, offer = token.terms, named.offer
    agree = (
        terms.requester == offer.requester.did
        and terms.provider == provider.did
        and terms.agent is None
        and terms.purpose == offer.purpose
        and terms.function == offer.function
        and terms.views == tuple(sorted(provider.views))
        and terms.max_uses == provider.max_uses
        and terms.not_before == named.not_before
        and terms.not_after == named.not_after
        and terms.template == offer.template
    )
    if not agree:
        raise VerificationError("consent_terms_mismatch", "A token's terms say something else than the named consent.")
