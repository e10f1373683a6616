"""Batches of tokens: outcomes in their order, several issuers, each flaw under its own code (GATE-6, GATE-7, EQ-1)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from consent_kit import CHAIN, Maker, changed
from lianzheng.consent import batch
from lianzheng.consent.batch import KeyedToken, verify_tokens
from lianzheng.consent.model import Token
from lianzheng.consent.token import TokenPoints, verify_token
from lianzheng.crypto.hazmat.bls12381 import ORDER, scalar_from_bytes, scalar_to_bytes
from lianzheng.encoding.binary import b64u_encode
from lianzheng.errors import LianzhengError

MAKER = Maker()
OTHER = Maker()
KEY, OTHER_KEY = MAKER.key.public(), OTHER.key.public()
TOKENS = [MAKER.token()[0] for _ in range(8)]


def _codes(outcomes: list[batch.Outcome]) -> list[str]:
    return [outcome.code if isinstance(outcome, LianzhengError) else "ok" for outcome in outcomes]


def _wrong_response(token: Token) -> Token:
    response = (scalar_from_bytes(token.z) + 1) % ORDER
    spoilt: Token = changed(token, z=b64u_encode(scalar_to_bytes(response)))
    return spoilt


def test_no_tokens_no_outcomes() -> None:
    assert verify_tokens([], CHAIN) == []


def test_points_are_those_of_single_verification() -> None:
    keyed = [KeyedToken(token, KEY) for token in TOKENS] + [KeyedToken(OTHER.token()[0], OTHER_KEY)]
    assert verify_tokens(keyed, CHAIN) == [verify_token(item.token, CHAIN, item.issuer_key) for item in keyed]


FLAWS: list[tuple[str, Callable[[KeyedToken], KeyedToken]]] = [
    ("token_points_invalid", lambda item: item._replace(token=changed(item.token, a=b64u_encode(bytes(48))))),
    ("token_scalar_invalid", lambda item: item._replace(token=changed(item.token, z=b64u_encode(b"\xff" * 32)))),
    ("token_issuer_signature_invalid", lambda item: item._replace(issuer_key=OTHER_KEY)),
    ("token_holder_signature_invalid", lambda item: item._replace(token=_wrong_response(item.token))),
    # both signatures wrong: GATE-6 stands before GATE-7
    (
        "token_issuer_signature_invalid",
        lambda item: KeyedToken(_wrong_response(item.token), OTHER_KEY),
    ),
]


@pytest.mark.parametrize("at", [0, 3, 7])
def test_every_flaw_refuses_its_own_token_only(at: int) -> None:
    for code, spoil in FLAWS:
        keyed = [KeyedToken(token, KEY) for token in TOKENS]
        keyed[at] = spoil(keyed[at])
        assert _codes(verify_tokens(keyed, CHAIN)) == ["ok"] * at + [code] + ["ok"] * (7 - at)


def test_all_flaws_at_once() -> None:
    keyed = [KeyedToken(token, KEY) for token in TOKENS]
    for at, (_, spoil) in enumerate(FLAWS):
        keyed[at + 2] = spoil(keyed[at + 2])
    assert _codes(verify_tokens(keyed, CHAIN)) == ["ok", "ok", *(code for code, _ in FLAWS), "ok"]


def test_a_token_of_another_chain_is_refused_like_alone() -> None:
    assert _codes(verify_tokens([KeyedToken(TOKENS[0], KEY)], "another-chain")) == ["token_chain_wrong"]
    assert isinstance(verify_tokens([KeyedToken(TOKENS[0], KEY)], CHAIN)[0], TokenPoints)
