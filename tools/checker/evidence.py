"""Evidence of one member: records, batches and anchors, against the chain (EV-1..EV-3)."""

from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter
from typing import Any

from tools.checker.basics import Findings, canonical, framed, parse, tree_root, unb64u
from tools.checker.chain import Chain

__all__ = ["check_evidence"]


def check_evidence(
    name: str, did: str, database: sqlite3.Connection, chain: Chain, claims: dict[str, Any], findings: Findings
) -> None:
    """Every promise that was handed out is kept, every record stands under one anchor, every anchor is known here."""
    leaves = _check_records(name, did, database, findings)
    for promise in claims["promises"]:
        if promise["member"] == did:
            leaf = unb64u(promise["leaf"])
            findings.expect(leaves[leaf] == 1, f"{name}: a promised record stands {leaves[leaf]} times")
    for case in claims["cases"]:
        if case["member"] == did:
            query = "SELECT count(*) FROM evidence_record WHERE case_id = ?"
            (found,) = database.execute(query, (case["case_id"],)).fetchone()
            findings.expect(found >= case["records"], f"{name}: case {case['case_id']} has {found} records")
    _check_anchors(name, did, database, chain, findings)


def _check_records(name: str, did: str, database: sqlite3.Connection, findings: Findings) -> Counter[bytes]:
    leaves: Counter[bytes] = Counter()
    sequences: dict[str, list[int]] = {}
    query = "SELECT case_id, seq, record, salt, leaf_sha256, leaf_sm3, promise FROM evidence_record ORDER BY row"
    documents = {row[0]: row[1] for row in database.execute("SELECT sha256, data FROM evidence_document")}
    for case_id, seq, raw, salt, leaf, leaf_sm3, promise in database.execute(query):
        what = f"{name}: record {seq} of {case_id}"
        record = parse(raw, findings, what)
        input_bytes = framed("evidence-leaf", salt, canonical(record))
        findings.expect(hashlib.sha256(input_bytes).digest() == leaf, f"{what}: its leaf")
        findings.expect(hashlib.new("sm3", input_bytes).digest() == leaf_sm3, f"{what}: its leaf under SM3")
        body = parse(promise, findings, what)["body"]
        findings.expect(unb64u(body["leaves"]["sha256"]) == leaf, f"{what}: promise of another record")
        findings.expect(body["member"] == did == record["institution"], f"{what}: of another member")
        for document in record["documents"]:
            data = documents.get(unb64u(document["sha256"]))
            kept = data is not None and hashlib.sha256(data).digest() == unb64u(document["sha256"])
            findings.expect(kept, f"{what}: a document is missing")
        leaves[leaf] += 1
        sequences.setdefault(case_id, []).append(seq)
    for case_id, numbers in sequences.items():
        whole = list(range(numbers[0], numbers[0] + len(numbers)))
        findings.expect(numbers == whole and numbers[0] in (0, 1), f"{name}: {case_id} is numbered {numbers}")
    return leaves


def _check_anchors(name: str, did: str, database: sqlite3.Connection, chain: Chain, findings: Findings) -> None:
    log = list(chain.accepted("evidence.anchor"))
    mine = {canonical(entry.payload): entry for entry in log if entry.sender == did}
    findings.expect(len(mine) == sum(entry.sender == did for entry in log), f"{name}: one anchor stands twice")
    (loose,) = database.execute("SELECT count(*) FROM evidence_record WHERE batch IS NULL").fetchone()
    findings.expect(loose == 0, f"{name}: {loose} records are in no batch after settling")
    batches = database.execute("SELECT number, payload, log_index, height FROM evidence_batch").fetchall()
    findings.expect(len(batches) == len(mine), f"{name}: {len(batches)} batches, {len(mine)} anchors on the ledger")
    for number, raw, log_index, height in batches:
        what = f"{name}: batch {number}"
        payload = parse(raw, findings, what)
        entry = mine.get(raw)
        if not findings.expect(entry is not None, f"{what} has no anchor on the ledger") or entry is None:
            continue
        findings.expect(height == entry.height, f"{what} stands at {entry.height}, not {height}")
        findings.expect(log_index == log.index(entry), f"{what} has another place in the evidence log")
        query = "SELECT batch_index, leaf_sha256, leaf_sm3 FROM evidence_record WHERE batch = ? ORDER BY batch_index"
        rows = database.execute(query, (number,)).fetchall()
        findings.expect([row[0] for row in rows] == list(range(len(rows))), f"{what}: its records' places")
        findings.expect(payload["count"] == len(rows), f"{what} counts {payload['count']} of {len(rows)} records")
        roots = (unb64u(payload["root_sha256"]), unb64u(payload["root_sm3"]))
        own = (tree_root([row[1] for row in rows]), tree_root([row[2] for row in rows], "sm3"))
        findings.expect(roots == own, f"{what}: its roots are over other records")
