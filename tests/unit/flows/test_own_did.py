"""A DID with keys of three kinds in a key store: made, changed by each of its keys, issuing; mostly under schema 3."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from did_kit import Network
from ledger_kit import CHAIN
from lianzheng.adapters.keystore.sealed_file import SealedFileKeyStore
from lianzheng.encoding.multikey import ED25519_PUB, P256_PUB, SM2_PUB, decode_any_multikey
from lianzheng.errors import LianzhengError, NotFoundError
from lianzheng.flows.own_did import KeyName, OwnDid
from lianzheng.identity.credentials.verifier import CredentialPolicy, verify_vc
from lianzheng.identity.did.model import DidRecord
from lianzheng.identity.resolution.keys import ledger_key
from lianzheng.identity.resolver import read_did

ALL: tuple[KeyName, ...] = ("Ed25519", "P-256", "SM2")
LEVEL = {
    "type": ["VerifiableCredential", "SuitabilityLevelCredential"],
    "validUntil": "2099-09-01T00:00:00Z",
    "credentialSubject": {
        "id": "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp", "level": "C3", "lowestClass": False,
        "productLine": "securities", "assessedOn": "2026-09-01", "expiresOn": "2099-08-31",
    },
}  # fmt: skip


class Desk:
    """A store, its DID, and the ledger."""

    def __init__(self, folder: Path, schema: int = 3, names: tuple[KeyName, ...] = ALL) -> None:
        self.network = Network(schema)
        self.store = SealedFileKeyStore.create(folder / "keys.sealed", b"a passphrase that nobody guesses")
        self.own = OwnDid.make(self.store, CHAIN, names)

    @property
    def record(self) -> DidRecord:
        return read_did(self.network.state, self.own.did)

    def create(self, by: KeyName = "Ed25519") -> str:
        return self.network.send(self.own.create(self.network.time_ms, by))

    def key(self, name: KeyName, by: KeyName = "Ed25519") -> str:
        return self.network.send(self.own.with_key(self.record, name, self.network.time_ms, by))

    def issue(self, *suites: str, **change: Any) -> dict[str, Any]:
        return self.own.issue({**LEVEL, **change}, self.record, suites, self.network.time_ms)

    def verify(self, document: dict[str, Any], *suites: str) -> None:
        state = self.network.state
        policy = CredentialPolicy(
            self.network.time_ms,
            lambda method, purpose: ledger_key(state, method, purpose).key,
            required_suites=frozenset(suites),
        )
        verify_vc(document, policy)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    one = Desk(tmp_path)
    assert one.create() == "ok"
    return one


@pytest.mark.parametrize("by", ALL)
def test_a_key_of_each_kind_creates_and_changes(tmp_path: Path, by: KeyName) -> None:
    desk = Desk(tmp_path)
    assert desk.create(by) == "ok"
    assert [decode_any_multikey(key.multikey)[0] for key in desk.record.keys] == [ED25519_PUB, P256_PUB, SM2_PUB]
    assert desk.create(by) == "nonce_used"
    for name in ALL:
        assert desk.key(name, by) == "ok"
    assert {key.id for key in desk.record.keys} == {"#ed25519-2", "#p256-2", "#sm2-2"}
    assert desk.record.version == 4


def test_the_store_alone_brings_the_did_back(desk: Desk, tmp_path: Path) -> None:
    again = SealedFileKeyStore.open(tmp_path / "keys.sealed", b"a passphrase that nobody guesses")
    assert OwnDid(again).did == desk.own.did
    desk.own = OwnDid(again)
    assert desk.key("SM2", "SM2") == "ok"
    with pytest.raises(LianzhengError, match="key_exists"):
        OwnDid.make(again, CHAIN, ALL)


def test_a_store_without_a_did_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="key_unknown"):
        OwnDid(SealedFileKeyStore.create(tmp_path / "empty", b"a passphrase that nobody guesses"))


def test_ed25519_is_always_there_and_other_kinds_come_later(tmp_path: Path) -> None:
    desk = Desk(tmp_path, names=())
    assert desk.create() == "ok"
    assert [key.id for key in desk.record.keys] == ["#ed25519-1"]
    with pytest.raises(NotFoundError, match="key_unknown"):
        desk.issue("lz-sm2-jcs-2026")
    assert (desk.key("SM2"), desk.key("P-256", "SM2")) == ("ok", "ok")
    desk.verify(desk.issue("lz-sm2-jcs-2026", "ecdsa-jcs-2019"), "lz-sm2-jcs-2026", "ecdsa-jcs-2019")


def test_schema_2_takes_p256_keys_and_no_sm2(tmp_path: Path) -> None:
    for folder, names, expected in (("p", ("P-256",), "ok"), ("s", ("SM2",), "field_invalid")):
        (tmp_path / folder).mkdir()
        kinds: Any = names
        desk = Desk(tmp_path / folder, schema=2, names=kinds)
        assert desk.create() == expected
        if expected == "ok":
            assert desk.key("SM2") == "field_invalid"
            assert desk.key("P-256", by="P-256") == "field_invalid", "it stands, and signs nothing yet"


def test_a_dual_credential_of_an_institution_without_a_node(desk: Desk) -> None:
    document = desk.issue("eddsa-jcs-2022", "lz-sm2-jcs-2026")
    assert [one["verificationMethod"].partition("#")[2] for one in document["proof"]] == ["ed25519-1", "sm2-1"]
    assert (document["issuer"], document["credentialSchema"]["type"]) == (desk.own.did, "JsonSchema")
    desk.verify(document, "eddsa-jcs-2022", "lz-sm2-jcs-2026")
    for kept in document["proof"]:
        desk.verify({**document, "proof": kept}, kept["cryptosuite"])
    with pytest.raises(LianzhengError, match="proof_invalid"):
        desk.verify({**document, "id": "urn:uuid:1"})
    assert desk.key("SM2") == "ok"
    with pytest.raises(LianzhengError, match="verification_method_unknown"):
        desk.verify(document)  # as of the present version alone
    desk.verify(desk.issue("lz-sm2-jcs-2026"))


@pytest.mark.parametrize(
    ("code", "suites", "change"),
    [
        ("cryptosuites_apart", ("eddsa-jcs-2022", "eddsa-jcs-2022"), {}),
        ("cryptosuite_unknown", ("ecdsa-sd-2023",), {}),
        ("cryptosuite_unknown", ("nothing",), {}),
        ("credential_issuer_mismatch", ("eddsa-jcs-2022",), {"issuer": "did:key:z6Mk"}),
        ("credential_kind_unknown", ("eddsa-jcs-2022",), {"type": ["VerifiableCredential", "X"]}),
        ("credential_schema_invalid", ("eddsa-jcs-2022",), {"credentialSubject": {"id": "did:key:z6Mk"}}),
        ("credential_member_reserved", ("eddsa-jcs-2022",), {"proof": {}}),
    ],
)
def test_what_is_not_issued(desk: Desk, code: str, suites: tuple[str, ...], change: dict[str, Any]) -> None:
    with pytest.raises(LianzhengError) as caught:
        desk.issue(*suites, **change)
    assert caught.value.code == code


def test_a_key_that_was_put_in_its_place_by_others_signs_nothing(desk: Desk, tmp_path: Path) -> None:
    """An older copy of the store has no key of the present version of that kind."""
    (tmp_path / "old").mkdir()
    old = tmp_path / "old" / "keys.sealed"
    old.write_bytes((tmp_path / "keys.sealed").read_bytes())
    old.chmod(0o600)
    assert desk.key("SM2") == "ok"
    desk.own = OwnDid(SealedFileKeyStore.open(old, b"a passphrase that nobody guesses"))
    with pytest.raises(NotFoundError, match="key_unknown"):
        desk.issue("lz-sm2-jcs-2026")
    desk.verify(desk.issue("eddsa-jcs-2022"))
