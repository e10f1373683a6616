"""A token altered in one place is refused with that place's own code (AUTH-2, §4, GATE-3, GATE-5..7, CON-4)."""

from __future__ import annotations

from typing import Any

import pytest

from consent_kit import ALPHA, BETA, CHAIN, DELTA, GAMMA, START_MS, Maker, changed
from lianzheng.clock import DAY_MS, day_of, end_of_day_ms, start_of_day_ms
from lianzheng.consent.batch import KeyedToken, verify_tokens
from lianzheng.consent.model import Token, TokenKeys, decode_token
from lianzheng.consent.token import (
    TokenPoints,
    check_dates,
    check_issuer,
    check_key_period,
    check_terms,
    check_views,
    decode_points,
    default_validity,
    last_day,
    make_token,
    verify_holder_signature,
    verify_token,
)
from lianzheng.crypto.hazmat.bls12381 import G1, G2, ORDER, random_scalar, scalar_to_bytes
from lianzheng.encoding.binary import b64u_encode
from lianzheng.errors import LianzhengError, VerificationError
from lianzheng.identity.model import IssuerKeyRecord, credential_key_id, issuer_state_key
from lianzheng.ledger.context import MemberView
from lianzheng.ledger.state import MemoryState
from lianzheng.limits import CREDENTIAL_OVERLAP_MS, CREDENTIAL_PERIOD_MS
from lianzheng.zk import schnorr, spseq
from lianzheng.zk.transcript import Transcript

MAKER = Maker()
TOKEN, R = MAKER.token()
OTHER_TOKEN, _ = MAKER.token()
PUBLIC = MAKER.key.public()
FIRST, LAST = default_validity(0, START_MS)


def _verify(token: Token, key: spseq.PublicKey = PUBLIC, chain_id: str = CHAIN) -> None:
    """Alone and among honest tokens: a batch says the same of it, and the same of the others as without it."""
    decoded = decode_token(token.to_bytes())
    among = [KeyedToken(TOKEN, PUBLIC), KeyedToken(decoded, key), KeyedToken(OTHER_TOKEN, PUBLIC)]
    before, outcome, after = verify_tokens(among, chain_id)
    try:
        verify_token(decoded, chain_id, key)
    except LianzhengError as error:
        assert isinstance(outcome, LianzhengError)
        assert (type(outcome), outcome.code, outcome.text) == (type(error), error.code, error.text)
        raise
    finally:
        assert all(isinstance(one, TokenPoints) == (chain_id == CHAIN) for one in (before, after))
    assert isinstance(outcome, TokenPoints)


def _refused(code: str, token: Token, key: spseq.PublicKey = PUBLIC) -> None:
    with pytest.raises(LianzhengError) as caught:
        _verify(token, key)
    assert caught.value.code == code


def test_the_token_itself_passes() -> None:
    _verify(TOKEN)
    assert G1.from_bytes(TOKEN.b) == MAKER.u * R
    assert len(TOKEN.to_bytes()) < 4096


# --- one alteration each -------------------------------------------------------------------------------------

TERMS_CHANGES: list[dict[str, Any]] = [
    {"terms__requester": DELTA.did},
    {"terms__provider": GAMMA.did},
    {"terms__agent": DELTA.did},
    {"terms__purpose": "suitability-matching"},
    {"terms__views": ["beta-assets/wealth/bands", "beta-assets/wealth/i01-ge-3"]},
    {"terms__function": "intersection"},
    {"terms__not_before": "2026-01-01"},
    {"terms__not_after": "2026-11-30"},
    {"terms__max_uses": 13},
    {"terms__rk": b64u_encode(bytes(32))},
    {"terms__template": "sharing-en-1"},
    {"terms__text": b64u_encode(b"\1" * 32)},
    {"terms__nonce": b64u_encode(b"\2" * 32)},
]


@pytest.mark.parametrize("change", TERMS_CHANGES, ids=lambda change: next(iter(change)))
def test_altered_terms(change: dict[str, Any]) -> None:
    _refused("token_holder_signature_invalid", changed(TOKEN, **change))


def test_altered_issuer_and_period() -> None:
    _refused("token_key_mismatch", changed(TOKEN, terms__issuer=BETA.did))
    _refused("token_key_mismatch", changed(TOKEN, terms__credential_period=1))
    _refused("token_key_mismatch", changed(TOKEN, keys__sigma_i=credential_key_id(BETA.did, 0)))
    both = changed(TOKEN, terms__issuer=BETA.did, keys__sigma_i=credential_key_id(BETA.did, 0))
    _refused("token_issuer_signature_invalid", both, spseq.SecretKey.generate().public())
    _refused("token_holder_signature_invalid", both)


