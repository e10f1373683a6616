"""Backup, shares and restoration from the shell, without any node: files, prompts, refusals."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from cli_kit import Run, typed
from ledger_kit import ALPHA, CHAIN
from lianzheng.adapters.keystore.passphrase import create_passphrase_file
from lianzheng.adapters.keystore.sealed_wallets import SealedWalletStore
from lianzheng.clock import SystemClock
from lianzheng.encoding.canonical import parse
from lianzheng.wallet import Wallet
from lianzheng.wallet.model import AccessEntry

NAME = "own"
PHRASE = "eight words nobody would ever guess together"
ASKED, AGAIN = "passphrase 口令: ", "confirmation: "
"""With the blank that comes once the terminal shows nothing more: what is typed before that is thrown away."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A wallet's folder as ``wallet create`` leaves it."""
    made = tmp_path / "mine"
    made.mkdir(mode=0o700)
    store = SealedWalletStore.create(made, create_passphrase_file(made / "passphrase"))
    Wallet.create(NAME, CHAIN, store, SystemClock(), test_network=True, committed=True)
    return made


def load(folder: Path) -> Wallet:
    store = SealedWalletStore.open(folder, (folder / "passphrase").read_bytes().strip())
    return Wallet.load(NAME, store, SystemClock(), test_network=True)


def code(run: Run, *words: object) -> str:
    """The reason code of a refusal, as machines read it; nothing on standard output."""
    ended = run("wallet", *words, "--json")
    assert (ended.out, ended.status != 0) == ("", True), ended
    problem = parse(ended.err.strip().encode())
    assert isinstance(problem, dict)
    return str(problem["code"])


def test_parts_of_a_wallet_are_sealed_apart_and_removed(folder: Path) -> None:
    store = SealedWalletStore.open(folder, (folder / "passphrase").read_bytes().strip())
    assert store.names() == [NAME]
    wallet = load(folder)
    assert wallet.reserve is not None
    assert len(list(folder.glob("*.wallet"))) == 2
    wallet.keep_reserve(None)
    wallet.keep_reserve(None)
    assert (load(folder).reserve, len(list(folder.glob("*.wallet")))) == (None, 1)
    files = b"".join(path.read_bytes() for path in folder.glob("*.wallet"))
    assert CHAIN.encode() not in files


def test_three_files_two_of_which_are_the_wallet(run: Run, folder: Path, tmp_path: Path) -> None:
    before, out = load(folder), tmp_path / "shares"
    reserve = before.reserve
    told = run("wallet", "shares", "--wallet", folder, "--out", out)
    assert told.status == 0 and "Any two of them are your wallet" in told.out
    files = [out / f"share-{number}.txt" for number in (1, 2, 3)]
    assert [stat.S_IMODE(path.stat().st_mode) for path in files] == [0o600] * 3
    assert code(run, "shares", "--wallet", folder, "--out", out) == "file_exists"
    assert load(folder).reserve == reserve
    assert run("wallet", "shares", "--wallet", folder, "--out", tmp_path / "more", "--forget").status == 0
    assert load(folder).reserve is None
    assert code(run, "shares", "--wallet", folder, "--out", tmp_path / "again") == "reserve_missing"
    assert not (tmp_path / "again").exists()

    back = tmp_path / "back"
    assert run("wallet", "restore", "--wallet", back, "--shares", files[1], files[2]).status == 0
    restored = load(back)
    assert (restored.did, restored.reserve) == (before.did, reserve)
    assert restored._state.next_index >= 2**20
    assert restored._state.model_copy(update={"next_index": 0}) == before._state
    assert stat.S_IMODE((back / "passphrase").stat().st_mode) == 0o600


