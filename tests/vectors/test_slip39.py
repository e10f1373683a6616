"""All 45 published vectors of SLIP-0039 (github.com/trezor/python-shamir-mnemonic, vectors.json; passphrase TREZOR)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lianzheng.errors import LianzhengError
from lianzheng.wallet.slip39 import combine, decode_share, encode_share
from lianzheng.wallet.slip39.words import WORDS

VECTORS = json.loads((Path(__file__).parent / "slip39.json").read_text("utf-8"))
REFUSED = {
    "invalid checksum": "share_damaged",
    "invalid padding": "share_malformed",
    "Basic sharing 2-of-3": "shares_too_few",
    "different identifiers": "shares_of_different_sets",
    "different iteration exponents": "shares_of_different_sets",
    "mismatching group thresholds": "shares_of_different_sets",
    "mismatching group counts": "shares_of_different_sets",
    "greater group threshold than group counts": "share_malformed",
    "duplicate member indices": "shares_same",
    "mismatching member thresholds": "shares_of_different_sets",
    "invalid digest": "shares_do_not_fit",
    "Insufficient number of groups": "shares_too_few",
    "insufficient number of members": "shares_too_few",
    "insufficient length": "share_words_invalid",
    "invalid master secret length": "share_malformed",
}


def test_they_are_all_there() -> None:
    assert len(VECTORS) == 45
    assert sum(bool(vector[2]) for vector in VECTORS) == 15
    assert (len(WORDS), list(WORDS), len({word[:4] for word in WORDS})) == (1024, sorted(WORDS), 1024)


@pytest.mark.parametrize("vector", [one for one in VECTORS if one[2]], ids=lambda one: one[0].split(".")[0])
def test_a_valid_set_gives_the_secret(vector: list[object]) -> None:
    _, mnemonics, secret, *_ = vector
    assert isinstance(mnemonics, list)
    shares = [decode_share(one) for one in mnemonics]
    assert combine(shares, b"TREZOR").hex() == secret
    assert [encode_share(one) for one in shares] == mnemonics


@pytest.mark.parametrize("vector", [one for one in VECTORS if not one[2]], ids=lambda one: one[0].split(".")[0])
def test_every_other_is_refused_for_what_is_wrong(vector: list[object]) -> None:
    name, mnemonics, *_ = vector
    assert isinstance(mnemonics, list)
    (code,) = {code for words, code in REFUSED.items() if words in str(name)}
    with pytest.raises(LianzhengError, match=code):
        combine([decode_share(one) for one in mnemonics], b"TREZOR")
