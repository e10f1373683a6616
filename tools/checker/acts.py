"""What stands once: tasks, loads, procedures; and what may not be answered: withdrawn, paused, closed."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from typing import Any

from tools.checker.basics import Findings, b64u, canonical, digest, unb64u
from tools.checker.chain import Chain

__all__ = ["check_loads", "check_procedures", "check_silence", "check_tasks"]

Receipts = dict[str, dict[bytes, tuple[bytes, Any]]]


def check_tasks(chain: Chain, claims: dict[str, Any], findings: Findings) -> None:
    """Every contract, approval and end stands once; what was acknowledged stands."""
    proposals = {b64u(entry.tx_id): entry for entry in chain.accepted("task.propose")}
    for contract, times in Counter(canonical(entry.payload["contract"]) for entry in proposals.values()).items():
        findings.expect(times == 1, f"one contract stands {times} times: {contract[:60]!r}")
    decided = Counter((entry.sender, entry.payload["task"]) for entry in chain.accepted("task.approve"))
    closed = Counter((entry.sender, entry.payload["task"]) for entry in chain.accepted("task.close"))
    for (_, task), times in (decided + closed).items():
        findings.expect(times == 1, f"task {task[:12]} was decided on or closed {times} times by one member")
    for claim in claims["tasks"]:
        what = f"task {claim['task'][:12]}"
        entry = proposals.get(claim["task"])
        findings.expect(entry is not None and entry.sender == claim["requester"], f"{what} is not on the ledger")
        for provider in claim["approved"]:
            findings.expect(decided[provider, claim["task"]] == 1, f"{what}: an acknowledged approval is missing")
        if claim["closed_ms"] is not None:
            findings.expect(closed[claim["requester"], claim["task"]] == 1, f"{what}: its end is missing")


def check_silence(chain: Chain, providers: Receipts, refused: dict[str, set[bytes]], claims: dict[str, Any],
                  findings: Findings) -> None:  # fmt: skip
    """From the acknowledgement of a withdrawal on, and in a pause, that member neither asks nor answers under it."""
    revoked = {_cid(entry.payload) for entry in chain.accepted("consent.revoke")}
    for claim in claims["withdrawals"]:
        for text in claim["cids"]:
            cid, what = unb64u(text), f"withdrawn consent {text[:12]}"
            known = cid in revoked or cid in refused[claim["member"]]
            findings.expect(known, f"{what} is neither on the ledger nor refused by the member that took it")
            late = [time for time in _times(providers, claim["member"], cid) if time > claim["from_ms"]]
            findings.expect(not late, f"{what} was used {len(late)} times after its acknowledgement")
    for claim in claims["pauses"]:
        for text in claim["cids"]:
            times = list(_times(providers, claim["member"], unb64u(text)))
            inside = [time for time in times if claim["from_ms"] < time < claim["until_ms"]]
            findings.expect(not inside, f"paused consent {text[:12]} was answered {len(inside)} times")


def check_loads(name: str, did: str, database: sqlite3.Connection, claims: dict[str, Any], findings: Findings) -> None:
    """The last load that was acknowledged is the one that readers see, whole; nothing half-loaded is left."""
    (half,) = database.execute("SELECT count(*) FROM compute_dataset_snapshot WHERE status = 'loading'").fetchone()
    findings.expect(half == 0, f"{name}: {half} loads lie there unfinished")
    last = {claim["dataset"]: claim["people"] for claim in claims["loads"] if claim["member"] == did}
    query = "SELECT dataset, snapshot, people FROM compute_dataset_snapshot WHERE status = 'current'"
    current = {dataset: (snapshot, people) for dataset, snapshot, people in database.execute(query)}
    for dataset, people in last.items():
        found = current.get(dataset, (0, 0))
        findings.expect(found[1] == people, f"{name}: {dataset} has {found[1]} people, {people} were acknowledged")
    for dataset, (snapshot, people) in current.items():
        query = "SELECT count(*) FROM compute_dataset_row WHERE snapshot = ?"
        (rows,) = database.execute(query, (snapshot,)).fetchone()
        findings.expect(rows == people, f"{name}: {dataset} has {rows} rows of {people} people")


def check_procedures(
    name: str, did: str, database: sqlite3.Connection, claims: dict[str, Any], findings: Findings
) -> None:
    """Every acknowledged step of a procedure is on record, once and in its order."""
    for claim in claims["procedures"]:
        if claim["member"] != did:
            continue
        query = "SELECT record FROM suitability_record WHERE kind = 'mismatch' AND case_id = ? ORDER BY number"
        records = [json.loads(row[0]) for row in database.execute(query, (claim["case_id"],))]
        history = [step["event"] for step in records[-1]["history"]] if records else []
        findings.expect(history == claim["events"], f"{name}: the procedure {claim['case_id']} went {history}")


def _times(providers: Receipts, member: str, cid: bytes) -> Iterator[int]:
    """When ``member`` used a consent, by its own clock: as its requester, and as its provider."""
    for provider, receipts in providers.items():
        for raw, answer in receipts.values():
            request = json.loads(raw)
            if unb64u(request["cid"]) == cid and request["requester"] == member:
                yield request["time_ms"]
            if unb64u(request["cid"]) == cid and provider == member:
                yield answer["time_ms"]


def _cid(payload: Any) -> bytes:
    if payload.get("cid") is not None:
        return unb64u(payload["cid"])
    return digest("cid", unb64u(payload["rk"]), payload["not_after"], unb64u(payload["h"]))