def test_wrong_shares_by_name(run: Run, folder: Path, tmp_path: Path) -> None:
    run("wallet", "shares", "--wallet", folder, "--out", tmp_path / "one")
    run("wallet", "shares", "--wallet", folder, "--out", tmp_path / "two")
    first, other = tmp_path / "one" / "share-1.txt", tmp_path / "two" / "share-2.txt"
    spoiled, foreign = tmp_path / "spoiled", tmp_path / "foreign"
    text = first.read_text("ascii")
    spoiled.write_text(text.replace("sealed:\n", "sealed:\nA", 1))
    foreign.write_bytes("不是".encode())
    for pair, expected in (
        ((first, first), "shares_same"),
        ((first, other), "shares_of_different_sets"),
        ((first, spoiled), "share_malformed"),
        ((first, foreign), "share_malformed"),
        ((first, tmp_path / "none"), "file_unreadable"),
    ):
        assert code(run, "restore", "--wallet", tmp_path / "x", "--shares", *pair) == expected
    damaged = tmp_path / "damaged"
    head, _, sealed = text.partition("sealed:\n")
    damaged.write_text(head + "sealed:\n" + ("B" if sealed[0] != "B" else "C") + sealed[1:])
    assert code(run, "restore", "--wallet", tmp_path / "x", "--shares", damaged, other) == "share_damaged"
    assert not (tmp_path / "x").exists(), "a folder is made once there is something to put in"


def test_a_backup_s_passphrase_is_typed_twice_and_once(folder: Path, tmp_path: Path) -> None:
    sealed, back = tmp_path / "mine.backup", tmp_path / "back"
    words = ("wallet", "backup", "--wallet", folder, "--out", sealed)
    status, screen = typed(words, [(ASKED, "too short"), (AGAIN, "too short")])
    assert (status, "passphrase_short" in screen, sealed.exists()) == (1, True, False), screen
    status, screen = typed(words, [(ASKED, PHRASE), (AGAIN, PHRASE)])
    assert (status, PHRASE in screen, sealed.exists()) == (0, False, True), screen
    words = ("wallet", "restore", "--wallet", back, "--from", sealed)
    status, screen = typed(words, [(ASKED, PHRASE + "!")])
    assert (status != 0, "unseal_failed" in screen, back.exists()) == (True, True, False), screen
    status, screen = typed(words, [(ASKED, PHRASE)])
    assert (status, load(back).did) == (0, load(folder).did), screen


def test_other_files_are_no_backup(run: Run, folder: Path, tmp_path: Path) -> None:
    phrase, other = tmp_path / "phrase", tmp_path / "other"
    phrase.touch(0o600)
    phrase.write_text(PHRASE + "\n")
    other.write_bytes(b"LZWALLET\x02 of tomorrow")
    words = ("restore", "--wallet", tmp_path / "x", "--passphrase-file", phrase)
    assert code(run, *words, "--from", other) == "backup_malformed"
    assert code(run, *words, "--from", tmp_path / "none") == "file_unreadable"
    assert code(run, *words) == "restore_source"
    assert code(run, *words, "--from", other, "--shares", other, other) == "restore_source"
    phrase.chmod(0o644)
    assert code(run, *words, "--from", other) == "passphrase_file_mode"
    assert code(run, "deactivate", "--wallet", folder, "--node", "http://127.0.0.1:9", "--confirm", "did:lz:x:z1") == (
        "did_not_confirmed"
    )


def test_the_log_for_people_marks_what_only_the_provider_tells(run: Run, folder: Path) -> None:
    wallet = load(folder)
    entry = AccessEntry(
        request=bytes(32), time_ms=1_790_000_000_000, requester=ALPHA.did, provider=wallet.did, task=bytes(32),
        purpose="suitability-assessment", views=("a/wealth/bands",), bands={"I04": 1, "I01": 3},
        told_by=(ALPHA.did, wallet.did), cid=bytes(32),
    )  # fmt: skip
    alone = entry.model_copy(update={"request": b"\1" * 32, "bands": None, "told_by": (wallet.did,)})
    wallet._keep(wallet._state.model_copy(update={"access_log": (entry, alone)}))
    shown = run("wallet", "log", "--wallet", folder)
    first, second = shown.out.splitlines()[-2:]
    assert "2026-09-21T14:13:20Z" in first and "I01=3 I04=1" in first
    assert first.rstrip().endswith("requester and provider")
    assert second.rstrip().endswith("provider alone!")


def test_credentials_of_an_empty_wallet(run: Run, folder: Path, tmp_path: Path) -> None:
    listed = run("wallet", "credentials", "list", "--wallet", folder, "--json")
    assert parse(listed.out.strip().encode()) == {"credentials": []}
    assert code(run, "credentials", "show", "A" * 16, "--wallet", folder) == "document_unknown"
    words = ("credentials", "present", "A" * 16, "--wallet", folder, "--challenge", "c", "--domain", "d")
    assert code(run, *words, "--out", tmp_path / "p.json") == "document_unknown"
    assert not (tmp_path / "p.json").exists()