def test_another_network() -> None:
    _refused("token_chain_wrong", changed(TOKEN, terms__chain_id="other"))
    with pytest.raises(LianzhengError, match="token_chain_wrong"):
        _verify(TOKEN, chain_id="other")


OTHER_POINT = (G1.generator() * 7).to_bytes()
OUTSIDE = bytes.fromhex("80" + "00" * 46 + "04")  # on the curve, not in the subgroup
BAD_POINTS = {
    "identity": b"\xc0" + bytes(47),
    "identity in another spelling": b"\xe0" + bytes(47),
    "not a coordinate": b"\x9f" + b"\xff" * 47,
    "outside the subgroup": OUTSIDE,
    "uncompressed flag": b"\x00" * 48,
}


@pytest.mark.parametrize("name", ["a", "b", "c", "R", "sigma_i__z", "sigma_i__y"])
@pytest.mark.parametrize("bad", BAD_POINTS.values(), ids=BAD_POINTS)
def test_points_that_are_none(name: str, bad: bytes) -> None:
    _refused("token_points_invalid", changed(TOKEN, **{name: b64u_encode(bad)}))


def test_the_g2_point_of_the_signature() -> None:
    for bad in (b"\xc0" + bytes(95), b"\x80" + bytes(94) + b"\x02", b"\xff" * 96):
        _refused("token_points_invalid", changed(TOKEN, sigma_i__y2=b64u_encode(bad)))
    other = b64u_encode((G2.generator() * 5).to_bytes())
    _refused("token_issuer_signature_invalid", changed(TOKEN, sigma_i__y2=other))


@pytest.mark.parametrize("name", ["a", "b", "c", "sigma_i__z", "sigma_i__y"])
def test_another_point_breaks_the_issuers_signature(name: str) -> None:
    _refused("token_issuer_signature_invalid", changed(TOKEN, **{name: b64u_encode(OTHER_POINT)}))


def test_another_commitment_or_response_breaks_the_holders() -> None:
    _refused("token_holder_signature_invalid", changed(TOKEN, R=b64u_encode(OTHER_POINT)))
    z = int.from_bytes(TOKEN.z, "big")
    _refused("token_holder_signature_invalid", changed(TOKEN, z=b64u_encode(scalar_to_bytes((z + 1) % ORDER))))


def test_every_part_of_the_token_is_in_what_the_holder_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    """GATE-7 by itself: the issuer's signature, which is looked at before, must not be all that binds a part."""
    points, other = decode_points(TOKEN), decode_points(OTHER_TOKEN)
    verify_holder_signature(TOKEN, points)
    sigma, another = TOKEN.sigma_i, OTHER_TOKEN.sigma_i
    altered: list[tuple[Token, TokenPoints]] = [
        (TOKEN, points._replace(a=other.a)),
        (TOKEN, points._replace(b=other.b)),
        (TOKEN, points._replace(c=other.c)),
        *(
            (TOKEN.model_copy(update={"sigma_i": sigma.model_copy(update={name: getattr(another, name)})}), points)
            for name in ("z", "y", "y2")
        ),
        (TOKEN.model_copy(update={"keys": TokenKeys(sigma_i=credential_key_id(TOKEN.terms.issuer, 1))}), points),
        (TOKEN.model_copy(update={"terms": TOKEN.terms.model_copy(update={"nonce": bytes(32)})}), points),
    ]
    for token, its_points in altered:
        with pytest.raises(VerificationError, match="token_holder_signature_invalid"):
            verify_holder_signature(token, its_points)
    monkeypatch.setattr("lianzheng.consent.token.SUITE", "BLS12381-SPSEQ-SCHNORR-SHA-512")
    with pytest.raises(VerificationError, match="token_holder_signature_invalid"):
        verify_holder_signature(TOKEN, points)


@pytest.mark.parametrize("z", [ORDER, 2**256 - 1, int.from_bytes(TOKEN.z, "big") + ORDER], ids=["q", "max", "z+q"])
def test_responses_not_below_q(z: int) -> None:
    if z >= 2**256:
        pytest.skip("z + q does not fit 32 bytes for this token")
    _refused("token_scalar_invalid", changed(TOKEN, z=b64u_encode(z.to_bytes(32, "big"))))


