"""What one share tells, and what two of three do: SLIP-0039 as the wallet uses it."""

from __future__ import annotations

import hmac
from collections import Counter
from itertools import combinations, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lianzheng.errors import LianzhengError
from lianzheng.wallet.slip39 import Share, combine, decode_share, encode_share, split
from lianzheng.wallet.slip39.field import interpolate, multiply
from lianzheng.wallet.slip39.words import WORDS

KEY = bytes(range(32))
BYTE = st.integers(0, 255)


def table_product(a: int, b: int) -> int:
    """The product by powers of the generator 3, as the standard's appendix makes it: another way than ours."""
    powers, value = [], 1
    for _ in range(255):
        powers.append(value)
        value ^= value << 1 ^ (0x11B if value & 0x80 else 0)
    return 0 if 0 in (a, b) else powers[(powers.index(a) + powers.index(b)) % 255]


@given(BYTE, BYTE)
def test_products_are_those_of_the_field(a: int, b: int) -> None:
    assert multiply(a, b) == table_product(a, b)


def test_fips_197_gives_the_same_product() -> None:
    assert multiply(0x57, 0x83) == 0xC1  # FIPS 197, section 4.2


def test_a_polynomial_value_is_uniform_whatever_the_secret_is() -> None:
    """All 256 values of the other point, for each of all 256 secrets: each value of a share comes exactly once."""
    for place in range(3):
        of_secret = [interpolate({254: b"\0", 255: bytes([one])}, place)[0] for one in range(256)]
        of_other = [interpolate({254: bytes([one]), 255: b"\0"}, place)[0] for one in range(256)]
        assert Counter(of_other) == Counter(range(256))  # a bijection of the random point, for secret 0 …
        for secret in of_secret:  # … and so, because the field is linear, for every secret
            assert len({secret ^ one for one in of_other}) == 256


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32), st.integers(0, 2))
def test_every_secret_has_a_polynomial_through_a_given_share(value: bytes, guess: bytes, place: int) -> None:
    """One point fixes nothing: for any other secret there is a line through it, and only the digest could object."""
    share = interpolate({254: bytes(32), 255: value}, place)
    other = interpolate({place: share, 255: guess}, 254)
    assert interpolate({254: other, 255: guess}, place) == share
    fits = hmac.digest(other[4:], guess, "sha256")[:4] == other[:4]
    assert not fits or guess == value, "a chance of 2^-32: the 32 bits that ADR 0020 names"


@given(st.binary(min_size=16, max_size=32).filter(lambda data: len(data) % 2 == 0))
def test_any_two_of_three_recover_in_any_order(secret: bytes) -> None:
    shares = split(secret, 2, 3)
    assert {share.member for share in shares} == {0, 1, 2}
    for two in permutations(shares, 2):
        assert combine(decode_share(encode_share(one)) for one in two) == secret


@pytest.mark.parametrize(("threshold", "count"), [(2, 2), (3, 5), (16, 16)])
def test_other_thresholds(threshold: int, count: int) -> None:
    shares = split(KEY, threshold, count)
    for some in list(combinations(shares, threshold))[:20]:
        assert combine(some) == KEY
    with pytest.raises(LianzhengError, match="shares_too_few"):
        combine(shares[: threshold - 1])


def test_one_twice_one_alone_and_all_three_are_refused_by_name() -> None:
    a, b, c = split(KEY, 2, 3)
    for given_, code in (
        ([], "shares_too_few"), ([a], "shares_too_few"), ([a, a], "shares_same"), ([a, b, c], "shares_too_many"),
    ):  # fmt: skip
        with pytest.raises(LianzhengError, match=code):
            combine(given_)


def test_shares_of_two_sets_are_refused_even_under_one_identifier() -> None:
    first, second = split(KEY, 2, 3), split(KEY, 2, 3)
    other = Share(**{name: getattr(second[1], name) for name in Share.__slots__} | {"identifier": first[0].identifier})
    with pytest.raises(LianzhengError, match="shares_do_not_fit"):
        combine([first[0], other])
    other = Share(
        **{name: getattr(second[1], name) for name in Share.__slots__} | {"identifier": first[0].identifier ^ 1}
    )
    with pytest.raises(LianzhengError, match="shares_of_different_sets"):
        combine([first[0], other])


@given(st.data())
def test_one_to_three_wrong_words_are_always_noticed(data: st.DataObject) -> None:
    words = encode_share(split(KEY, 2, 3)[data.draw(st.integers(0, 2))]).split()
    assert len(words) == 33
    places = data.draw(st.sets(st.integers(0, 32), min_size=1, max_size=3))
    for place in places:
        words[place] = data.draw(st.sampled_from([word for word in WORDS if word != words[place]]))
    with pytest.raises(LianzhengError, match="share_damaged"):
        decode_share(" ".join(words))


@given(st.text(max_size=400))
def test_any_text_is_a_share_or_a_typed_refusal(text: str) -> None:
    try:
        decode_share(text)
    except LianzhengError as error:
        assert error.code in {"share_words_invalid", "share_damaged", "share_malformed"}
