"""One suite over every key store: the sealed file under both ciphers, PKCS#11, and the two together."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from lianzheng.adapters.keystore.pkcs11_store import Pkcs11SigningStore
from lianzheng.adapters.keystore.sealed_file import SealedFileKeyStore
from lianzheng.adapters.keystore.split import SplitKeyStore
from lianzheng.crypto import ecdsa, ed25519
from lianzheng.crypto.hazmat.bls12381 import ORDER
from lianzheng.crypto.keystore import KeyKind, KeyStore, ScalarStore, SigningStore
from lianzheng.errors import ConflictError, LianzhengError, NotFoundError
from softhsm_kit import shared_token

_PASSPHRASE = b"correct horse"
_KINDS: list[KeyKind] = ["Ed25519", "P-256"]
_HALF = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551 // 2


@dataclass
class Opener:
    """Opens the same store again, as a restart does."""

    open: Callable[[], Any]


def _file(folder: Path, cipher: Any) -> Opener:
    SealedFileKeyStore.create(folder / "keys", _PASSPHRASE, cipher)
    return Opener(lambda: SealedFileKeyStore.open(folder / "keys", _PASSPHRASE))


def _hsm() -> Opener:
    token, prefix = shared_token(), secrets.token_hex(6)
    return Opener(lambda: Pkcs11SigningStore.open(token.module, token.label, token.pin, prefix))


def _make(name: str, folder: Path) -> Opener:
    if name in ("aes-256-gcm", "sm4-gcm"):
        return _file(folder, name)
    hardware = _hsm()
    if name == "pkcs11":
        return hardware
    file = _file(folder, "sm4-gcm")
    return Opener(lambda: SplitKeyStore(hardware.open(), file.open()))


@pytest.fixture(params=["aes-256-gcm", "sm4-gcm", "pkcs11", "split"])
def signing(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    """Stores with the capability *sign*."""
    return _make(request.param, tmp_path)


@pytest.fixture(params=["aes-256-gcm", "sm4-gcm", "split"])
def whole(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    """Stores with both capabilities."""
    return _make(request.param, tmp_path)


def _verify(kind: KeyKind, public: bytes, data: bytes, signature: bytes) -> None:
    if kind == "Ed25519":
        ed25519.verify(public, data, signature)
    else:
        ecdsa.verify("P-256", public, data, signature)
        assert int.from_bytes(signature[32:], "big") <= _HALF, "high s"


@pytest.mark.parametrize("kind", _KINDS)
def test_a_key_signs_and_outlives_a_restart(signing: Opener, kind: KeyKind) -> None:
    store: SigningStore = signing.open()
    public = store.generate_signing_key("node", kind)
    assert len(public) == (32 if kind == "Ed25519" else 33)
    again: SigningStore = signing.open()
    assert again.names() == ["node"]
    assert again.public_key("node") == public
    for number in range(8):  # half of all P-256 signatures come with a high s
        data = b"message %d" % number
        signature = again.sign("node", data)
        assert len(signature) == 64
        _verify(kind, public, data, signature)
        with pytest.raises(LianzhengError):
            _verify(kind, public, data + b"x", signature)


def test_the_algorithm_is_that_of_the_key(signing: Opener) -> None:
    store: SigningStore = signing.open()
    first, second = store.generate_signing_key("a"), store.generate_signing_key("b", "P-256")
    ed25519.verify(first, b"m", store.sign("a", b"m"))
    ecdsa.verify("P-256", second, b"m", store.sign("b", b"m"))
    with pytest.raises(LianzhengError):
        ed25519.verify(second[1:], b"m", store.sign("b", b"m"))


def test_an_empty_and_a_long_message(signing: Opener) -> None:
    store: SigningStore = signing.open()
    public = store.generate_signing_key("node")
    for data in (b"", b"\0", bytes(100_000)):
        ed25519.verify(public, data, store.sign("node", data))


def test_a_name_is_taken_once(signing: Opener) -> None:
    store: SigningStore = signing.open()
    public = store.generate_signing_key("node")
    with pytest.raises(ConflictError, match="key_exists"):
        store.generate_signing_key("node")
    with pytest.raises(ConflictError, match="key_exists"):
        signing.open().generate_signing_key("node", "P-256")
    assert store.public_key("node") == public


def test_names_that_are_not_there(signing: Opener) -> None:
    store: SigningStore = signing.open()
    store.generate_signing_key("node")
    for name in ("other", "nod", "node/2", ""):
        with pytest.raises(NotFoundError, match="key_unknown"):
            store.sign(name, b"m")
        with pytest.raises(NotFoundError, match="key_unknown"):
            store.public_key(name)


def test_erased_is_gone_and_the_name_is_free(signing: Opener) -> None:
    store, other = signing.open(), signing.open()
    before = store.generate_signing_key("node")
    other.sign("node", b"m")
    store.erase("node")
    store.erase("node")
    assert signing.open().names() == []
    with pytest.raises(NotFoundError, match="key_unknown"):
        store.sign("node", b"m")
    assert store.generate_signing_key("node") != before


def test_names_are_sorted_and_may_hold_a_slash(signing: Opener) -> None:
    store: SigningStore = signing.open()
    for name in ("node/2", "node", "credential/10"):
        store.generate_signing_key(name)
    assert store.names() == ["credential/10", "node", "node/2"]


def test_several_threads_sign_at_once(signing: Opener) -> None:
    store: SigningStore = signing.open()
    keys = {name: store.generate_signing_key(name) for name in ("a", "b")}

    def work(number: int) -> None:
        name, data = "ab"[number % 2], b"%d" % number
        ed25519.verify(keys[name], data, store.sign(name, data))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(64)))


def test_scalars_and_secrets_are_read_back_after_a_restart(whole: Opener) -> None:
    store: ScalarStore = whole.open()
    store.put_scalar("one", 1)
    store.put_scalar("last", ORDER - 1)
    store.put_secret("secret", b"\x00\xff")
    again = cast("ScalarStore", whole.open())
    assert (again.get_scalar("one"), again.get_scalar("last")) == (1, ORDER - 1)
    assert again.get_secret("secret") == b"\x00\xff"
    again.erase("one")
    assert whole.open().names() == ["last", "secret"]


def test_a_name_has_one_kind_over_both_capabilities(whole: Opener) -> None:
    store: KeyStore = whole.open()
    store.put_secret("secret", b"1")
    store.generate_signing_key("key")
    with pytest.raises(ConflictError, match="key_exists"):
        store.generate_signing_key("secret")
    with pytest.raises(ConflictError, match="key_exists"):
        store.put_secret("key", b"2")
    with pytest.raises(ConflictError, match="key_exists"):
        store.put_scalar("key", 2)
    for read in (store.get_scalar, store.get_secret):
        with pytest.raises(NotFoundError, match="key_unknown"):
            read("key")
    with pytest.raises(NotFoundError, match="key_unknown"):
        store.sign("secret", b"m")
    assert store.names() == ["key", "secret"]