def test_a_that_is_the_generator() -> None:
    """r = 1 hides nothing: U would travel as B."""
    message = (G1.generator(), MAKER.u, G1.generator() * MAKER.v)
    signature = spseq.sign(MAKER.key, message)
    bare = changed(
        TOKEN,
        a=b64u_encode(message[0].to_bytes()),
        b=b64u_encode(message[1].to_bytes()),
        c=b64u_encode(message[2].to_bytes()),
        sigma_i={name: b64u_encode(getattr(signature, name).to_bytes()) for name in ("z", "y", "y2")},
    )
    _refused("token_not_randomised", bare)


def test_points_and_signature_on_different_representatives() -> None:
    """The same class under two r: σ' of one with (A, B, C) of the other."""
    other, _ = make_token(TOKEN.terms, MAKER.u, MAKER.v, MAKER.signature())
    mixed = TOKEN.model_copy(update={"sigma_i": other.sigma_i})
    _refused("token_issuer_signature_invalid", mixed)
    _refused("token_holder_signature_invalid", changed(other, R=TOKEN.to_json()["R"], z=TOKEN.to_json()["z"]))


def test_another_persons_element_under_the_same_signature() -> None:
    u = MAKER.u * 3
    forged, _ = make_token(MAKER.terms(), u, MAKER.v, MAKER.signature())
    _refused("token_issuer_signature_invalid", forged)


def test_schnorr_under_a_wrong_v() -> None:
    """Whoever has points and σ' but not v cannot sign other terms under them."""
    wrong = random_scalar()
    a, c = G1.from_bytes(TOKEN.a), G1.from_bytes(TOKEN.c)
    transcript = Transcript("token", CHAIN)
    transcript.absorb("terms", TOKEN.terms.to_bytes())
    proof = schnorr.prove(a, c, wrong, transcript)
    forged = TOKEN.model_copy(update={"R": proof.commitment.to_bytes(), "z": scalar_to_bytes(proof.response)})
    _refused("token_holder_signature_invalid", forged)


def test_a_key_with_exchanged_parts_or_of_another_period() -> None:
    x1, x2, x3 = PUBLIC
    _refused("token_issuer_signature_invalid", TOKEN, spseq.PublicKey(x2, x1, x3))
    _refused("token_issuer_signature_invalid", TOKEN, spseq.SecretKey.generate().public())


# --- the one encoding ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        TOKEN.to_bytes() + b"\n",
        b" " + TOKEN.to_bytes(),
        TOKEN.to_bytes().replace(b'"v":1', b'"v":1.0'),
        TOKEN.to_bytes().replace(b'"v":1', b'"v":2'),
        TOKEN.to_bytes().replace(b'"agent":null,', b""),
        TOKEN.to_bytes().replace(b'{"R"', b'{"R":"","R"'),
        TOKEN.to_bytes()[:-1] + b',"sigma_p":null}',
        b"[]",
        b"{}",
        b"",
        TOKEN.to_bytes() + b" " * 9000,
    ],
)
def test_other_encodings_are_no_tokens(data: bytes) -> None:
    with pytest.raises(LianzhengError) as caught:
        decode_token(data)
    assert caught.value.code in ("json_not_canonical", "json_malformed", "json_type", "field_invalid", "too_large")


def test_every_single_byte_counts() -> None:
    """No byte of τ can be changed without a refusal (each position, one change)."""
    data = TOKEN.to_bytes()
    for index in range(0, len(data), 7):
        altered = data[:index] + bytes([data[index] ^ 1]) + data[index + 1 :]
        with pytest.raises(LianzhengError):
            verify_token(decode_token(altered), CHAIN, PUBLIC)


# --- terms, dates, parties -----------------------------------------------------------------------------------


def _terms_code(**options: Any) -> str:
    fields = {name: value for name, value in options.items() if name != "version_min"}
    try:
        check_terms(MAKER.terms(**fields), chain_id=CHAIN, provider=BETA.did, version_min=options.get("version_min", 1))
    except LianzhengError as error:
        return error.code
    return "ok"


def test_terms() -> None:
    assert _terms_code() == "ok"
    assert _terms_code(version_min=2) == "token_version_retired"
    assert _terms_code(chain_id="other") == "token_chain_wrong"
    assert _terms_code(provider=GAMMA.did) == "token_provider_wrong"
    assert _terms_code(purpose="marketing") == "token_purpose_unknown"
    assert _terms_code(function="professional-proof") == "token_function_unknown"
    assert _terms_code(purpose="suitability-matching", views=("a/experience/bands",)) == "token_view_forbidden"
    assert _terms_code(views=("a/wealth/i99-ge-1",)) == "form_unknown"
    check_views(MAKER.terms(), ["beta-assets/wealth/bands"])
    with pytest.raises(LianzhengError, match="token_view_not_in_terms"):
        check_views(MAKER.terms(), ["beta-assets/conduct/bands"])


