"""Offline verification and evidence batching, each beside the bare operations that it cannot do without.

    PYTHONPATH=src python benchmarks/verify.py [--repeats 9] [--records 10] [--leaves 4096]

Prints one JSON object; medians over the repeats, work after start-up, one core.
`verify`: one bundle of a case with `records` records in a batch of `leaves`, from bytes to report, beside one
Ed25519 verification, the one signature in it, and beside those hashes that any verifier must compute.
`batch`: both leaves of each record from its canonical bytes and both trees up to the roots, beside the same number
of bare hashes.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import sys
import time
from collections.abc import Callable

import orjson

from lianzheng.crypto import ed25519
from lianzheng.encoding.framing import tagged
from lianzheng.encoding.multikey import ED25519_PUB, encode_multikey
from lianzheng.evidence.assembly import BatchPaths, assemble_bundle
from lianzheng.evidence.model import (
    AnchorPayload,
    CaptureContext,
    Document,
    EvidenceRecord,
    LeafPair,
    LogEntry,
    Promise,
    PromiseBody,
    TrustFile,
    digest_document,
    leaves_of,
)
from lianzheng.evidence.ports import Batch, PlacedRecord, StoredRecord
from lianzheng.ledger.apphash import app_hash
from lianzheng.ledger.block import Head, SignedHead, head_signing_bytes
from lianzheng.ledger.merkle import MerkleTree, root_of
from lianzheng.ledger.ports import LogProof
from lianzheng.verify import verify_bundle

SEED = b"\x07" * 32
SALT = b"\x05" * 32
MEMBER = "did:lz:bench:z" + "A" * 44
CONTEXT = CaptureContext(system="bench", software_version="1", channel="branch", local_time_ms=1)
LOG_SIZE = 100_000
TARGET_VERIFY_MS = 5.0
TARGET_LEAVES_PER_SECOND = 100_000


def make_records(count: int) -> list[EvidenceRecord]:
    """One case, each record after the other."""
    records: list[EvidenceRecord] = []
    previous: LeafPair | None = None
    for number in range(count):
        document = digest_document(Document(f"{number}.json", "application/json", b"x" * 100))
        record = EvidenceRecord(
            case_id="case",
            scene="suitability-test",
            institution=MEMBER,
            operator_role="clerk",
            context=CONTEXT,
            documents=(document,),
            previous=previous,
        )
        records.append(record)
        previous = leaves_of(record, SALT)
    return records


def make_bundle(record_count: int, leaf_count: int) -> tuple[bytes, bytes]:
    """A bundle in a full batch and a log of 100,000 entries, and its trust file."""
    records = make_records(record_count)
    leaves = [leaves_of(record, SALT) for record in records]
    filler = LeafPair(sha256=bytes(32), sm3=bytes(32))
    batch_leaves = leaves + [filler] * (leaf_count - len(leaves))
    payload = AnchorPayload(
        root_sha256=root_of([leaf.sha256 for leaf in batch_leaves], "sha256"),
        root_sm3=root_of([leaf.sm3 for leaf in batch_leaves], "sm3"),
        count=leaf_count,
        previous_anchor=None,
    )
    entry = LogEntry(height=9, time_ms=9, sender=MEMBER, payload=payload)
    log = MerkleTree("sha256")
    log.extend(number.to_bytes(8, "big") for number in range(LOG_SIZE - 1))
    log.append(entry.to_bytes())
    key = encode_multikey(ED25519_PUB, ed25519.public_key(SEED))
    head = Head(
        chain_id="bench",
        height=10,
        time_ms=10,
        previous=bytes(32),
        txs_root=bytes(32),
        results_root=bytes(32),
        app_hash=app_hash(1, log.root(), LOG_SIZE, bytes(32)),
        next_signer=key,
    )
    signed = SignedHead(head=head, signature=ed25519.sign(SEED, head_signing_bytes(head)))
    proof = LogProof(
        entry=entry.to_bytes(),
        index=LOG_SIZE - 1,
        log_size=LOG_SIZE,
        log_root=log.root(),
        state_root=bytes(32),
        schema=1,
        path=log.inclusion_path(LOG_SIZE - 1),
        head=signed.to_json(),
    )
    batch = Batch(1, payload, LOG_SIZE - 1, 9, 9)
    placed = [_placed(record, leaves[index], index, batch) for index, record in enumerate(records)]
    trust = TrustFile(chain_id="bench", genesis_digest=bytes(32), signers=(key,))
    bundle = assemble_bundle(trust, placed, {1: BatchPaths(batch_leaves)}, {LOG_SIZE - 1: proof})
    return bundle.to_bytes(), trust.to_bytes()


def _placed(record: EvidenceRecord, leaves: LeafPair, index: int, batch: Batch) -> PlacedRecord:
    body = PromiseBody(chain_id="bench", member=MEMBER, key_id="#node", leaves=leaves, due_ms=0)
    stored = StoredRecord(record, index, SALT, leaves, Promise(body=body, sig=bytes(64)))
    return PlacedRecord(stored, batch, index)


def batch_roots(encoded: list[bytes]) -> tuple[bytes, bytes]:
    """What anchoring computes for a batch."""
    sha256, sm3 = MerkleTree("sha256"), MerkleTree("sm3")
    for record in encoded:
        message = tagged("evidence-leaf", SALT, record)
        sha256.append(hashlib.sha256(message).digest())
        sm3.append(_sm3(message))
    return sha256.root(), sm3.root()


def bare_hashes(encoded: list[bytes]) -> bytes:
    """The least number of hashes for the same: three per record and hash function (leaf, RFC 9162 leaf, inner node)."""
    last, node, inner = b"", b"\0" * 33, b"\1" * 65
    for record in encoded:
        for digest in (_sha256, _sm3):
            digest(record)
            digest(node)
            last = digest(inner)
    return last


_SM3 = hashlib.new("sm3")


def _sm3(data: bytes) -> bytes:
    state = _SM3.copy()
    state.update(data)
    return state.digest()


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def seconds(work: Callable[[], object], repeats: int, loops: int) -> float:
    """Median CPU time of one call over ``repeats`` of ``loops`` calls: other processes on the machine do not count."""
    samples = []
    for _ in range(repeats):
        start = time.process_time()
        for _ in range(loops):
            work()
        samples.append((time.process_time() - start) / loops)
    return statistics.median(samples)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--records", type=int, default=10)
    parser.add_argument("--leaves", type=int, default=4096)
    given = parser.parse_args()
    bundle, trust = make_bundle(given.records, given.leaves)
    public, message = ed25519.public_key(SEED), b"m" * 64
    signature = ed25519.sign(SEED, message)
    encoded = [record.to_bytes() for record in make_records(given.leaves)]
    verify_s = seconds(lambda: verify_bundle(bundle, trust), given.repeats, 20)
    signature_s = seconds(lambda: ed25519.verify(public, message, signature), given.repeats, 200)
    batch_s = seconds(lambda: batch_roots(encoded), given.repeats, 1)
    bare_s = seconds(lambda: bare_hashes(encoded), given.repeats, 1)
    report = {
        "benchmark": "verify",
        "repeats": given.repeats,
        "verify": {
            "records": given.records,
            "bundle_bytes": len(bundle),
            "ms": round(verify_s * 1000, 3),
            "target_ms": TARGET_VERIFY_MS,
            "met": verify_s * 1000 <= TARGET_VERIFY_MS,
            "bare_signature_ms": round(signature_s * 1000, 4),
            "ratio_to_bare_signature": round(verify_s / signature_s, 1),
        },
        "batch": {
            "leaves": given.leaves,
            "leaves_per_second": round(given.leaves / batch_s),
            "target_leaves_per_second": TARGET_LEAVES_PER_SECOND,
            "met": given.leaves / batch_s >= TARGET_LEAVES_PER_SECOND,
            "bare_leaves_per_second": round(given.leaves / bare_s),
            "ratio_to_bare_hashes": round(batch_s / bare_s, 2),
        },
    }
    sys.stdout.write(orjson.dumps(report, option=orjson.OPT_INDENT_2).decode() + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
