"""PKCS#11 beyond the common suite: nothing can be read out, and what goes wrong has a name."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pkcs11
import pytest
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass

from lianzheng.adapters.keystore import pkcs11_store
from lianzheng.adapters.keystore.pkcs11_store import Pkcs11SigningStore, _raw_point
from lianzheng.crypto import ed25519
from lianzheng.errors import ConfigError, LianzhengError, UnavailableError
from softhsm_kit import Token, make_tokens, spare_token, util


@pytest.fixture
def token() -> Token:
    return spare_token()


def _open(token: Token, prefix: str = "member") -> Pkcs11SigningStore:
    return Pkcs11SigningStore.open(token.module, token.label, token.pin, prefix)


def _code(error: pytest.ExceptionInfo[LianzhengError]) -> str:
    return error.value.code


def test_private_keys_cannot_be_read_out_nor_wrapped(token: Token) -> None:
    store = _open(token)
    for name, kind in [("a", "Ed25519"), ("b", "P-256")]:
        store.generate_signing_key(name, kind)  # type: ignore[arg-type]
    with store._connection.session() as session:
        keys = list(session.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY}))
        assert len(keys) == 2
        wrapping = session.generate_key(KeyType.AES, 256)
        for key in keys:
            assert key[Attribute.SENSITIVE]
            assert key[Attribute.ALWAYS_SENSITIVE]
            assert not key[Attribute.EXTRACTABLE]
            assert key[Attribute.NEVER_EXTRACTABLE]
            assert key[Attribute.LOCAL], "made in the module"
            with pytest.raises(pkcs11.exceptions.AttributeSensitive):
                key[Attribute.VALUE]
            with pytest.raises(pkcs11.exceptions.KeyUnextractable):
                wrapping.wrap_key(key, mechanism=Mechanism.AES_KEY_WRAP)
            with pytest.raises(pkcs11.exceptions.PKCS11Error):
                key[Attribute.EXTRACTABLE] = True


def test_a_key_that_can_be_read_out_is_not_used(token: Token) -> None:
    store = _open(token)
    with store._connection.session() as session:
        domain = session.create_domain_parameters(
            KeyType.EC, {Attribute.EC_PARAMS: bytes.fromhex("06082a8648ce3d030107")}, local=True
        )
        domain.generate_keypair(
            store=True,
            label="member/node",
            mechanism=Mechanism.EC_KEY_PAIR_GEN,
            private_template={Attribute.EXTRACTABLE: True, Attribute.SENSITIVE: False},
        )
    with pytest.raises(ConfigError) as caught:
        store.sign("node", b"m")
    assert _code(caught) == "hsm_key_extractable"
    with pytest.raises(ConfigError) as caught:
        store.public_key("node")
    assert _code(caught) == "hsm_key_extractable"


def test_two_members_share_a_token_and_see_nothing_of_each_other(token: Token) -> None:
    first, second = _open(token, "one"), _open(token, "two")
    ours, theirs = first.generate_signing_key("node"), second.generate_signing_key("node")
    assert ours != theirs
    ed25519.verify(theirs, b"m", second.sign("node", b"m"))
    first.erase("node")
    assert (first.names(), second.names()) == ([], ["node"])


def test_wrong_pin_token_and_module_have_their_names(token: Token, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        Pkcs11SigningStore.open(token.module, token.label, b"000000", "member")
    assert _code(caught) == "hsm_pin_wrong"
    assert b"000000" not in str(caught.value).encode()
    with pytest.raises(ConfigError) as caught:
        Pkcs11SigningStore.open(token.module, "no such token", token.pin, "member")
    assert _code(caught) == "hsm_token_missing"
    with pytest.raises(UnavailableError) as unreachable:
        Pkcs11SigningStore.open(tmp_path / "none.so", token.label, token.pin, "member")
    assert _code(unreachable) == "hsm_unreachable"
    store = _open(token)
    assert store.names() == [], "the right PIN opens it afterwards"


def test_a_lost_session_is_an_error_once_and_is_opened_anew(token: Token) -> None:
    store = _open(token)
    public = store.generate_signing_key("node")
    with store._connection.session() as session:
        session.close()  # as when the module was restarted
    with pytest.raises(UnavailableError) as caught:
        store.sign("node", b"m")
    assert _code(caught) == "hsm_unreachable"
    ed25519.verify(public, b"m", store.sign("node", b"m"))


def test_a_pin_that_was_refused_is_not_tried_again(token: Token, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody changes the PIN, the session is lost: a node that asks with the old one every second locks the token."""
    store = _open(token)
    public = store.generate_signing_key("node")
    with store._connection.session() as session:
        session.set_pin(token.pin.decode(), "another1")
        session.close()
    tries: list[str] = []
    library = pkcs11.lib

    def counted(path: str) -> Any:
        tries.append(path)
        return library(path)

    monkeypatch.setattr("lianzheng.adapters.keystore.pkcs11_session.pkcs11.lib", counted)
    codes = []
    for _ in range(4):
        with pytest.raises(LianzhengError) as caught:
            store.sign("node", b"m")
        codes.append(_code(caught))
    assert codes == ["hsm_unreachable", "hsm_pin_wrong", "hsm_pin_wrong", "hsm_pin_wrong"]
    assert len(tries) == 1
    again = Pkcs11SigningStore.open(token.module, token.label, b"another1", "member")
    ed25519.verify(public, b"m", again.sign("node", b"m"))
    assert len(tries) == 2


