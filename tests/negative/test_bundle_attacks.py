"""Worked-out attacks on evidence, each with the part that refuses it (EV-3, EV-4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from bundle_kit import as_json, changed, valid
from evidence_kit import CONTEXT, MEMBER, OTHER, LocalLedger
from lianzheng.clock import ManualClock
from lianzheng.crypto import ed25519
from lianzheng.encoding.binary import b64u_encode
from lianzheng.encoding.canonical import encode
from lianzheng.encoding.multikey import ED25519_PUB, encode_multikey
from lianzheng.errors import VerificationError
from lianzheng.evidence.assembly import BatchPaths, assemble_bundle
from lianzheng.evidence.model import (
    AnchorPayload,
    Bundle,
    Document,
    EvidenceRecord,
    LeafPair,
    LogEntry,
    Promise,
    PromiseBody,
    TrustFile,
    anchor_digest,
    digest_document,
    leaves_of,
)
from lianzheng.evidence.ports import Batch, PlacedRecord, StoredRecord
from lianzheng.ledger.apphash import app_hash
from lianzheng.ledger.block import Head, SignedHead, head_signing_bytes
from lianzheng.ledger.merkle import root_of
from lianzheng.verify import verify_bundle

SALT = b"\x05" * 32


def _code(data: bytes, trust: bytes) -> str:
    with pytest.raises(VerificationError) as refusal:
        verify_bundle(data, trust)
    return refusal.value.code


def _record(
    text: str, previous: LeafPair | None = None, case: str = "case-1", institution: str = MEMBER
) -> EvidenceRecord:
    return EvidenceRecord(
        case_id=case,
        scene="consent",
        institution=institution,
        operator_role="clerk",
        context=CONTEXT,
        documents=(digest_document(Document("a", "text/plain", text.encode())),),
        previous=previous,
    )


def _payload(sha256: Sequence[EvidenceRecord], sm3: Sequence[EvidenceRecord], last: bytes | None) -> AnchorPayload:
    return AnchorPayload(
        root_sha256=root_of([leaves_of(record, SALT).sha256 for record in sha256], "sha256"),
        root_sm3=root_of([leaves_of(record, SALT).sm3 for record in sm3], "sm3"),
        count=len(sha256),
        previous_anchor=last,
    )


async def _bundle(
    ledger: LocalLedger, records: Sequence[EvidenceRecord], payload: AnchorPayload, sender: str = MEMBER
) -> tuple[Bundle, bytes]:
    """What a cheating member can make: a batch of ``records`` under whatever roots it anchored."""
    receipt = ledger.block(payload, sender)
    batch = Batch(1, payload, receipt.result.data["log_index"], receipt.height, receipt.time_ms)
    leaves = [leaves_of(record, SALT) for record in records]
    placed = [
        PlacedRecord(StoredRecord(record, index, SALT, leaves[index], _any_promise(leaves[index])), batch, index)
        for index, record in enumerate(records)
    ]
    proof = await ledger.prove_log(receipt.result.data["log_index"])
    trust = TrustFile.of_genesis(ledger.genesis)
    bundle = assemble_bundle(trust, placed, {1: BatchPaths(leaves)}, {proof.index: proof})
    assert isinstance(bundle, Bundle)
    return bundle, trust.to_bytes()


def _any_promise(leaves: LeafPair) -> Promise:
    body = PromiseBody(chain_id="test-1", member=MEMBER, key_id="#node", leaves=leaves, due_ms=0)
    return Promise(body=body, sig=bytes(64))


def _with(bundle: Bundle, **parts: Any) -> bytes:
    return Bundle.from_json(bundle.to_json() | parts).to_bytes()


@pytest.fixture
def ledger() -> LocalLedger:
    return LocalLedger(ManualClock())


async def test_an_honest_bundle_made_this_way_is_accepted(ledger: LocalLedger) -> None:
    records = [_record("a")]
    bundle, trust = await _bundle(ledger, records, _payload(records, records, None))
    assert verify_bundle(bundle.to_bytes(), trust).anchored


async def test_ev4_the_anchor_of_a_refused_transaction_proves_nothing(ledger: LocalLedger) -> None:
    """It stands in a block, under a signed head; the evidence log has no entry for it."""
    accepted, refused = [_record("a")], [_record("b")]
    bundle, trust = await _bundle(ledger, accepted, _payload(accepted, accepted, None))
    payload = _payload(refused, refused, None)
    receipt = ledger.block(payload)
    assert receipt.result.code == "anchor_previous_mismatch"
    entry = LogEntry(height=receipt.height, time_ms=receipt.time_ms, sender=MEMBER, payload=payload)
    item = bundle.records[0].to_json() | {"record": refused[0].to_json()}
    forged = _with(
        bundle,
        anchors=[bundle.anchors[0].to_json() | {"entry": entry.to_json()}],
        records=[item],
        case=bundle.case.to_json() | {"last_leaf": leaves_of(refused[0], SALT).to_json()},
        ledger=bundle.ledger.to_json()
        | {"head": ledger.head.to_json(), "state_root": b64u_encode(ledger.state.root())},
    )
    assert _code(forged, trust) == "anchor_inclusion_invalid"


async def test_ev3_two_roots_of_different_records(ledger: LocalLedger) -> None:
    """A member that anchors one story under SHA-256 and another under SM3 can show neither."""
    one, two = [_record("a")], [_record("b")]
    payload = _payload(one, two, None)
    bundle, trust = await _bundle(ledger, one, payload)
    assert _code(bundle.to_bytes(), trust) == "record_path_sm3_invalid"
    other = _with(
        bundle,
        records=[bundle.records[0].to_json() | {"record": two[0].to_json()}],
        case=bundle.case.to_json() | {"last_leaf": leaves_of(two[0], SALT).to_json()},
    )
    assert _code(other, trust) == "record_path_sha256_invalid"


async def test_ev4_batch_paths_at_different_indices(ledger: LocalLedger) -> None:
    """The two trees hold the same records in another order: there is no one index for both paths."""
    first = _record("a")
    second = _record("b", leaves_of(first, SALT))
    payload = _payload([first, second], [second, first], None)
    bundle, trust = await _bundle(ledger, [first, second], payload)
    assert _code(bundle.to_bytes(), trust) == "record_path_sm3_invalid"
    items = [item.to_json() for item in bundle.records]
    items[0]["path_sm3"], items[1]["path_sm3"] = items[1]["path_sm3"], items[0]["path_sm3"]
    assert _code(_with(bundle, records=items), trust) == "record_path_sm3_invalid"


def test_ev4_the_last_record_dropped() -> None:
    document, trust = as_json(), valid()[1]
    document["records"].pop()
    assert _code(encode(document), trust) == "case_count_mismatch"
    document["case"]["count"] -= 1
    assert _code(encode(document), trust) == "anchor_unused"
    document["anchors"].pop()
    assert _code(encode(document), trust) == "case_last_leaf_mismatch"


def test_ev4_one_anchor_twice_is_no_second_encoding() -> None:
    """Two records of one batch, each under a copy of its anchor: every proof in it holds."""
    document = as_json()
    first, second, third = document["records"]
    assert (first["anchor"], second["anchor"], third["anchor"]) == (0, 0, 1)
    document["anchors"] = [document["anchors"][0], *document["anchors"]]
    second["anchor"], third["anchor"] = 1, 2
    assert _code(encode(document), valid()[1]) == "anchor_order_invalid"


def test_ev4_a_record_dropped_from_the_middle() -> None:
    document, trust = as_json(), valid()[1]
    del document["records"][1]
    document["case"]["count"] -= 1
    assert _code(encode(document), trust) == "record_previous_mismatch"
    del document["records"][0]
    document["case"]["count"] -= 1
    document["anchors"].pop(0)
    document["records"][0]["anchor"] = 0
    assert _code(encode(document), trust) == "record_previous_mismatch"


@pytest.mark.parametrize("network,seed", [("test-2", b"\x07" * 32), ("test-1", b"\x09" * 32), ("test-2", b"\x09" * 32)])
def test_ev4_a_valid_bundle_of_another_network(network: str, seed: bytes) -> None:
    bundle, its_trust = valid(network, seed)
    assert verify_bundle(bundle, its_trust).anchored
    assert _code(bundle, valid()[1]) == "network_foreign"
    assert verify_bundle(bundle, None).exit_code == 3


def test_ev4_a_foreign_bundle_that_claims_this_network() -> None:
    bundle = valid("test-2")[0]
    ours = TrustFile.from_bytes(valid()[1])
    claimed = _with(Bundle.from_bytes(bundle), network=ours.network().to_json())
    assert _code(claimed, ours.to_bytes()) == "head_foreign_network"


async def test_ev4_a_head_signed_by_somebody_else(ledger: LocalLedger) -> None:
    records = [_record("a")]
    bundle, trust = await _bundle(ledger, records, _payload(records, records, None))
    seed = b"\x55" * 32
    own = encode_multikey(ED25519_PUB, ed25519.public_key(seed))
    assert isinstance(bundle.ledger.head, SignedHead)
    head = bundle.ledger.head.head
    forged_head = SignedHead(head=head, signature=ed25519.sign(seed, head_signing_bytes(head)))
    parts = bundle.ledger.to_json() | {"head": forged_head.to_json()}
    assert _code(_with(bundle, ledger=parts), trust) == "head_signature_invalid"
    network = bundle.network.to_json() | {"signers": [own]}
    assert _code(_with(bundle, ledger=parts, network=network), trust) == "network_signers_mismatch"
    change = Head.from_json(head.to_json() | {"height": 0, "time_ms": 0, "next_signer": own})
    own_change = SignedHead(head=change, signature=ed25519.sign(seed, head_signing_bytes(change)))
    chained = parts | {"head_chain": [own_change.to_json()]}
    assert _code(_with(bundle, ledger=chained), trust) == "head_chain_order"
    change = Head.from_json(head.to_json() | {"height": 1, "time_ms": 0, "next_signer": own})
    own_change = SignedHead(head=change, signature=ed25519.sign(seed, head_signing_bytes(change)))
    chained = parts | {"head_chain": [own_change.to_json()]}
    assert _code(_with(bundle, ledger=chained), trust) == "head_chain_signature_invalid"


async def test_ev4_the_chain_of_signers_holds_changes_only(ledger: LocalLedger) -> None:
    ledger.block()
    idle = ledger.head
    records = [_record("a")]
    bundle, trust = await _bundle(ledger, records, _payload(records, records, None))
    padded = bundle.ledger.to_json() | {"head_chain": [idle.to_json()]}
    assert _code(_with(bundle, ledger=padded), trust) == "head_chain_padded"


def test_ev4_the_chain_of_signers_may_not_be_left_out_or_repeated() -> None:
    trust = valid()[1]
    chain = as_json()["ledger"]["head_chain"]
    assert _code(changed(("ledger", "head_chain"), []), trust) == "head_signature_invalid"
    assert _code(changed(("ledger", "head_chain"), chain * 2), trust) == "head_chain_order"


async def test_ev4_a_record_anchored_by_another_member(ledger: LocalLedger) -> None:
    records = [_record("a", institution=OTHER)]
    bundle, trust = await _bundle(ledger, records, _payload(records, records, None))
    assert _code(bundle.to_bytes(), trust) == "record_sender_mismatch"


async def test_ev4_records_of_another_case_or_institution(ledger: LocalLedger) -> None:
    first = _record("a")
    for second, code in (
        (_record("b", leaves_of(first, SALT), case="case-2"), "record_case_mismatch"),
        (_record("b", leaves_of(first, SALT), institution=OTHER), "record_institution_mismatch"),
        (_record("b", None), "record_previous_mismatch"),
    ):
        fresh = LocalLedger(ManualClock())
        bundle, trust = await _bundle(fresh, [first, second], _payload([first, second], [first, second], None))
        assert _code(bundle.to_bytes(), trust) == code


@pytest.mark.parametrize("later", [("height", 1), ("time_ms", 1), ("time_ms", 0)], ids=["block", "time", "neither"])
async def test_ev4_an_anchor_may_not_be_later_than_the_head_it_stands_under(
    ledger: LocalLedger, later: tuple[str, int]
) -> None:
    """A signer that gives an entry a future block, or a time after its own, signs a contradiction."""
    records = [_record("a")]
    payload = _payload(records, records, None)
    bundle, trust = await _bundle(ledger, records, payload)
    ledger_part, (member, more) = bundle.ledger, later
    assert isinstance(ledger_part.head, SignedHead)
    last = ledger_part.head.head.to_json()[member]
    entry = LogEntry.from_json(bundle.anchors[0].entry.to_json() | {member: last + more})
    root = root_of([entry.to_bytes()])
    head = Head.from_json(
        ledger_part.head.head.to_json() | {"app_hash": b64u_encode(app_hash(1, root, 1, ledger_part.state_root))}
    )
    signed = SignedHead(head=head, signature=ed25519.sign(ledger.seed, head_signing_bytes(head)))
    forged = _with(
        bundle,
        anchors=[bundle.anchors[0].to_json() | {"entry": entry.to_json()}],
        ledger=ledger_part.to_json() | {"head": signed.to_json(), "log_root": b64u_encode(root)},
    )
    if not more:  # the head's own time: what was done to the bundle is otherwise good
        verify_bundle(forged, trust)
    else:
        assert _code(forged, trust) == "anchor_after_head"


@pytest.mark.parametrize("trust", [b"", b"{}", b"[]", valid()[1] + b"\n", valid()[1].replace(b'"v":1', b'"v":2')])
def test_a_trust_file_that_is_none(trust: bytes) -> None:
    assert _code(valid()[0], trust) == "trust_file_malformed"


def test_ev3_the_same_anchor_cannot_be_claimed_by_another_sender() -> None:
    payload = _payload([_record("a")], [_record("a")], None)
    assert anchor_digest(MEMBER, payload) != anchor_digest(OTHER, payload)
