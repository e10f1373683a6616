"""Two of three share files bring everything back; one brings nothing, and every wrong one is named (ADR 0020)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent_kit import CHAIN, START_MS, Network, Wallets, offer
from lianzheng.clock import ManualClock
from lianzheng.consent.status import read_record
from lianzheng.encoding.binary import b64u_encode
from lianzheng.errors import LianzhengError
from lianzheng.wallet import Wallet
from lianzheng.wallet.model import Reserve
from lianzheng.wallet.shares import ShareFile, make_shares, open_shares, reserve_of
from lianzheng.wallet.slip39 import decode_share, encode_share


def made() -> Wallet:
    return Wallet.create("one", CHAIN, Wallets(), ManualClock(START_MS), test_network=True, committed=True)


def shared(wallet: Wallet) -> tuple[ShareFile, ...]:
    reserve = wallet.reserve
    assert reserve is not None
    return make_shares(wallet.copy(), reserve, wallet.did)


WALLET = made()
SHARES = shared(WALLET)
TEXTS = [share.to_text() for share in SHARES]


@pytest.fixture
async def network(tmp_path: Path) -> AsyncIterator[Network]:
    opened = await Network(tmp_path).open()
    yield opened
    await opened.database.close()


def test_any_two_bring_the_wallet_back() -> None:
    assert [share.index for share in SHARES] == [1, 2, 3]
    for two in permutations(TEXTS, 2):
        copy = open_shares([ShareFile.parse(one) for one in two])
        assert (copy.state, copy.reserve) == (WALLET._state, WALLET.reserve)


async def test_what_comes_back_withdraws_consents_and_signs_new_ones(network: Network) -> None:
    """Credentials, consents and tokens as they stood; the reserve may have left the device long ago."""
    wallet = await network.enrolled()
    signed = network.sign(wallet)
    await network.desk.receive(signed.submission)
    network.clock.advance(5_000)
    await network.desk.flush_due()
    reserve = Reserve(chain_id=CHAIN, secret=b"\5" * 32)
    files = [one.to_text() for one in make_shares(wallet.copy(), reserve, wallet.did)]
    back = Wallet.restore(
        "back", open_shares([ShareFile.parse(files[2]), ShareFile.parse(files[0])]), Wallets(), network.clock,
        test_network=True,
    )  # fmt: skip
    assert (back.did, back.credentials, back.consents) == (wallet.did, wallet.credentials, wallet.consents)
    assert back.reserve == reserve
    await network.desk.receive(network.sign(back, offer(number=2)).submission)
    for transaction in back.withdraw(signed.held.consent_id):
        assert network.ledger.run(transaction).ok
    assert {read_record(network.ledger.state, token.cid).status for token in signed.held.tokens} == {"revoked"}


def test_a_share_shows_nothing_but_whose_it_is() -> None:
    state, reserve = WALLET._state, WALLET.reserve
    assert reserve is not None
    for text in TEXTS:
        for secret in (state.seed, state.key.secret, reserve.secret):
            assert b64u_encode(secret) not in text
            assert secret.hex() not in text
        assert CHAIN in text  # in the DID, which is public
    assert repr(SHARES[0]).count(" ") < 6, "neither words nor sealed wallet in a representation"


@pytest.mark.parametrize(("number", "code"), [(0, "shares_too_few"), (1, "shares_too_few"), (3, "shares_too_many")])
def test_any_other_number_is_refused(number: int, code: str) -> None:
    with pytest.raises(LianzhengError, match=code):
        reserve_of(SHARES[:number])


def test_one_twice_and_two_of_different_sets_are_refused() -> None:
    with pytest.raises(LianzhengError, match="shares_same"):
        open_shares([SHARES[0], SHARES[0]])
    again, other = shared(WALLET), shared(made())
    for foreign in (again[1], other[1]):
        with pytest.raises(LianzhengError, match="shares_of_different_sets"):
            open_shares([SHARES[0], foreign])


def test_words_of_another_set_under_this_set_s_name_are_refused() -> None:
    again = shared(WALLET)[1]
    forged = ShareFile(WALLET.did, SHARES[0].set_id, 2, again.words, SHARES[0].sealed)
    with pytest.raises(LianzhengError, match=r"shares_of_different_sets|shares_do_not_fit"):
        open_shares([SHARES[0], ShareFile.parse(forged.to_text())])


def test_another_wallet_s_did_on_the_files_is_refused() -> None:
    other = made().did
    files = [ShareFile(other, one.set_id, one.index, one.words, one.sealed) for one in SHARES[:2]]
    with pytest.raises(LianzhengError, match="share_malformed"):
        open_shares([ShareFile.parse(one.to_text()) for one in files])


@given(st.integers(0, len(TEXTS[0]) - 1), st.characters(codec="utf-8"))
@settings(max_examples=300, deadline=None)
def test_one_other_character_is_refused(place: int, character: str) -> None:
    text = TEXTS[0][:place] + character + TEXTS[0][place + 1 :]
    if text == TEXTS[0]:
        return
    with pytest.raises(LianzhengError, match=r"share_malformed|share_damaged|share_words_invalid"):
        ShareFile.parse(text)


@given(st.one_of(st.text(max_size=300), st.tuples(st.integers(0, 40), st.text(max_size=80)).map(
    lambda cut: "\n".join(line if number != cut[0] else cut[1] for number, line in enumerate(TEXTS[0].split("\n")))
)))  # fmt: skip
@settings(max_examples=200, deadline=None)
def test_any_text_is_a_share_or_a_typed_refusal(text: str) -> None:
    try:
        assert ShareFile.parse(text).to_text() == text
    except LianzhengError as error:
        assert error.code in {"share_malformed", "share_damaged", "share_words_invalid"}


@pytest.mark.parametrize(
    ("old", "new"),
    [("version 1", "version 2"), ("1 of 3", "2 of 3"), ("any 2", "any 1"), ("any 2 recover", "any 2  recover")],
)
def test_a_right_checksum_saves_no_wrong_line(old: str, new: str) -> None:
    from lianzheng.crypto.digest import sha256_raw

    head = TEXTS[0][: TEXTS[0].rindex("checksum: ")].replace(old, new, 1)
    with pytest.raises(LianzhengError, match="share_malformed"):
        ShareFile.parse(f"{head}checksum: {b64u_encode(sha256_raw(head.encode()))}\n")


@pytest.mark.parametrize("change", [{"exponent": 15}, {"group": 1}, {"extendable": False}, {"value": bytes(16)}])
def test_words_of_the_standard_that_no_wallet_writes_are_refused(change: dict[str, Any]) -> None:
    """All checksums right. Exponent 15 stands for 4 · 2,500 · 2^15 rounds of PBKDF2: minutes of work."""
    inside = replace(decode_share(SHARES[0].words), **change)
    other = replace(SHARES[0], words=encode_share(inside))
    assert decode_share(other.words) == inside  # the standard has them
    with pytest.raises(LianzhengError) as caught:
        ShareFile.parse(other.to_text())
    assert caught.value.code == "share_malformed"


@pytest.mark.parametrize("change", [{"set_id": bytes(16)}, {"sealed": SHARES[0].sealed + b"\0"}])
def test_the_set_is_that_of_the_sealed_wallet(change: dict[str, Any]) -> None:
    """Else a share of one set could say it is of another, and be told from no other until somebody needs it."""
    with pytest.raises(LianzhengError) as caught:
        ShareFile.parse(replace(SHARES[0], **change).to_text())
    assert caught.value.code == "share_malformed"
