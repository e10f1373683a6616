"""Many tokens checked together: GATE-6 and GATE-7 with shared pairings, and each token's outcome its own (EQ-1)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from lianzheng.consent.model import Token
from lianzheng.consent.token import (
    TokenPoints,
    holder_transcript,
    read_token,
    verify_holder_signature,
    verify_issuer_signature,
)
from lianzheng.errors import LianzhengError
from lianzheng.zk.batch import KnowledgeClaim, SignatureClaim, invalid_schnorr, invalid_spseq
from lianzheng.zk.spseq import PublicKey

__all__ = ["KeyedToken", "Outcome", "verify_tokens"]

Outcome = TokenPoints | LianzhengError
"""A token's points, or the error that refuses it."""


class KeyedToken(NamedTuple):
    """A token and the key that its issuer has published for its period."""

    token: Token
    issuer_key: PublicKey


def verify_tokens(keyed: Sequence[KeyedToken], chain_id: str) -> list[Outcome]:
    """For each token its points, or the very error that ``consent.token.verify_token`` raises for it.

    Nothing is raised: a bad token refuses itself and no other. While nothing is flawed this costs one Miller loop a
    token and three an issuer key; a flawed token is searched for, and its own single verification has the last word.
    """
    outcomes = [_read(item, chain_id) for item in keyed]

    def refuse(live: list[tuple[int, TokenPoints]], flawed: Iterable[int], check: _Check) -> None:
        for at, points in (live[position] for position in flawed):
            outcomes[at] = _judged(check, keyed[at], points)

    live = _live(outcomes)
    refuse(live, invalid_spseq([_issuer_claim(keyed[at], points) for at, points in live]), _check_issuer)
    live = _live(outcomes)
    refuse(live, invalid_schnorr([_holder_claim(keyed[at], points) for at, points in live]), _check_holder)
    return outcomes


_Check = Callable[[KeyedToken, TokenPoints], None]


def _live(outcomes: Sequence[Outcome]) -> list[tuple[int, TokenPoints]]:
    return [(at, outcome) for at, outcome in enumerate(outcomes) if isinstance(outcome, TokenPoints)]


def _read(item: KeyedToken, chain_id: str) -> Outcome:
    try:
        return read_token(item.token, chain_id)
    except LianzhengError as error:
        return error


def _judged(check: _Check, item: KeyedToken, points: TokenPoints) -> Outcome:
    try:
        check(item, points)
    except LianzhengError as error:
        return error
    return points


def _issuer_claim(item: KeyedToken, points: TokenPoints) -> SignatureClaim:
    return SignatureClaim(item.issuer_key, (points.a, points.b, points.c), points.sigma_i)


def _holder_claim(item: KeyedToken, points: TokenPoints) -> KnowledgeClaim:
    return KnowledgeClaim(points.a, points.c, points.proof, holder_transcript(item.token, points))


def _check_issuer(item: KeyedToken, points: TokenPoints) -> None:
    verify_issuer_signature(points, item.issuer_key)


def _check_holder(item: KeyedToken, points: TokenPoints) -> None:
    verify_holder_signature(item.token, points)
