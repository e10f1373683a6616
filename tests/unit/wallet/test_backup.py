"""A backup brings a wallet back whole, once; every other file and every changed byte is refused by name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent_kit import CHAIN, START_MS, Network, Wallets, offer
from lianzheng.clock import ManualClock
from lianzheng.consent.model import decode_token
from lianzheng.crypto import ed25519, sealing
from lianzheng.encoding.canonical import encode
from lianzheng.errors import LianzhengError
from lianzheng.wallet import Wallet
from lianzheng.wallet.backup import WalletBackup, open_backup, seal_backup
from lianzheng.wallet.keys import consent_seed, fresh_index
from lianzheng.wallet.model import WalletState, decode_state

WORDS = b"twelve words that nobody guesses"


def small() -> WalletBackup:
    clock = ManualClock(START_MS)
    return Wallet.create("one", CHAIN, Wallets(), clock, test_network=True, committed=True).copy()


COPY = small()
SEALED = seal_backup(COPY, WORDS)


@pytest.fixture
async def network(tmp_path: Path) -> AsyncIterator[Network]:
    opened = await Network(tmp_path).open()
    yield opened
    await opened.database.close()


async def test_a_restored_wallet_has_everything_and_signs_with_keys_of_its_own(network: Network) -> None:
    wallet = await network.enrolled()
    first = network.sign(wallet)
    file = seal_backup(wallet.copy(), WORDS)
    later = network.sign(wallet, offer(number=2))  # after the copy was made: the restored wallet cannot know of it
    other = Wallets()
    back = Wallet.restore("again", open_backup(file, WORDS), other, network.clock, test_network=True)
    assert (back.did, back.credentials, back.consents) == (wallet.did, wallet.credentials, (first.held,))
    signed = network.sign(back, offer(number=3))
    used = {decode_token(item.token).terms.rk for one in (first, later) for item in one.submission.tokens}
    new = {decode_token(item.token).terms.rk for item in signed.submission.tokens}
    assert used.isdisjoint(new)
    seed = back._state.seed
    assert new == {ed25519.public_key(consent_seed(seed, CHAIN, token.index)) for token in signed.held.tokens}
    # the consent of before is still withdrawn by its own key
    await network.desk.receive(first.submission)
    network.clock.advance(5_000)
    await network.desk.flush_due()
    assert all(network.ledger.run(one).ok for one in back.withdraw(first.held.consent_id))


def test_two_restorations_count_in_different_stretches() -> None:
    indexes = {fresh_index() for _ in range(50)}
    assert len(indexes) == 50, "of 2^31 stretches two of fifty are the same once in a million runs"
    assert all(index % 2**20 == 0 and 2**20 <= index < 2**51 for index in indexes)


@given(st.integers(0, 8 * len(SEALED) - 1))
@settings(max_examples=60, deadline=None)
def test_one_changed_bit_is_refused(place: int) -> None:
    changed = bytearray(SEALED)
    changed[place // 8] ^= 1 << place % 8
    with pytest.raises(LianzhengError, match=r"backup_malformed|seal_version_unknown|unseal_failed"):
        open_backup(bytes(changed), WORDS)


@given(st.one_of(st.binary(max_size=400), st.binary(max_size=60).map(lambda tail: b"LZWALLET\x01" + tail)))
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_a_typed_refusal(data: bytes) -> None:
    with pytest.raises(LianzhengError, match=r"backup_malformed|seal_version_unknown|unseal_failed"):
        open_backup(data, WORDS)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (SEALED + b"x", "unseal_failed"),
        (SEALED[:-1], "unseal_failed"),
        (SEALED[:30], "unseal_failed"),
        (SEALED[9:], "backup_malformed"),
        (b"LZWALLET\x02" + SEALED[9:], "backup_malformed"),
        (b"LZWALLET\x01" + sealing.seal(WORDS, COPY.to_bytes(), b""), "unseal_failed"),
        (SEALED + bytes(9 * 1024 * 1024), "backup_malformed"),
    ],
    ids=["longer", "shorter", "cut", "headless", "version", "unbound", "huge"],  # sealed anew in each process
)
def test_other_files_by_name(data: bytes, code: str) -> None:
    with pytest.raises(LianzhengError, match=code):
        open_backup(data, WORDS)


def test_another_passphrase_and_nothing_readable_in_the_file() -> None:
    with pytest.raises(LianzhengError, match="unseal_failed"):
        open_backup(SEALED, WORDS + b"!")
    assert open_backup(SEALED, WORDS) == COPY
    assert CHAIN.encode() not in SEALED
    assert seal_backup(COPY, WORDS) != SEALED


@given(st.sampled_from(["v", "created_ms", "state", "reserve"]), st.one_of(st.none(), st.integers(), st.text()))
@settings(deadline=None)
def test_a_well_sealed_copy_of_another_form_is_refused(member: str, value: object) -> None:
    changed = COPY.to_json() | {member: value}
    if member == "created_ms" and isinstance(value, int) and 0 <= value < 2**53:
        return
    if (member, value) in (("v", 1), ("reserve", None)):
        return
    with pytest.raises(LianzhengError):
        WalletBackup.from_bytes(encode(changed) if abs(value if isinstance(value, int) else 0) < 2**53 else b"{}")


def test_a_wallet_of_the_version_before_is_read() -> None:
    seed = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
    clock = ManualClock(START_MS)
    made = Wallet.create("one", CHAIN, Wallets(), clock, test_network=True, seed=bytes(range(32)))
    state: WalletState = made._state
    old = state.to_json()
    for name in ("key", "documents", "former"):
        del old[name]
    data = encode(old | {"v": 1})
    assert seed.encode() in data
    assert decode_state(data) == state
    with pytest.raises(LianzhengError, match="field_invalid"):
        decode_state(encode(old | {"v": 3}))
