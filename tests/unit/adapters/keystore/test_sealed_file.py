"""The sealed key file and the passphrase file."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from lianzheng.adapters.keystore.passphrase import create_passphrase_file, load_passphrase
from lianzheng.adapters.keystore.sealed_file import SealedFileKeyStore
from lianzheng.crypto import ed25519
from lianzheng.crypto.keystore import KeyStore
from lianzheng.errors import ConfigError, ConflictError, NotFoundError

PASSPHRASE = b"correct horse"


def code_of(error: pytest.ExceptionInfo[ConfigError]) -> str:
    return error.value.code


def test_keeps_all_kinds_over_reopening(tmp_path: Path) -> None:
    store: KeyStore = SealedFileKeyStore.create(tmp_path / "keys", PASSPHRASE)
    public = store.generate_signing_key("node")
    store.put_scalar("scalar", 12345)
    store.put_secret("secret", b"\x00\xff")
    again = SealedFileKeyStore.open(tmp_path / "keys", PASSPHRASE)
    assert again.names() == ["node", "scalar", "secret"]
    assert again.public_key("node") == public
    ed25519.verify(public, b"message", again.sign("node", b"message"))
    assert again.get_scalar("scalar") == 12345
    assert again.get_secret("secret") == b"\x00\xff"


def test_a_name_is_taken_once_and_has_one_kind(tmp_path: Path) -> None:
    store = SealedFileKeyStore.create(tmp_path / "keys", PASSPHRASE)
    store.put_secret("name", b"1")
    with pytest.raises(ConflictError, match="key_exists"):
        store.put_secret("name", b"2")
    with pytest.raises(ConflictError, match="key_exists"):
        store.generate_signing_key("name")
    with pytest.raises(NotFoundError, match="key_unknown"):
        store.get_scalar("name")
    with pytest.raises(NotFoundError, match="key_unknown"):
        store.get_secret("other")


def test_erased_is_gone_from_the_file(tmp_path: Path) -> None:
    store = SealedFileKeyStore.create(tmp_path / "keys", PASSPHRASE)
    store.put_scalar("view-key", 7)
    store.erase("view-key")
    store.erase("view-key")
    assert SealedFileKeyStore.open(tmp_path / "keys", PASSPHRASE).names() == []


def test_two_openers_see_and_keep_each_others_keys(tmp_path: Path) -> None:
    first = SealedFileKeyStore.create(tmp_path / "keys", PASSPHRASE)
    second = SealedFileKeyStore.open(tmp_path / "keys", PASSPHRASE)
    first.put_secret("a", b"1")
    second.put_secret("b", b"2")
    assert first.get_secret("b") == b"2"
    assert second.names() == ["a", "b"]


def test_wrong_passphrase_and_any_changed_byte_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    SealedFileKeyStore.create(path, PASSPHRASE).put_secret("a", b"1")
    with pytest.raises(ConfigError) as wrong:
        SealedFileKeyStore.open(path, b"wrong horse")
    assert code_of(wrong) == "keystore_unreadable"
    data = path.read_bytes()
    for position in range(0, len(data), len(data) // 12):
        path.write_bytes(data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :])
        with pytest.raises(ConfigError) as damaged:
            SealedFileKeyStore.open(path, PASSPHRASE)
        assert code_of(damaged) == "keystore_unreadable"


def test_mode_is_enforced_and_nothing_is_readable_in_the_clear(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    store = SealedFileKeyStore.create(path, PASSPHRASE)
    store.put_secret("a", b"a very recognisable secret")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b"recognisable" not in path.read_bytes()
    path.chmod(0o640)
    with pytest.raises(ConfigError) as refused:
        SealedFileKeyStore.open(path, PASSPHRASE)
    assert code_of(refused) == "keystore_file_mode"


def test_create_never_overwrites_and_open_needs_the_file(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    with pytest.raises(ConfigError) as missing:
        SealedFileKeyStore.open(path, PASSPHRASE)
    SealedFileKeyStore.create(path, PASSPHRASE)
    with pytest.raises(ConfigError) as exists:
        SealedFileKeyStore.create(path, PASSPHRASE)
    assert (code_of(missing), code_of(exists)) == ("keystore_missing", "keystore_exists")


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "keys"
    store = SealedFileKeyStore.create(path, PASSPHRASE)
    store.put_secret("a", b"1")
    before = path.read_bytes()

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        store.put_secret("b", b"2")
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["keys", "keys.lock"]
    assert store.names() == ["a"]


def test_passphrase_file(tmp_path: Path) -> None:
    path = tmp_path / "passphrase"
    made = create_passphrase_file(path)
    assert load_passphrase(path) == made
    assert len(made) == 43
    with pytest.raises(ConfigError) as exists:
        create_passphrase_file(path)
    assert code_of(exists) == "passphrase_file_exists"


@pytest.mark.parametrize("mode", [0o400, 0o604, 0o640, 0o700])
def test_passphrase_file_of_another_mode_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "passphrase"
    path.write_bytes(b"secret\n")
    path.chmod(mode)
    with pytest.raises(ConfigError) as refused:
        load_passphrase(path)
    assert code_of(refused) == "passphrase_file_mode"


def test_passphrase_links_pipes_and_empty_files_are_refused(tmp_path: Path) -> None:
    real = tmp_path / "real"
    create_passphrase_file(real)
    (tmp_path / "link").symlink_to(real)
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "empty").touch(0o600)
    expected = {"link": "passphrase_file_mode", "pipe": "passphrase_file_mode", "empty": "passphrase_empty"}
    for name, code in (expected | {"absent": "passphrase_file_missing"}).items():
        with pytest.raises(ConfigError) as refused:
            load_passphrase(tmp_path / name)
        assert code_of(refused) == code


_BODY = (
    "r3-iPwZE1UCb4SPtcpMUFTjPMDFc6ai3i-ITxPiWcUW30EvuEYjR90BaU3zb2w03o_QyLGUkZFZuasI63OaZpzWzC-RCbUZ-gekqGjZRv729F0"
    "vHVen2y-wpoOc81b2HNycxs3y-iXqRxGdFSq8-mFN-JVyJ5Jcqp1VC7NBth7zE9OIdeQ9HHLF234bKHcMZrkltm77-PAjnUSzBQBVMF_v67tqC"
    "z-IQz3-wtwfyoFEHjVo1kZ_s-jToav26Zea1qdwy9lJrFu3ImeTL7bR6xIhTGMkHewg_-H4WSLtL-7hw7cvIiAt5loolGBSUVW3UnMPD"
)
_WRAPPED = (
    "TFpTRUFMAZ1lx-a2CZA4lzRGYY5UmysBUpBsmOEkBJwvS2KKh53xU5WkqQJ-3HHR-1nPN0BOwwsijKwxcTEVsOhvzSMVYsggj7ZLlZd96fJ9MsY"
)
_VERSION_1 = f'{{"body":"{_BODY}","v":1,"wrapped":"{_WRAPPED}"}}'
"""Written before a file could name a cipher."""


def test_a_file_of_the_first_version_opens_and_stays_one(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(_VERSION_1)
    path.chmod(0o600)
    store = SealedFileKeyStore.open(path, PASSPHRASE)
    assert store.public_key("node").hex() == "1163a0178085b156a3ef4b90257cc7c8def1ed3e2f4870945470a409ad35066b"
    assert (store.get_scalar("scalar"), store.get_secret("secret")) == (12345, b"\x00\xff")
    store.put_secret("more", b"1")
    text = path.read_text()
    assert '"v":1' in text
    assert "cipher" not in text
    assert SealedFileKeyStore.open(path, PASSPHRASE).names() == ["more", "node", "scalar", "secret"]


def test_a_file_names_its_cipher_and_cannot_name_another(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    store = SealedFileKeyStore.create(path, PASSPHRASE, "sm4-gcm")
    store.put_secret("a", b"1")
    text = path.read_text()
    assert text.startswith('{"body":"')
    assert '"cipher":"sm4-gcm","v":2' in text
    assert SealedFileKeyStore.open(path, PASSPHRASE).cipher == "sm4-gcm"
    as_first = text.replace('"cipher":"sm4-gcm","v":2', '"v":1')
    for altered in (as_first, text.replace("sm4-gcm", "aes-256-gcm"), text.replace('"v":2', '"v":1'), text + " "):
        path.write_text(altered)
        with pytest.raises(ConfigError) as refused:
            SealedFileKeyStore.open(path, PASSPHRASE)
        assert code_of(refused) == "keystore_unreadable"
