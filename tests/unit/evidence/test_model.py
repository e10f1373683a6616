"""Leaves, digests, promises (EV-1, EV-2, EV-3)."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from pydantic import ValidationError

from evidence_kit import CONTEXT, MEMBER, OTHER
from lianzheng.crypto import ed25519
from lianzheng.encoding.canonical import encode
from lianzheng.errors import FormatError, VerificationError
from lianzheng.evidence.model import (
    Acknowledgement,
    AnchorPayload,
    Document,
    EvidenceRecord,
    Promise,
    PromiseBody,
    Promiser,
    anchor_digest,
    digest_document,
    leaves_of,
    promise_bytes,
)


def _frame(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def _record(scene: str = "consent") -> EvidenceRecord:
    return EvidenceRecord(
        case_id="case-1",
        scene=scene,
        institution=MEMBER,
        operator_role="clerk",
        context=CONTEXT,
        documents=(digest_document(Document("a.txt", "text/plain", b"abc")),),
        previous=None,
    )


def test_ev2_leaves_are_the_tagged_hashes_of_salt_and_record() -> None:
    record, salt = _record(), b"\x01" * 32
    message = b"lianzheng/v1/evidence-leaf\0" + _frame(salt, encode(record.to_json()))
    leaves = leaves_of(record, salt)
    assert leaves.sha256 == hashlib.sha256(message).digest()
    assert leaves.sm3 == hashlib.new("sm3", message).digest()


def test_ev2_another_salt_gives_other_leaves() -> None:
    assert leaves_of(_record(), bytes(32)) != leaves_of(_record(), b"\x01" * 32)


def test_ev1_document_digests_are_those_of_the_standards() -> None:
    digest = digest_document(Document("a.txt", "text/plain", b"abc"))
    # FIPS 180-4 and GB/T 32905 give these for "abc".
    assert digest.sha256.hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert digest.sm3.hex() == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    assert digest.size_bytes == 3


def test_ev1_scene_must_be_registered() -> None:
    with pytest.raises(ValidationError):
        _record(scene="marketing")
    with pytest.raises(FormatError, match="field_invalid"):
        EvidenceRecord.from_json(_record().to_json() | {"scene": "marketing"})


def test_ev3_anchor_digest_binds_sender_and_payload() -> None:
    payload = AnchorPayload(root_sha256=bytes(32), root_sm3=bytes(32), count=1, previous_anchor=None)
    expected = hashlib.sha256(
        b"lianzheng/v1/evidence-anchor\0" + _frame(MEMBER.encode(), encode(payload.to_json()))
    ).digest()
    assert anchor_digest(MEMBER, payload) == expected
    assert anchor_digest(OTHER, payload) != expected


def test_ev3_promises_written_by_the_thousand_are_those_of_the_typed_value() -> None:
    seed, leaves = bytes(range(32)), leaves_of(_record(), bytes(32))
    body = PromiseBody(chain_id="net-1", member=MEMBER, key_id="#node", leaves=leaves, due_ms=1_790_000_060_000)
    promiser = Promiser("net-1", MEMBER, "#node")
    written = promiser.body(leaves.sha256, leaves.sm3, body.due_ms)
    assert written == encode(body.to_json())
    promise = promiser.signed(written, lambda message: ed25519.sign(seed, message))
    assert promise == Promise(body=body, sig=ed25519.sign(seed, promise_bytes(body))).to_bytes()
    Promise.from_bytes(promise).verify(ed25519.public_key(seed))


def test_ev3_promise_is_about_exactly_its_record() -> None:
    seed, record, salt = ed25519.generate(), _record(), b"\x02" * 32
    node_key = ed25519.public_key(seed)
    body = PromiseBody(chain_id="test-1", member=MEMBER, key_id="#node", leaves=leaves_of(record, salt), due_ms=1)
    promise = Promise(body=body, sig=ed25519.sign(seed, promise_bytes(body)))
    Acknowledgement(record=record, salt=salt, promise=promise).verify(node_key)
    with pytest.raises(VerificationError, match="promise_leaf_mismatch"):
        Acknowledgement(record=record, salt=bytes(32), promise=promise).verify(node_key)
    later = Promise(body=body.model_copy(update={"due_ms": 2}), sig=promise.sig)
    with pytest.raises(VerificationError, match="signature_invalid"):
        later.verify(node_key)


def test_ev3_a_promise_is_about_what_was_handed_in_on_this_chain_and_soon() -> None:
    """A member could acknowledge with an honest promise about something else, or one due in a hundred years."""
    now_ms, handed_in = 1_790_000_000_000, b"the consent as signed"
    document = digest_document(Document("named-consent.json", "application/vc", handed_in))
    record = _record().model_copy(update={"documents": (document,)})
    body = PromiseBody(
        chain_id="test-1", member=MEMBER, key_id="#node", leaves=leaves_of(record, bytes(32)), due_ms=now_ms + 60_000
    )

    def kept(**changes: Any) -> Acknowledgement:
        promise = Promise(body=body.model_copy(update=changes), sig=bytes(64))
        return Acknowledgement(record=record, salt=bytes(32), promise=promise)

    kept().verify_for(handed_in, "test-1", now_ms)
    kept(due_ms=now_ms - 1).verify_for(handed_in, "test-1", now_ms)  # the same again, asked for later
    latest = now_ms + 60_000 + 5 * 60_000  # EV-3, and clocks five minutes apart
    kept(due_ms=latest).verify_for(handed_in, "test-1", now_ms)
    for code, found, shown in (
        ("promise_document_missing", kept(), b"the consent as signed\n"),
        ("promise_chain_wrong", kept(chain_id="test-2"), handed_in),
        ("promise_due_late", kept(due_ms=latest + 1), handed_in),
    ):
        with pytest.raises(VerificationError, match=code):
            found.verify_for(shown, "test-1", now_ms)