def test_views_in_another_order_or_twice_are_no_terms() -> None:
    for views in (("b/wealth/bands", "a/wealth/bands"), ("a/wealth/bands", "a/wealth/bands")):
        with pytest.raises(LianzhengError, match="field_invalid"):
            changed(MAKER.terms(), views=list(views))


def _date_code(now_ms: int, block_ms: int | None = None, **days: str) -> str:
    try:
        check_dates(MAKER.terms(**days), now_ms=now_ms, block_ms=block_ms or START_MS, genesis_time_ms=START_MS)
    except LianzhengError as error:
        return error.code
    return "ok"


def test_dates_hold_to_the_millisecond() -> None:
    assert _date_code(start_of_day_ms(FIRST)) == "ok"
    assert _date_code(start_of_day_ms(FIRST) - 1) == "token_not_yet_valid"
    assert _date_code(end_of_day_ms(LAST)) == "ok"
    assert _date_code(end_of_day_ms(LAST) + 1) == "token_expired"
    assert _date_code(START_MS, end_of_day_ms(LAST) + 1) == "token_expired", "by block time too"


def test_terms_may_not_outlive_their_key_or_run_backwards() -> None:
    limit = START_MS + CREDENTIAL_PERIOD_MS + CREDENTIAL_OVERLAP_MS
    assert end_of_day_ms(last_day(0, START_MS)) < limit <= end_of_day_ms(last_day(0, START_MS)) + DAY_MS
    assert _date_code(START_MS, not_after="2027-01-01") == "token_outlives_key"
    assert _date_code(START_MS, not_before="2026-10-02", not_after="2026-10-01") == "token_validity_invalid"
    year_before = start_of_day_ms(LAST) - 364 * DAY_MS
    assert _date_code(START_MS, not_before=day_of(year_before), not_after=LAST) == "ok", "365 days, both included"
    assert _date_code(START_MS, not_before=day_of(year_before - 1), not_after=LAST) == "token_validity_invalid"


class Members:
    """Alpha and delta share a control group; beta is suspended."""

    def get(self, did: str) -> MemberView | None:
        groups = {ALPHA.did: "a", DELTA.did: "a", GAMMA.did: "c", BETA.did: "b"}
        return MemberView(did, "suspended" if did == BETA.did else "active", groups[did]) if did in groups else None

    def all(self) -> tuple[MemberView, ...]:
        return ()


def _issuer_code(issuer: str, *others: str) -> str:
    try:
        check_issuer(MAKER.terms(issuer=issuer), Members(), others or (ALPHA.did,))
    except LianzhengError as error:
        return error.code
    return "ok"


def test_issuers() -> None:
    stranger = ALPHA.did[:-1] + ("2" if ALPHA.did[-1] != "2" else "3")
    assert _issuer_code(GAMMA.did) == "ok"
    assert _issuer_code(ALPHA.did) == "token_issuer_group_forbidden"
    assert _issuer_code(DELTA.did) == "token_issuer_group_forbidden", "a sister company of the requester"
    assert _issuer_code(GAMMA.did, ALPHA.did, GAMMA.did) == "token_issuer_group_forbidden", "an agent's group"
    assert _issuer_code(BETA.did) == "token_issuer_inactive"
    assert _issuer_code(stranger) == "token_issuer_unknown"
    assert _issuer_code(GAMMA.did, stranger) == "member_unknown"


def _period_code(block_ms: int, token: Token = TOKEN, *, published: bool = True) -> str:
    state = MemoryState()
    if published:
        record = IssuerKeyRecord(issuer=GAMMA.did, period=0, key=PUBLIC.to_bytes(), published_ms=START_MS)
        state.apply([(issuer_state_key(GAMMA.did, 0), record.to_json())])
    try:
        check_key_period(token, state, block_ms=block_ms, genesis_time_ms=START_MS)
    except LianzhengError as error:
        return error.code
    return "ok"


def test_key_periods_hold_to_the_millisecond() -> None:
    end = START_MS + CREDENTIAL_PERIOD_MS + CREDENTIAL_OVERLAP_MS
    assert _period_code(START_MS) == "ok"
    assert _period_code(end - 1) == "ok"
    assert _period_code(end) == "token_key_period_over"
    assert _period_code(START_MS, published=False) == "token_issuer_key_unknown"
    assert _period_code(START_MS, changed(TOKEN, terms__credential_period=1)) == "token_key_mismatch"
    future = changed(TOKEN, terms__credential_period=1, keys__sigma_i=credential_key_id(GAMMA.did, 1))
    assert _period_code(START_MS, future) == "token_key_period_future"
