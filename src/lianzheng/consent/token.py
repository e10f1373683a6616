"""Making and checking tokens (AUTH-1, AUTH-2, GATE-3, GATE-5..7).

::

    (A, B, C) = r·(G, U, V),  σ' = σ_I changed by (r, ψ)              r uniform in [2, q), fresh per token
    transcript "token": "suite", "terms" JCS, "points" A B C, "sigma_i" Z Y Ŷ, "keys" JCS
    (R, z)    = Schnorr of v with C = v·A, in that transcript

Each check has its own reason code and raises it (CON-6); the order of a gate is theirs to keep (§6).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from lianzheng.clock import DAY_MS, day_of, end_of_day_ms, start_of_day_ms
from lianzheng.consent.model import Terms, Token, TokenKeys
from lianzheng.crypto.hazmat.bls12381 import G1, random_scalar, scalar_from_bytes, scalar_to_bytes
from lianzheng.errors import FormatError, RefusedError, VerificationError
from lianzheng.identity.model import IssuerKeyRecord, Sigma, credential_key_id, issuer_state_key
from lianzheng.ledger.context import MembersView, StateView
from lianzheng.limits import CREDENTIAL_OVERLAP_MS, CREDENTIAL_PERIOD_MS, TERMS_DAYS_MAX
from lianzheng.registry import FUNCTIONS, PURPOSES, check_view
from lianzheng.zk import schnorr, spseq
from lianzheng.zk.schnorr import SchnorrProof
from lianzheng.zk.transcript import Transcript

__all__ = [
    "SUITE",
    "TokenPoints",
    "check_dates",
    "check_issuer",
    "check_key_period",
    "check_terms",
    "check_views",
    "decode_points",
    "default_validity",
    "holder_transcript",
    "last_day",
    "make_token",
    "read_token",
    "verify_holder_signature",
    "verify_issuer_signature",
    "verify_token",
]

SUITE = "BLS12381-SPSEQ-SCHNORR-SHA-256"


class TokenPoints(NamedTuple):
    """A token's decoded group elements."""

    a: G1
    b: G1
    c: G1
    sigma_i: spseq.Signature
    proof: SchnorrProof


# --- the wallet's side ---------------------------------------------------------------------------------------


def make_token(terms: Terms, u: G1, holder_secret: int, signature: spseq.Signature) -> tuple[Token, int]:
    """τ and its r for one provider (AUTH-2). ``signature`` is the issuer's on the class of (G, U, V).

    r is as good as the identity number for whoever holds it: give it to the requester and to nobody else.
    """
    r = random_scalar()
    message = (G1.generator(), u, G1.generator() * holder_secret)
    (a, b, c), changed = spseq.change_representative(message, signature, r)
    keys = TokenKeys(sigma_i=credential_key_id(terms.issuer, terms.credential_period))
    sigma = Sigma.of(changed)
    proof = schnorr.prove(a, c, holder_secret, _transcript(terms, a, b, c, sigma, keys))
    token = Token(
        terms=terms,
        a=a.to_bytes(),
        b=b.to_bytes(),
        c=c.to_bytes(),
        sigma_i=sigma,
        keys=keys,
        R=proof.commitment.to_bytes(),
        z=scalar_to_bytes(proof.response),
    )
    return token, r


def last_day(credential_period: int, genesis_time_ms: int) -> str:
    """The last not_after that terms of this period may carry: end(not_after) < end(p) + overlap (B13)."""
    limit_ms = genesis_time_ms + (credential_period + 1) * CREDENTIAL_PERIOD_MS + CREDENTIAL_OVERLAP_MS
    day = day_of(limit_ms)
    return day if end_of_day_ms(day) < limit_ms else day_of(limit_ms - DAY_MS)


def default_validity(credential_period: int, genesis_time_ms: int) -> tuple[str, str]:
    """First and last day of the default terms, shared by everybody who consents in the period (AUTH-1)."""
    first = day_of(genesis_time_ms + credential_period * CREDENTIAL_PERIOD_MS)
    return first, last_day(credential_period, genesis_time_ms)


# --- the checks ----------------------------------------------------------------------------------------------


