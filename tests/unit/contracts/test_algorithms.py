"""Transactions by Ed25519, P-256 and SM2 keys under schema 3, and none but the first before it (LED-2, LED-7)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from credential_kit import CREATED, policy, unsigned
from did_kit import Holder, Network
from governance_kit import FOUNDERS, A, B, C
from ledger_kit import ALPHA, CHAIN, START_MS, make_genesis, make_sequencer
from lianzheng.clock import ManualClock
from lianzheng.contracts.machine import Machine
from lianzheng.crypto import ecdsa, sm2
from lianzheng.crypto.digest import sha256_raw, sm3_raw
from lianzheng.crypto.sm2_provider import GMSSL
from lianzheng.encoding.multikey import ED25519_PUB, P256_PUB, P384_PUB, SM2_PUB, encode_multikey
from lianzheng.errors import FormatError, LianzhengError
from lianzheng.governance.motions.model import MotionVote, motion_id, motion_of
from lianzheng.governance.schema import SchemaUpgrade
from lianzheng.identity.credentials.keys import ProofKey, ProofSigner
from lianzheng.identity.credentials.proofs import ProofOptions, create_proof
from lianzheng.identity.credentials.suites import SM2_SUITE
from lianzheng.identity.credentials.verifier import verify_vc
from lianzheng.identity.did.model import (
    CreationOperation2,
    DidContent,
    DidCreate2,
    DidService,
    DidUpdate,
    MethodKey,
    Relationship,
    did_of,
    did_record_hash,
)
from lianzheng.identity.resolution.keys import ledger_key
from lianzheng.identity.resolver import did_document, read_did
from lianzheng.ledger.algorithms import TransactionSigner, algorithm_of, transaction_signer
from lianzheng.ledger.sender import TransactionSender, sign_transaction
from lianzheng.ledger.snapshot import chunk_digest
from lianzheng.ledger.state import MemoryState
from lianzheng.ledger.transaction import Transaction, TransactionBody, TransactionProof, signing_bytes

_N256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # FIPS 186-5 / SP 800-186, P-256
_NSM2 = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123  # GB/T 32918.5
_BOTH: tuple[Relationship, ...] = ("assertionMethod", "authentication")
SIGNERS = {
    "#key-1": transaction_signer(ED25519_PUB, sha256_raw(b"ed")),
    "#p-256": transaction_signer(P256_PUB, sha256_raw(b"p256")),
    "#sm2": transaction_signer(SM2_PUB, sm2.generate()),
}
_UNFIT: tuple[tuple[str, tuple[Relationship, ...]], ...] = (
    ("#node", _BOTH),
    ("#validator", _BOTH),
    ("#a", ("capabilityInvocation",)),
)
ORDERS = {"#p-256": _N256, "#sm2": _NSM2}


def _keys(*names: str) -> tuple[MethodKey, ...]:
    return tuple(MethodKey(id=name, multikey=SIGNERS[name].multikey, purposes=_BOTH) for name in names)


class Person:
    """A DID with a key of each algorithm, on a network of its own."""

    def __init__(self, schema: int = 3, names: tuple[str, ...] = tuple(SIGNERS)) -> None:
        self.network = Network(schema)
        for attempt in range(100):
            salt = sha256_raw(f"{names} {attempt}".encode())
            self.operation = CreationOperation2(network=CHAIN, salt=salt, content=DidContent(keys=_keys(*names)))
            try:
                self.did = did_of(self.operation)
            except FormatError:  # a rare digest gives a text too short for a DID
                continue
            break

    def body(self, kind: str, payload: Any, key_id: str, nonce: int | None = None, **changes: Any) -> TransactionBody:
        fields: dict[str, Any] = {
            "chain_id": CHAIN,
            "kind": kind,
            "sender": self.did,
            "key_id": key_id,
            "nonce": nonce,
            "expires_at": self.network.time_ms + 3_600_000,
            "payload": payload.to_json(),
        }
        return TransactionBody(**(fields | changes))

    def create(self, key_id: str = "#key-1") -> str:
        signer = SIGNERS[key_id]
        body = self.body("did.create", DidCreate2(operation=self.operation), key_id, 1)
        return self.network.send(sign_transaction(body, signer.sign, signer.alg))

    def update_body(self, key_id: str, **content: Any) -> TransactionBody:
        record = read_did(self.network.state, self.did)
        fields: dict[str, Any] = {"keys": record.keys, "services": (_service(record.version),)}
        payload = DidUpdate(
            did=self.did,
            version=record.version + 1,
            prev=did_record_hash(record),
            content=DidContent(**(fields | content)),
        )
        return self.body("did.update", payload, key_id)

    def update(self, key_id: str, signer: TransactionSigner | None = None, **content: Any) -> str:
        by = signer or SIGNERS[key_id]
        return self.network.send(sign_transaction(self.update_body(key_id, **content), by.sign, by.alg))


def _service(number: int) -> DidService:
    return DidService(id="#home", type="Home", endpoint=f"https://example.org/{number}")


@pytest.fixture
def person() -> Person:
    one = Person()
    assert one.create() == "ok"
    return one


@pytest.mark.parametrize("key_id", SIGNERS)
def test_a_key_of_each_algorithm_creates_and_changes_its_did(key_id: str) -> None:
    person = Person()
    assert person.create(key_id) == "ok"
    assert person.update(key_id) == "ok"
    assert read_did(person.network.state, person.did).version == 2


@pytest.mark.parametrize("named", SIGNERS)
@pytest.mark.parametrize("alg", ["Ed25519", "ES256", "SM2-SM3"])
def test_alg_is_that_of_the_key(person: Person, named: str, alg: Any) -> None:
    """All nine pairs; the signature is by the named key, so only the member alg is at fault."""
    own = SIGNERS[named].alg
    code = person.update(named, replace(SIGNERS[named], alg=alg))
    assert code == ("ok" if own == alg else "algorithm_mismatch")


@pytest.mark.parametrize("named", SIGNERS)
@pytest.mark.parametrize("by", SIGNERS)
def test_a_signature_by_another_key_is_none(person: Person, named: str, by: str) -> None:
    code = person.update(named, replace(SIGNERS[by], alg=SIGNERS[named].alg))
    assert code == ("ok" if named == by else "signature_invalid")


@pytest.mark.parametrize("key_id", SIGNERS)
def test_a_signature_of_another_transaction_is_none(person: Person, key_id: str) -> None:
    """Every public input that is signed is changed once."""
    signer, body = SIGNERS[key_id], person.update_body(key_id)
    signed = signer.sign(signing_bytes(body))
    other = person.update_body(key_id, services=()).payload
    changes: tuple[dict[str, Any], ...] = ({"expires_at": body.expires_at + 1}, {"payload": other})
    for change in changes:
        proof = TransactionProof(alg=signer.alg, sig=signed)
        changed = Transaction(body=body.model_copy(update=change), proof=proof)
        assert person.network.send(changed) == "signature_invalid", change
    assert person.network.send(Transaction(body=body, proof=proof)) == "ok"


@pytest.mark.parametrize("key_id", ORDERS)
def test_numbers_out_of_range_are_refused(person: Person, key_id: str) -> None:
    signer, body, order = SIGNERS[key_id], person.update_body(key_id), ORDERS[key_id]
    good = signer.sign(signing_bytes(body))
    r, s = int.from_bytes(good[:32], "big"), int.from_bytes(good[32:], "big")
    most = 2**256 - 1
    pairs = [(0, s), (r, 0), (0, 0), (order, s), (r, order), (most, s), (r, most), (s, r), (r, s ^ 1), (order - r, r)]
    for one, two in pairs:
        proof = TransactionProof(alg=signer.alg, sig=one.to_bytes(32, "big") + two.to_bytes(32, "big"))
        assert person.network.send(Transaction(body=body, proof=proof)) == "signature_invalid", (one, two)
    assert person.network.send(Transaction(body=body, proof=TransactionProof(alg=signer.alg, sig=good))) == "ok"


def test_the_twin_with_the_high_s_is_refused(person: Person) -> None:
    """EV-4: it verifies by the standard (shown by the library), and is refused here."""
    signer, body = SIGNERS["#p-256"], person.update_body("#p-256")
    message = signing_bytes(body)
    low = signer.sign(message)
    assert low == signer.sign(message), "RFC 6979: the same again"
    high = low[:32] + (_N256 - int.from_bytes(low[32:], "big")).to_bytes(32, "big")
    assert int.from_bytes(low[32:], "big") <= _N256 // 2 < int.from_bytes(high[32:], "big")
    ecdsa.verify("P-256", algorithm_of(signer.multikey)[1], message, high)
    twin = Transaction(body=body, proof=TransactionProof(alg="ES256", sig=high))
    assert person.network.send(twin) == "signature_invalid"
    assert person.network.send(Transaction(body=body, proof=TransactionProof(alg="ES256", sig=low))) == "ok"


def test_sm2_with_another_identity_is_refused(person: Person) -> None:
    """Z over "1234567812345679": the provider signs that digest, and nobody here takes it."""
    pair = sm2.generate()
    key = MethodKey(id="#own", multikey=encode_multikey(SM2_PUB, sm2.public_key(pair)), purposes=_BOTH)
    assert person.update("#key-1", keys=(*_keys("#key-1"), key)) == "ok"
    identity = b"1234567812345679"
    point = sm2._point(sm2.public_key(pair))[0]
    constants = sm2._Z_PREFIX[2 + len(identity) :]
    z = sm3_raw((8 * len(identity)).to_bytes(2, "big") + identity + constants + point)
    own = transaction_signer(SM2_PUB, pair)

    def sign(message: bytes) -> bytes:
        r, s = decode_dss_signature(GMSSL.sign_digest(pair[:32], sm3_raw(z + message)))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    assert person.update("#own", replace(own, sign=sign)) == "signature_invalid"
    assert person.update("#own", own) == "ok"


@pytest.mark.parametrize(("codec", "alg"), [(P256_PUB, "ES256"), (SM2_PUB, "SM2-SM3")])
def test_a_key_that_is_no_point_signs_nothing(person: Person, codec: int, alg: Any) -> None:
    wrong = encode_multikey(codec, b"\x02" + bytes([255] * 32))  # x above both primes
    key = MethodKey(id="#own", multikey=wrong, purposes=_BOTH)
    assert person.update("#key-1", keys=(*_keys("#key-1"), key)) == "ok"
    assert person.update("#own", replace(SIGNERS["#sm2"], alg=alg)) == "signature_invalid"


def test_a_point_of_the_other_curve_is_another_key(person: Person) -> None:
    """The bytes of an SM2 point under the P-256 codec: no signature of its owner holds."""
    crossed = encode_multikey(P256_PUB, algorithm_of(SIGNERS["#sm2"].multikey)[1])
    key = MethodKey(id="#own", multikey=crossed, purposes=_BOTH)
    assert person.update("#key-1", keys=(*_keys("#key-1"), key)) == "ok"
    assert person.update("#own", SIGNERS["#sm2"]) == "algorithm_mismatch"
    assert person.update("#own", replace(SIGNERS["#sm2"], alg="ES256")) == "signature_invalid"


def test_a_key_that_signs_no_transactions(person: Person) -> None:
    wide = encode_multikey(P384_PUB, ecdsa.public_key("P-384", ecdsa.generate("P-384")))
    key = MethodKey(id="#own", multikey=wide, purposes=_BOTH)
    assert person.update("#key-1", keys=(*_keys("#key-1"), key)) == "ok"
    assert person.update("#own", SIGNERS["#p-256"]) == "multikey_invalid"


def test_a_did_keeps_an_ed25519_key() -> None:
    assert Person(names=("#sm2",)).create("#sm2") == "did_authentication_missing"


def test_reserved_keys_and_sm2_purposes() -> None:
    sm = SIGNERS["#sm2"].multikey
    for name, purposes in _UNFIT:
        with pytest.raises(ValueError, match="cannot serve"):
            MethodKey(id=name, multikey=sm, purposes=purposes)


def test_a_member_signs_with_its_node_key_alone() -> None:
    network, holder = Network(3), Holder.of(ALPHA)
    body = network._sign("did.update", network.payload(holder), holder, "#node", holder.seed(0), None).body
    signer = SIGNERS["#p-256"]
    assert network.send(sign_transaction(body, signer.sign, "ES256")) == "algorithm_mismatch"


@pytest.mark.parametrize("schema", [1, 2])
@pytest.mark.parametrize("alg", ["ES256", "SM2-SM3"])
def test_before_schema_3_there_is_one_algorithm(schema: int, alg: Any) -> None:
    network = Network(schema)
    before = network.machine.app_hash()
    signed = ALPHA.transaction("evidence.anchor", {}, 1)
    proof = TransactionProof(alg=alg, sig=signed.proof.sig)
    assert network.send(Transaction(body=signed.body, proof=proof)) == "field_invalid"
    assert network.machine.app_hash() == before


def test_before_schema_3_a_p256_key_stands_and_signs_nothing() -> None:
    person = Person(2, ("#key-1", "#p-256"))
    assert person.create() == "ok"
    assert person.update("#p-256", replace(SIGNERS["#p-256"], alg="Ed25519")) == "multikey_invalid"
    assert person.update("#p-256") == "field_invalid"


def test_before_schema_3_no_sm2_key_comes_into_a_did() -> None:
    assert Person(2).create() == "field_invalid"
    person = Person(2, ("#key-1",))
    assert person.create() == "ok"
    before = person.network.machine.app_hash()
    assert person.update("#key-1", keys=_keys("#key-1", "#sm2")) == "field_invalid"
    assert person.network.machine.app_hash() == before


def _carried(machine: Machine, network: Network, at: int) -> None:
    """The founders vote for schema 3 at height ``at``; each ballot is a block."""
    content = SchemaUpgrade(schema=3, height=at).to_json()
    founders = (A, B, C)
    assert network.send(founders[0].transaction("schema.upgrade", content, 1)) == "ok"
    name = motion_id(CHAIN, "schema.upgrade", content)
    opened = motion_of(machine.state, name).opened_height
    ballot = MotionVote(motion=name, opened_height=opened, ballot="yes").to_json()
    for party in founders[1:]:
        assert network.send(party.transaction("member.vote", ballot, 1)) == "ok"


def test_a_network_of_schema_2_is_carried_to_3_while_transactions_flow() -> None:
    person = Person(2, ("#key-1", "#p-256"))
    person.network.machine = machine = Machine(make_genesis(FOUNDERS, schema=2))
    assert person.create() == "ok"
    _carried(machine, person.network, 8)
    with_sm2 = _keys("#key-1", "#p-256", "#sm2")
    assert person.update("#key-1", keys=with_sm2) == "field_invalid"
    assert person.update("#p-256") == "field_invalid"
    assert (machine.height, machine.schema) == (6, 2)
    assert person.update("#key-1") == "ok"
    body, signer = person.update_body("#p-256"), SIGNERS["#p-256"]
    tree = machine.roots().state_root
    assert tree == _fresh(machine, 2)
    assert person.network.send(sign_transaction(body, signer.sign, signer.alg)) == "ok"
    assert (machine.height, machine.schema) == (8, 3), "the first block under the new rules"
    assert machine.roots().state_root == _fresh(machine, 3) == _fresh(machine, 2), "one tree under both"
    assert person.update("#key-1", keys=with_sm2) == "ok"
    assert person.update("#sm2") == "ok"
    snapshot = machine.snapshot()
    again = Machine(make_genesis(FOUNDERS, schema=2))
    chunks = list(snapshot.chunks())
    again.restore(snapshot.manifest([chunk_digest(chunk) for chunk in chunks]), chunks)
    assert (again.schema, again.app_hash()) == (3, machine.app_hash())
    person.network.machine = again
    assert person.update("#sm2") == "ok"


def _fresh(machine: Machine, schema: int) -> bytes:
    state = MemoryState(schema)
    state.apply(list(machine.state.scan("")))
    return state.root()


@given(alg=st.sampled_from(["Ed25519", "ES256", "SM2-SM3"]), sig=st.binary(min_size=64, max_size=64))
def test_the_envelope_goes_through_its_encoding(alg: Any, sig: bytes) -> None:
    body = ALPHA.transaction("evidence.anchor", {}, 1).body
    transaction = Transaction(body=body, proof=TransactionProof(alg=alg, sig=sig))
    assert Transaction.parse(transaction.to_bytes()) == transaction
    assert Transaction.parse_under(3, transaction.to_bytes()) == transaction
    if alg == "Ed25519":
        assert Transaction.parse_under(2, transaction.to_bytes()).to_bytes() == transaction.to_bytes()
    else:
        with pytest.raises(FormatError, match="field_invalid"):
            Transaction.parse_under(2, transaction.to_bytes())


@pytest.mark.parametrize("key_id", SIGNERS)
async def test_the_sender_signs_with_any_of_the_three(tmp_path: Path, key_id: str) -> None:
    clock = ManualClock(START_MS + 1)
    engine = make_sequencer(tmp_path, clock, make_genesis(schema=3))
    await engine.start()
    person, signer = Person(), SIGNERS[key_id]
    sender = TransactionSender(engine, signer.sign, CHAIN, person.did, key_id, clock, alg=signer.alg)
    receipt = await sender.send("did.create", DidCreate2(operation=person.operation))
    assert receipt.result.ok
    assert read_did(engine.state, person.did).version == 1
    await engine.stop()


def test_an_issuer_on_the_ledger_makes_a_dual_credential(person: Person) -> None:
    """Both keys stand in its DID and its document; a proof that is taken away or swapped does not hold."""
    state = person.network.state
    by = {
        name: ProofSigner(f"{person.did}{name}", codec, SIGNERS[name].sign)
        for name, codec in (("#key-1", ED25519_PUB), ("#sm2", SM2_PUB))
    }
    first = create_proof(
        unsigned(by["#sm2"], issuer=person.did), by["#key-1"], ProofOptions("eddsa-jcs-2022", created=CREATED)
    )
    dual = create_proof(first, by["#sm2"], ProofOptions(SM2_SUITE, created=CREATED))

    def resolve(method: str, purpose: str) -> ProofKey:
        return ledger_key(state, method, purpose).key

    rule = policy(resolve_key=resolve)
    assert {one.cryptosuite for one in verify_vc(dual, rule).proofs} == {"eddsa-jcs-2022", SM2_SUITE}
    for changed in ({**dual, "id": "urn:uuid:00000000-0000-0000-0000-000000000000"}, {**dual, "validUntil": CREATED}):
        with pytest.raises(LianzhengError):
            verify_vc(changed, rule)
    assert person.update("#key-1", keys=_keys("#key-1")) == "ok"
    fresh = create_proof(first, by["#sm2"], ProofOptions(SM2_SUITE, created=CREATED))
    with pytest.raises(LianzhengError, match="verification_method_unknown"):
        verify_vc(fresh, rule)


def test_the_document_of_the_did_names_the_sm2_key(person: Person) -> None:
    document = did_document(read_did(person.network.state, person.did))
    found = [one for one in document["verificationMethod"] if one["publicKeyMultibase"] == SIGNERS["#sm2"].multikey]
    assert [(one["type"], one["id"]) for one in found] == [("Multikey", f"{person.did}#sm2")]
    assert f"{person.did}#sm2" in document["assertionMethod"]


_SCRIPT_CODES = ("ok", "ok", "prev_wrong", "signature_invalid", "key_unknown", "ok", "ok", "sender_unknown")
_SCRIPT_HASH = "61e92f14aa5a459227bd9fd22ad723da671d11f05dcc85db89d654e19cca7ca3"
"""What the software before schema 3 made of :func:`_script`."""


def _script() -> tuple[tuple[str, ...], str]:
    network, holder = Network(2), Holder(next_keys=2, recovery=True)
    codes = [network.create(holder), network.update(holder, services=(_service(1),))]
    codes.append(network.update(holder, services=(), prev=b"0" * 32))
    codes.append(network.update(holder, signer=5, services=()))
    codes.append(network.update(holder, key_id="#nobody", services=()))
    codes.append(network.recover(holder, keys=(holder.key(7),), control=holder.control(recovery=None, next=())))
    codes.append(network.deactivate(holder, signer=7))
    codes.append(network.update(holder, signer=7, record=holder.first()))
    return tuple(codes), network.machine.app_hash().hex()


def test_a_chain_of_schema_2_is_as_it_was() -> None:
    assert _script() == (_SCRIPT_CODES, _SCRIPT_HASH)
