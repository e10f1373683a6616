"""Files that hold secrets: whose they are, what they are, and that none of them stands in another's place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lianzheng.adapters.keystore.files import read_private
from lianzheng.adapters.keystore.passphrase import create_passphrase_file, load_passphrase
from lianzheng.adapters.keystore.sealed_file import SealedFileKeyStore
from lianzheng.adapters.keystore.sealed_wallets import SealedWalletStore
from lianzheng.errors import LianzhengError

PHRASE = b"correct horse"


def _code(error: pytest.ExceptionInfo[LianzhengError]) -> str:
    return error.value.code


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """Who may write in the folder could have any file of the node's read, or a key store exchanged unseen."""
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_bytes(b"x")
    real.chmod(0o600)
    link.symlink_to(real)
    assert read_private(real) == b"x"
    for read, code in ((read_private, "keystore_file_mode"), (load_passphrase, "passphrase_file_mode")):
        with pytest.raises(LianzhengError) as caught:
            read(link)
        assert _code(caught) == code


def test_a_passphrase_of_another_user_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "passphrase"
    phrase = create_passphrase_file(path)
    assert load_passphrase(path) == phrase
    if os.geteuid() == 0:
        os.chown(path, 12_345, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 12_345)
    with pytest.raises(LianzhengError) as caught:
        load_passphrase(path)
    assert _code(caught) == "passphrase_file_mode"


@pytest.mark.parametrize("read", [read_private, load_passphrase])
def test_neither_a_pipe_nor_a_folder_is_waited_for(tmp_path: Path, read: object) -> None:
    pipe, folder = tmp_path / "pipe", tmp_path / "folder"
    os.mkfifo(pipe, 0o600)
    folder.mkdir(mode=0o600)
    for path in (pipe, folder):
        with pytest.raises(LianzhengError) as caught:
            read(path)  # type: ignore[operator]
        assert _code(caught) in {"keystore_file_mode", "passphrase_file_mode"}


def test_an_open_store_says_that_it_was_replaced(tmp_path: Path) -> None:
    """By another one under the same passphrase: nothing of either is written over the other."""
    mine, other = tmp_path / "keys", tmp_path / "other"
    store = SealedFileKeyStore.create(mine, PHRASE)
    SealedFileKeyStore.create(other, PHRASE).generate_signing_key("theirs")
    other.replace(mine)
    before = mine.read_bytes()
    with pytest.raises(LianzhengError) as caught:
        store.generate_signing_key("ours")
    assert _code(caught) == "keystore_changed"
    assert mine.read_bytes() == before
    assert SealedFileKeyStore.open(mine, PHRASE).names() == ["theirs"]


def test_one_wallets_file_does_not_open_in_anothers_place(tmp_path: Path) -> None:
    """Both under one key: the name is part of what is sealed."""
    store = SealedWalletStore.create(tmp_path / "wallets", PHRASE)
    store.save("alice", b"of alice")
    (first,) = (tmp_path / "wallets").glob("*.wallet")
    kept = first.read_bytes()
    store.save("bob", b"of bob")
    (second,) = {*(tmp_path / "wallets").glob("*.wallet")} - {first}
    second.write_bytes(kept)
    assert store.load("alice") == b"of alice"
    with pytest.raises(LianzhengError) as caught:
        store.load("bob")
    assert _code(caught) == "unseal_failed"