def check_terms(terms: Terms, *, chain_id: str, provider: str, version_min: int = 1) -> None:
    """GATE-3 without dates and policy: these terms are for this chain and provider, and name what exists.

    Raises ``RefusedError``: ``token_version_retired``, ``token_chain_wrong``, ``token_provider_wrong``,
    ``token_purpose_unknown``, ``token_function_unknown``, ``token_view_forbidden`` (not under this purpose).
    """
    if terms.v < version_min:
        raise RefusedError("token_version_retired", "Tokens of this version are not accepted any more.")
    if terms.chain_id != chain_id:
        raise RefusedError("token_chain_wrong", "The terms are for another network.")
    if terms.provider != provider:
        raise RefusedError("token_provider_wrong", "The terms name another provider.")
    purpose = PURPOSES.get(terms.purpose)
    if purpose is None:
        raise RefusedError("token_purpose_unknown", "The purpose of the terms is not in the registry.")
    if terms.function not in FUNCTIONS or terms.function not in purpose.functions:
        raise RefusedError("token_function_unknown", "The function of the terms does not serve their purpose.")
    for view in terms.views:
        _, bundle, form = view.split("/")
        if bundle not in purpose.bundles:
            raise RefusedError("token_view_forbidden", "A view of the terms may not be asked for under their purpose.")
        check_view(bundle, form)


def check_views(terms: Terms, views: Collection[str]) -> None:
    """Every view asked for stands in the terms (GATE-0, GATE-3). Raises ``token_view_not_in_terms``."""
    if not set(views) <= set(terms.views):
        raise RefusedError("token_view_not_in_terms", "A view that is asked for does not stand in the terms.")


def check_dates(terms: Terms, *, now_ms: int, block_ms: int, genesis_time_ms: int) -> None:
    """The dates hold by this node's clock and, for the end, by block time too (AUTH-1, GATE-3, B2, B13).

    Raises ``RefusedError``: ``token_validity_invalid`` (reversed or over 365 days), ``token_outlives_key``,
    ``token_not_yet_valid``, ``token_expired``.
    """
    start_ms, end_ms = start_of_day_ms(terms.not_before), end_of_day_ms(terms.not_after)
    if not 0 < end_ms - start_ms < TERMS_DAYS_MAX * DAY_MS:
        raise RefusedError("token_validity_invalid", "The terms end before they begin or run for over 365 days.")
    if terms.not_after > last_day(terms.credential_period, genesis_time_ms):
        raise RefusedError("token_outlives_key", "The terms run past the end of the credential key's period.")
    if now_ms < start_ms:
        raise RefusedError("token_not_yet_valid", "The terms are not in force yet.")
    if max(now_ms, block_ms) > end_ms:
        raise RefusedError("token_expired", "The terms are no longer in force.")


def check_issuer(terms: Terms, members: MembersView, others: Sequence[str]) -> None:
    """GATE-5, first half: the issuer is active and outside the control groups of ``others`` (requester, agents).

    Raises ``RefusedError``: ``token_issuer_unknown``, ``token_issuer_inactive``, ``token_issuer_group_forbidden``,
    ``member_unknown`` where one of ``others`` is no member.
    """
    issuer = members.get(terms.issuer)
    if issuer is None:
        raise RefusedError("token_issuer_unknown", "The issuer named in the terms is not a member.")
    if not issuer.active:
        raise RefusedError("token_issuer_inactive", "The issuer named in the terms is not active.")
    for did in others:
        other = members.get(did)
        if other is None:
            raise RefusedError("member_unknown", "A party to the terms is not a member.")
        if other.control_group == issuer.control_group:
            raise RefusedError(
                "token_issuer_group_forbidden",
                "The issuer belongs to the requester's own control group.",
                next_step="The investor needs a credential of another member.",
            )


def check_key_period(token: Token, state: StateView, *, block_ms: int, genesis_time_ms: int) -> IssuerKeyRecord:
    """GATE-5, second half: the ledger's credential key that the token must stand under.

    Raises ``RefusedError``: ``token_key_mismatch`` (key name unlike the terms), ``token_key_period_over``,
    ``token_key_period_future``, ``token_issuer_key_unknown``.
    """
    terms = token.terms
    _check_key_name(token)
    start_ms = genesis_time_ms + terms.credential_period * CREDENTIAL_PERIOD_MS
    if block_ms < start_ms:
        raise RefusedError("token_key_period_future", "The credential key's period has not begun.")
    if block_ms >= start_ms + CREDENTIAL_PERIOD_MS + CREDENTIAL_OVERLAP_MS:
        raise RefusedError("token_key_period_over", "The credential key's period and overlap are over.")
    value = state.get(issuer_state_key(terms.issuer, terms.credential_period))
    if value is None:
        raise RefusedError("token_issuer_key_unknown", "The issuer has published no credential key for this period.")
    return IssuerKeyRecord.from_json(value)