_SIGNS_TWICE = """
import sys
from pathlib import Path
from lianzheng.adapters.keystore.pkcs11_store import Pkcs11SigningStore
from lianzheng.errors import LianzhengError

module, token, pin = sys.argv[1:]
store = Pkcs11SigningStore.open(Path(module), token, pin.encode(), "member")
store.generate_signing_key("node")
print("ready", flush=True)
sys.stdin.readline()
for _ in range(2):
    try:
        store.sign("node", b"m")
    except LianzhengError as error:
        print(type(error).__name__, error.code, flush=True)
"""


def test_a_token_that_is_gone(tmp_path: Path) -> None:
    """In a SoftHSM and process of its own: it lists nothing any more where one of its tokens was taken away.

    The open session still answers, and says that the key is not there.
    """
    settings, (token,) = make_tokens(tmp_path, 1)
    environment = {**os.environ, "SOFTHSM2_CONF": str(settings)}
    command = [sys.executable, "-c", _SIGNS_TWICE, str(token.module), token.label, token.pin.decode()]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        util("--delete-token", "--token", token.label, settings=settings)
        said, _ = process.communicate("go\n", timeout=30)
    assert said.splitlines() == ["NotFoundError key_unknown"] * 2


def test_a_module_that_cannot_do_it_says_so_and_keeps_nothing(token: Token, monkeypatch: pytest.MonkeyPatch) -> None:
    store = _open(token)
    unknown = (KeyType.EC_EDWARDS, Mechanism.X9_42_DH_KEY_PAIR_GEN, b"\x13\x0cedwards25519")
    monkeypatch.setitem(pkcs11_store._CURVES, "Ed25519", unknown)
    with pytest.raises(ConfigError) as caught:
        store.generate_signing_key("node")
    assert _code(caught) == "hsm_key_unusable"
    monkeypatch.undo()
    monkeypatch.setattr(pkcs11_store, "_TRIAL", b"\0")
    monkeypatch.setattr(Pkcs11SigningStore, "sign", lambda *_: bytes(64))  # a module that signs something else
    with pytest.raises(ConfigError) as caught:
        store.generate_signing_key("node")
    assert _code(caught) == "hsm_key_unusable"
    monkeypatch.undo()
    assert store.names() == []


def test_an_error_of_the_module_in_the_midst_is_typed(token: Token) -> None:
    store = _open(token)
    with pytest.raises(UnavailableError) as caught, store._connection.session():
        raise pkcs11.exceptions.ObjectHandleInvalid
    assert (_code(caught), caught.value.detail) == ("hsm_unreachable", "ObjectHandleInvalid")
    assert store.names() == []


def test_forms_of_a_public_point() -> None:
    raw = bytes(range(32))
    assert _raw_point("Ed25519", raw) == _raw_point("Ed25519", b"\x04\x20" + raw) == raw
    point = b"\x04" + raw + bytes(31) + b"\x03"
    assert _raw_point("P-256", point) == _raw_point("P-256", b"\x04\x41" + point) == b"\x03" + raw
    for kind, bad in [("Ed25519", raw[:-1]), ("Ed25519", b"\x04\x21" + raw), ("P-256", b"\x02" + raw), ("P-256", b"")]:
        with pytest.raises(ConfigError) as caught:
            _raw_point(kind, bad)  # type: ignore[arg-type]
        assert _code(caught) == "hsm_key_unusable"