def decode_points(token: Token) -> TokenPoints:
    """The token's group elements (CON-4).

    Raises ``VerificationError``: ``token_points_invalid`` (malformed, off the curve, outside the subgroup or the
    identity), ``token_scalar_invalid`` (z ≥ q), ``token_not_randomised`` (A = G: r = 1 hides nothing).
    """
    try:
        a, b, c = G1.from_bytes(token.a), G1.from_bytes(token.b), G1.from_bytes(token.c)
        sigma = token.sigma_i.decode()
        commitment = G1.from_bytes(token.R)
    except FormatError as error:
        raise VerificationError(
            "token_points_invalid", "A point of the token is refused.", detail=error.code
        ) from error
    try:
        response = scalar_from_bytes(token.z)
    except FormatError as error:
        raise VerificationError("token_scalar_invalid", "The token's response is not a scalar below q.") from error
    if a == G1.generator():
        raise VerificationError("token_not_randomised", "The token's A is the generator.")
    return TokenPoints(a, b, c, sigma, SchnorrProof(commitment, response))


def verify_issuer_signature(points: TokenPoints, issuer_key: spseq.PublicKey) -> None:
    """GATE-6: σ_I is the issuer's on (A, B, C). Raises ``VerificationError`` ``token_issuer_signature_invalid``."""
    _translate(
        "token_issuer_signature_invalid",
        "The issuer's signature in the token does not verify.",
        lambda: spseq.verify(issuer_key, (points.a, points.b, points.c), points.sigma_i),
    )


def verify_holder_signature(token: Token, points: TokenPoints) -> None:
    """GATE-7: whoever knows v signed exactly these terms. Raises ``token_holder_signature_invalid``."""
    transcript = holder_transcript(token, points)
    _translate(
        "token_holder_signature_invalid",
        "The holder's signature over the terms does not verify.",
        lambda: schnorr.verify(points.a, points.c, points.proof, transcript),
    )


def holder_transcript(token: Token, points: TokenPoints) -> Transcript:
    """What the holder's Schnorr proof (base A, public C) is bound to: all of the token but R and z (AUTH-2)."""
    return _transcript(token.terms, points.a, points.b, points.c, token.sigma_i, token.keys)


def verify_token(token: Token, chain_id: str, issuer_key: spseq.PublicKey) -> TokenPoints:
    """The token is whole: points, key name, GATE-6 and GATE-7. Nothing here looks at parties, dates or the ledger.

    Raises the codes of :func:`read_token`, :func:`verify_issuer_signature` and :func:`verify_holder_signature`.
    """
    points = read_token(token, chain_id)
    verify_issuer_signature(points, issuer_key)
    verify_holder_signature(token, points)
    return points


def read_token(token: Token, chain_id: str) -> TokenPoints:
    """What must hold before any signature is looked at: this chain, the right key's name, well-formed elements.

    Raises ``token_chain_wrong``, ``token_key_mismatch`` and the codes of :func:`decode_points`.
    """
    if token.terms.chain_id != chain_id:
        raise RefusedError("token_chain_wrong", "The terms are for another network.")
    _check_key_name(token)
    return decode_points(token)


def _transcript(terms: Terms, a: G1, b: G1, c: G1, sigma: Sigma, keys: TokenKeys) -> Transcript:
    transcript = Transcript("token", terms.chain_id)
    transcript.absorb("suite", SUITE)
    transcript.absorb("terms", terms.to_bytes())
    transcript.absorb("points", a, b, c)
    transcript.absorb("sigma_i", sigma.z, sigma.y, sigma.y2)
    transcript.absorb("keys", keys.to_bytes())
    return transcript


def _check_key_name(token: Token) -> None:
    terms = token.terms
    if token.keys.sigma_i != credential_key_id(terms.issuer, terms.credential_period):
        raise RefusedError("token_key_mismatch", "The token's key name does not fit issuer and period of its terms.")


def _translate(code: str, text: str, check: Callable[[], None]) -> None:
    try:
        check()
    except VerificationError as error:
        raise VerificationError(code, text, detail=error.code) from error
